"""Filters, fields and pages of plain collections, as the query strings of OpenStack's clients ask for them. Pure."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import QueryParams

NO_FILTERS = frozenset({"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"})

Item = dict[str, Any]


def chosen(items: Sequence[Item], query: QueryParams) -> list[Item]:
    """Give the items that a query asks for. Filters on what an item does not have are ignored, as upstream does."""
    wanted = {name: query.getlist(name) for name in query if name not in NO_FILTERS}
    found = [item for item in items if all(_fits(item, name, values) for name, values in wanted.items())]
    fields = query.getlist("fields")
    return [shown(item, fields) for item in _page(found, query)]


def shown(item: Item, fields: Sequence[str]) -> Item:
    return {name: value for name, value in item.items() if name in fields} if fields else item


def _fits(item: Item, name: str, values: Sequence[str]) -> bool:
    if name not in item:
        return True
    value = item[name]
    if isinstance(value, list):
        return any(_among(value, text) for text in values)
    return _written(value) in [_written(_truth(text)) if isinstance(value, bool) else text for text in values]


def _among(elements: Sequence[Any], text: str) -> bool:
    """A list holds it: as one of its texts, or as `<key>=<value>` of one of its objects."""
    key, separator, value = text.partition("=")

    def holds(element: Any) -> bool:
        if isinstance(element, dict):
            return bool(separator) and _written(element.get(key)) == value
        return bool(element == text)

    return any(holds(element) for element in elements)


def _truth(text: str) -> bool | str:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


def _written(value: object) -> str:
    return "" if value is None else str(value)


def _page(items: list[Item], query: QueryParams) -> list[Item]:
    marker, limit = query.get("marker"), query.get("limit", "")
    ids = [item["id"] for item in items]
    first = ids.index(marker) + 1 if marker in ids else 0
    last = first + int(limit) if limit.isdecimal() and int(limit) else len(items)
    return items[first:last]
