"""Bodies: upstream's coercions, what null means, and refusals that name the field."""

from typing import Any

import pytest

from actium_api.schemas import health_monitor, listener, load_balancer, member, pool
from actium_api.schemas.fields import parse
from actium_api.schemas.health_monitor import HealthMonitorPost, HealthMonitorPut
from actium_api.schemas.listener import ListenerPost, ListenerPut
from actium_api.schemas.load_balancer import LoadBalancerPut
from actium_api.schemas.member import MemberPut
from actium_api.schemas.pool import Persistence, PoolPut
from actium_shared.commands.planner import ListenerChanges, LoadBalancerChanges, MemberChanges
from builders import LB, POOL, PUBLIC
from unit.api.bodies import (
    LISTENERS,
    NOTHING,
    SETTINGS,
    TERMINATING,
    CountingIds,
    a_listener,
    a_load_balancer,
    a_member,
    a_monitor,
    a_pool,
    refused,
)


@pytest.mark.parametrize(("sent", "meant"), [(True, True), (0, False), ("yes", True), ("off", False), (2, True)])
def test_booleans_are_taken_as_upstream_does(sent: object, meant: bool) -> None:
    assert a_listener(admin_state_up=sent).admin_state_up is meant


@pytest.mark.parametrize("sent", ["TRUE", "", "maybe", 1.0, []])
def test_other_booleans_are_refused(sent: object) -> None:
    with refused(400, "admin_state_up"):
        a_listener(admin_state_up=sent)


@pytest.mark.parametrize(("sent", "meant"), [("8081", 8081), (80.5, 80), (True, 1)])
def test_integers_are_taken_as_upstream_does(sent: object, meant: int) -> None:
    assert a_listener(protocol_port=sent).protocol_port == meant


@pytest.mark.parametrize("sent", ["80.5", "abc", 0, 65536, None, [], "1" * 50])
def test_other_ports_are_refused_by_name(sent: object) -> None:
    with refused(400, "protocol_port"):
        a_listener(protocol_port=sent)


def test_a_string_must_be_one() -> None:
    with refused(400, "name", "5"):
        a_listener(name=5)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("tags", "a", "Value should be a list."),
        ("listeners", {}, "Value should be a list."),
        ("name", "x" * 256, "Value should have at most 255 characters."),
        ("tags", ["x" * 256], "Value should have at most 255 characters."),
    ],
)
def test_the_refusal_says_what_would_be_right_in_words_of_json(field: str, value: object, words: str) -> None:
    with refused(400, field, words):
        a_load_balancer(**{field: value})


def test_ids_are_taken_in_any_spelling_and_kept_in_one() -> None:
    assert a_pool(loadbalancer_id=LB.upper().replace("-", "")).loadbalancer_id == LB
    with refused(400, "loadbalancer_id", "UUID"):
        a_pool(loadbalancer_id="")


def test_addresses_stay_as_written_and_ranges_do_not() -> None:
    assert a_member(address="2001:DB8::0001").address == "2001:DB8::0001"
    assert a_listener(allowed_cidrs=["10.0.0.7/8", "10.0.0.0/8", "::1"]).allowed_cidrs == ("10.0.0.0/8", "::1/128")
    with refused(400, "address"):
        a_member(address="10.0.0.256")
    with refused(400, r"allowed_cidrs\[0\]"):
        a_listener(allowed_cidrs=["10.0.0.0/33"])


def test_null_is_as_good_as_not_sent_on_create_but_disables_what_is_enabled() -> None:
    made = a_member(name=None, weight=None, admin_state_up=None, tags=None)
    assert (made.name, made.weight, made.admin_state_up, made.tags) == ("", 1, False, ())


def test_null_on_update_means_the_default() -> None:
    sent = {"name": None, "connection_limit": None, "default_pool_id": None, "insert_headers": None}
    changes = parse(ListenerPut, "listener", sent).changes(LISTENERS)
    assert changes == ListenerChanges(name="", connection_limit=-1, default_pool_id=None, insert_headers={})
    assert parse(MemberPut, "member", {"weight": None}).changes() == MemberChanges(weight=1)


