"""Filters, fields and pages as network and identity clients ask for them."""

from starlette.datastructures import QueryParams

from actium_api.facade.listing import chosen

ITEMS = [
    {"id": "a", "name": "public", "shared": True, "fixed_ips": [{"ip_address": "10.0.0.1"}], "subnets": ["s1", "s2"]},
    {"id": "b", "name": "tenant", "shared": False, "fixed_ips": [], "subnets": []},
    {"id": "c", "name": "", "shared": True, "fixed_ips": [{"ip_address": "10.0.0.2"}], "subnets": ["s1"]},
]


def ids(query: str) -> list[str]:
    return [item["id"] for item in chosen(ITEMS, QueryParams(query))]


def test_filters_are_equality_and_several_values_are_alternatives() -> None:
    assert ids("name=public") == ["a"]
    assert ids("id=a&id=b") == ["a", "b"]
    assert ids("name=") == ["c"]
    assert ids("name=nobody") == []


def test_truths_are_understood_in_every_spelling() -> None:
    assert ids("shared=True") == ids("shared=true") == ids("shared=1") == ["a", "c"]
    assert ids("shared=False") == ["b"]


def test_lists_are_searched_by_element_or_by_key_and_value() -> None:
    assert ids("subnets=s2") == ["a"]
    assert ids("fixed_ips=ip_address=10.0.0.2") == ["c"]
    assert ids("fixed_ips=nonsense") == []


def test_a_filter_on_what_is_not_there_is_ignored() -> None:
    assert ids("provider:network_type=vxlan") == ["a", "b", "c"]


def test_fields_and_pages() -> None:
    assert chosen(ITEMS, QueryParams("fields=id&fields=name&name=public")) == [{"id": "a", "name": "public"}]
    assert ids("limit=2") == ["a", "b"]
    assert ids("limit=2&marker=b") == ["c"]
    assert ids("limit=2&marker=c") == []