def test_only_what_is_sent_changes() -> None:
    sent = {"timeout_client_data": "7"}
    assert parse(ListenerPut, "listener", sent).changes(LISTENERS) == ListenerChanges(timeout_client_data_ms=7)


def test_a_monitor_without_delay_is_refused_and_so_is_null_on_update() -> None:
    with refused(400, "delay"):
        parse(HealthMonitorPut, "healthmonitor", {"delay": None})
    with refused(400, "timeout"):
        parse(HealthMonitorPost, "healthmonitor", {"pool_id": POOL, "type": "TCP", "delay": 1, "max_retries": 1})


def test_unknown_and_create_only_fields_are_named_with_their_place() -> None:
    with refused(400, "argument listener: colour"):
        a_listener(colour=None)
    with refused(400, "argument listener: protocol"):
        parse(ListenerPut, "listener", {"protocol": "TCP"})
    with refused(400, r"argument loadbalancer.pools\[0\].members\[0\]: colour"):
        a_load_balancer(pools=[{"name": "p", "members": [{"address": "10.0.0.1", "protocol_port": 1, "colour": 1}]}])


def test_a_body_must_be_an_object() -> None:
    with refused(400, "listener", "object"):
        parse(ListenerPost, "listener", [])


def test_tags_are_kept_once() -> None:
    assert a_load_balancer(tags=["a", "b", "a"]).tags == ("a", "b")
    with refused(400, r"tags\[0\]"):
        a_load_balancer(tags=["x" * 256])


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"protocol": "TERMINATED_HTTPS"}, 400, "default_tls_container_ref"),
        (TERMINATING | {"client_crl_container_ref": "r"}, 400, "client_ca_tls_container_ref"),
        (TERMINATING | {"client_authentication": "OPTIONAL"}, 400, "client_ca_tls_container_ref"),
        (TERMINATING | {"tls_versions": []}, 400, "tls_versions"),
        (TERMINATING | {"tls_versions": ["TLSv1.4"]}, 400, "TLSv1.4"),
        (TERMINATING | {"alpn_protocols": []}, 400, "alpn_protocols"),
        (TERMINATING | {"hsts_include_subdomains": True}, 400, "hsts_max_age"),
        ({"client_ca_tls_container_ref": "r"}, 400, "client_ca_tls_container_ref"),
        ({"protocol": "PROMETHEUS", "default_pool_id": POOL}, 400, "default_pool_id"),
        ({"protocol": "UDP", "insert_headers": {"X-Forwarded-For": "true"}}, 400, "insert_headers"),
        ({"default_tls_container_ref": "r"}, 400, "default_tls_container_ref"),
        ({"hsts_max_age": 1}, 400, "hsts_max_age"),
        ({"hsts_preload": True}, 400, "hsts_max_age"),
        ({"client_authentication": "MANDATORY"}, 400, "client_ca_tls_container_ref"),
        ({"protocol": "TCP", "insert_headers": {"X-Forwarded-For": "true"}}, 400, "insert_headers"),
        ({"insert_headers": {"X-Evil\r\n": "true"}}, 400, "X-Evil"),
        ({"insert_headers": {"X-SSL-Issuer": "true"}}, 400, "X-SSL-Issuer"),
    ],
)
def test_a_listener_is_refused_for_what_is_wrong_with_it(fields: dict[str, Any], status: int, word: str) -> None:
    with refused(status, word):
        listener.check(a_listener(**fields), SETTINGS)


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"session_persistence": {"type": "APP_COOKIE"}}, 400, "cookie_name"),
        ({"session_persistence": {"type": "SOURCE_IP", "cookie_name": "c"}}, 400, "cookie_name"),
        ({"session_persistence": {"type": "SOURCE_IP", "persistence_timeout": 1}}, 400, "persistence_timeout"),
        ({"protocol": "UDP", "session_persistence": {"type": "HTTP_COOKIE"}}, 400, "UDP"),
        ({"tls_enabled": True, "tls_versions": []}, 400, "tls_versions"),
        ({"crl_container_ref": "r"}, 400, "ca_tls_container_ref"),
    ],
)
def test_a_pool_is_refused_for_what_is_wrong_with_it(fields: dict[str, Any], status: int, word: str) -> None:
    with refused(status, word):
        pool.check(a_pool(**fields), SETTINGS)


def test_a_cookie_name_holds_no_separator() -> None:
    with refused(400, "cookie_name"):
        a_pool(session_persistence={"type": "APP_COOKIE", "cookie_name": "a;b"})


def test_persistence_can_be_taken_away() -> None:
    assert parse(PoolPut, "pool", {"session_persistence": None}).changes(None, **NOTHING).session_persistence is None
    whole = parse(Persistence, "pool", {"type": "HTTP_COOKIE"})
    changes = parse(PoolPut, "pool", {"session_persistence": {"type": "HTTP_COOKIE"}}).changes(whole, **NOTHING)
    assert changes.session_persistence == whole.wish()


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"type": "TCP", "url_path": "/"}, 400, "url_path"),
        ({"type": "UDP-CONNECT"}, 400, "delay"),
        ({"domain_name": "a.example"}, 400, "http_version"),
    ],
)
def test_a_monitor_is_refused_for_what_is_wrong_with_it(fields: dict[str, Any], status: int, word: str) -> None:
    with refused(status, word):
        health_monitor.check(a_monitor(**fields), SETTINGS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url_path", "index"),
        ("url_path", "/a b"),
        ("url_path", "http://x/"),
        ("url_path", "/\r\nx"),
        ("expected_codes", "200-204,301"),
        ("expected_codes", "20"),
        ("expected_codes", "200,\n202"),
        ("domain_name", "-a"),
        ("domain_name", "a b"),
        ("domain_name", "a.example\n"),
        ("http_method", "get"),
        ("http_version", "2.0"),
        ("max_retries", 11),
    ],
)
def test_values_that_no_check_can_use_are_refused_by_name(field: str, value: object) -> None:
    with refused(400, field):
        a_monitor(**{field: value})


def test_http_monitors_have_defaults_and_others_do_not() -> None:
    http, tcp = a_monitor().wish("m"), a_monitor(type="TCP").wish("m")
    assert (http.http_method, http.url_path, http.expected_codes) == ("GET", "/", "200")
    assert (tcp.http_method, tcp.url_path, tcp.expected_codes) == (None, None, None)
    given = a_monitor(http_version="1.1", domain_name="a.example.", expected_codes="200, 202").wish("m")
    assert (given.http_version, given.domain_name, given.expected_codes) == (1.1, "a.example.", "200, 202")


def test_a_changed_domain_needs_the_version_that_is_stored_or_sent() -> None:
    body = parse(HealthMonitorPut, "healthmonitor", {"domain_name": "a.example"})
    stored = {"domain_name": None, "http_version": 1.1}
    health_monitor.check_change(body, monitor_type="HTTP", stored=stored, settings=SETTINGS)
    with refused(400, "http_version"):
        health_monitor.check_change(
            body, monitor_type="HTTP", stored=stored | {"http_version": None}, settings=SETTINGS
        )
    with refused(400, "http_method"):
        method = parse(HealthMonitorPut, "healthmonitor", {"http_method": None})
        health_monitor.check_change(method, monitor_type="TCP", stored=stored, settings=SETTINGS)


def test_a_reserved_address_is_refused() -> None:
    with refused(400, "169.254.169.254"):
        member.check(a_member(address="169.254.169.254"), SETTINGS)


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"vip_subnet_id": None}, 400, "vip_subnet_id"),
        ({"provider": "another"}, 400, "provider"),
        ({"additional_vips": [{"subnet_id": PUBLIC}]}, 400, "additional_vips"),
    ],
)
def test_a_load_balancer_is_refused_for_what_is_wrong_with_it(fields: dict[str, Any], status: int, word: str) -> None:
    with refused(status, word):
        load_balancer.check(a_load_balancer(**fields), SETTINGS)


@pytest.mark.parametrize("field", ["flavor_id", "availability_zone"])
def test_an_explicit_null_is_refused_where_upstream_does(field: str) -> None:
    with refused(400, field):
        load_balancer.check(a_load_balancer(**{field: None}), SETTINGS)


def test_null_lists_are_empty_ones() -> None:
    sent = a_load_balancer(listeners=None, pools=None, additional_vips=None, vip_sg_ids=None)
    tree = load_balancer.tree(sent, CountingIds(), SETTINGS)
    assert (tree.listeners, tree.pools) == ((), ())


def test_pools_of_a_tree_are_referred_to_by_name() -> None:
    sent = a_load_balancer(
        listeners=[
            {"protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "p"}},
            {
                "protocol": "TCP",
                "protocol_port": 81,
                "default_pool": {"name": "q", "protocol": "TCP", "lb_algorithm": "SOURCE_IP"},
            },
        ],
        pools=[{"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}],
    )
    tree = load_balancer.tree(sent, CountingIds(), SETTINGS)
    ids = {wish.pool.name: wish.pool.id for wish in tree.pools}
    assert [each.default_pool_id for each in tree.listeners] == [ids["p"], ids["q"]]


A_POOL = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}


def test_a_pool_that_nothing_refers_to_needs_no_name() -> None:
    (wish,) = load_balancer.tree(a_load_balancer(pools=[A_POOL]), CountingIds(), SETTINGS).pools
    assert wish.pool.name == ""


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"listeners": [{"protocol": "HTTP", "protocol_port": 80, "default_pool": A_POOL}]}, "name"),
        ({"pools": [A_POOL | {"name": "p"}, A_POOL | {"name": "p"}]}, "'p'"),
        ({"pools": [{"name": "p", "description": "more than a name"}]}, "protocol"),
        ({"listeners": [{"protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "none"}}]}, "'none'"),
        ({"listeners": [{"protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": 7}}]}, "default_pool.name"),
    ],
)
def test_a_tree_that_does_not_fit_together_is_refused(fields: dict[str, Any], word: str) -> None:
    with refused(400, word):
        load_balancer.tree(a_load_balancer(**fields), CountingIds(), SETTINGS)


def test_an_update_of_a_load_balancer_carries_what_was_sent() -> None:
    changes = parse(LoadBalancerPut, "loadbalancer", {"vip_sg_ids": None, "description": None}).changes()
    assert changes == LoadBalancerChanges(description="", vip_sg_ids=())


def test_a_pool_of_a_tree_that_is_defined_nowhere_is_refused() -> None:
    with refused(400, "'ghost'"):
        load_balancer.tree(a_load_balancer(pools=[{"name": "ghost"}]), CountingIds(), SETTINGS)


@pytest.mark.parametrize("number", [2**31, 2**63, 2**65, 1e300, "9999999999999999999"])
def test_no_number_is_larger_than_every_store_and_haproxy_can_hold(number: object) -> None:
    with refused(400, "connection_limit", "2147483647"):
        a_listener(connection_limit=number)
    with refused(400, "delay", "2147483647"):
        a_monitor(delay=number)
    with refused(400, "timeout", "2147483647"):
        a_monitor(timeout=number)
    with refused(400, "hsts_max_age", "2147483647"):
        a_listener(hsts_max_age=number)
    with refused(400, "persistence_timeout", "2147483647"):
        a_pool(session_persistence={"type": "SOURCE_IP", "persistence_timeout": number})


def test_a_text_without_end_for_some_stores_is_refused() -> None:
    with refused(400, "name", "U[+]0000"):
        a_listener(name="a\0b")
    with refused(400, "tags", "U[+]0000"):
        a_member(tags=["\0"])
