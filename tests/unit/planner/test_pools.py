"""Pools, their members and their monitors."""

from typing import Any

import pytest

import builders as a
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.ids import HealthMonitorId, MemberId, SecretRef
from actium_shared.message import Reason
from actium_shared.wishes import SessionPersistence
from unit.planner.lives import after, happens, types, why

AUTHORITY = SecretRef("authority")
DELETE = commands.DeletePool(load_balancer_id=a.LB, pool_id=a.POOL)


def update(**changes: Any) -> commands.UpdatePool:
    return commands.UpdatePool(load_balancer_id=a.LB, pool_id=a.POOL, changes=commands.PoolChanges(**changes))


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP", "UDP"])
@pytest.mark.parametrize("algorithm", ["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"])
def test_every_pool_is_created(protocol: str, algorithm: str) -> None:
    (happened,) = happens(a.create_pool(protocol=protocol, lb_algorithm=algorithm), after())
    assert isinstance(happened, events.PoolCreated)
    assert happened.pool == a.pool(protocol=protocol, lb_algorithm=algorithm)


def test_sctp_is_refused_with_its_cause() -> None:
    assert why(a.create_pool(protocol="SCTP"), after()) == (Reason.UNSUPPORTED, "protocol")


def test_the_same_create_again_changes_nothing() -> None:
    assert happens(a.create_pool(), after(a.create_pool())) == []


def test_a_pool_for_a_listener_becomes_its_default_in_the_same_commit() -> None:
    created, attached = happens(a.create_pool(listener_id=a.LISTENER), after(a.create_listener()))
    assert created.TYPE == "pool.created"
    assert isinstance(attached, events.ListenerUpdated)
    assert attached.listener.default_pool_id == a.POOL


def test_a_pool_cannot_become_the_default_of_a_listener_that_has_one_or_does_not_fit_or_is_missing() -> None:
    second = a.create_pool(id=a.an_id("second"), listener_id=a.LISTENER)
    taken = after(a.create_listener(), a.create_pool(listener_id=a.LISTENER))
    assert why(second, taken) == (Reason.CONFLICT, "listener_id")
    assert why(a.create_pool(listener_id=a.LISTENER), after(a.create_listener(protocol="HTTPS"))) == (
        Reason.INVALID,
        "protocol",
    )
    assert why(a.create_pool(listener_id=a.LISTENER), after())[0] is Reason.NOT_FOUND


def test_a_removed_default_pool_is_taken_from_its_listeners_in_the_same_commit() -> None:
    state = after(a.create_listener(), a.create_pool(listener_id=a.LISTENER))
    detached, removed = happens(DELETE, state)
    assert isinstance(detached, events.ListenerUpdated)
    assert detached.listener.default_pool_id is None
    assert removed.TYPE == "pool.removed"


def test_a_pool_that_a_policy_redirects_to_is_in_use() -> None:
    state = after(
        a.create_listener(), a.create_pool(), a.create_l7_policy(action="REDIRECT_TO_POOL", redirect_pool_id=a.POOL)
    )
    assert why(DELETE, state)[0] is Reason.CONFLICT


@pytest.mark.parametrize(
    ("protocol", "fields", "field"),
    [
        ("HTTP", {"type": "APP_COOKIE"}, "cookie_name"),
        ("HTTP", {"type": "HTTP_COOKIE", "cookie_name": "c"}, "cookie_name"),
        ("HTTP", {"type": "APP_COOKIE", "cookie_name": "a b"}, "cookie_name"),
        ("HTTP", {"type": "APP_COOKIE", "cookie_name": "a\x00"}, "cookie_name"),
        ("UDP", {"type": "HTTP_COOKIE"}, "type"),
        ("HTTP", {"type": "SOURCE_IP", "persistence_timeout_s": 5}, "persistence_timeout"),
        ("TCP", {"type": "SOURCE_IP", "persistence_granularity": "255.255.0.0"}, "persistence_granularity"),
        ("UDP", {"type": "SOURCE_IP", "persistence_granularity": "wide"}, "persistence_granularity"),
        ("HTTP", {"type": "LUCK"}, "type"),
    ],
)
def test_persistence_that_the_protocol_does_not_allow_is_named(
    protocol: str, fields: dict[str, Any], field: str
) -> None:
    command = a.create_pool(protocol=protocol, session_persistence=SessionPersistence(**fields))
    assert why(command, after()) == (Reason.INVALID, f"session_persistence.{field}")


def test_persistence_that_fits_is_taken_and_given_up() -> None:
    kept = SessionPersistence(type="SOURCE_IP", persistence_timeout_s=5, persistence_granularity="255.255.255.0")
    state = after(a.create_pool(protocol="UDP", session_persistence=kept))
    assert types(update(session_persistence=None), state) == ["pool.updated"]


def test_tls_to_members_is_judged_together_with_what_stays() -> None:
    with_list = {"ca_tls_container_ref": AUTHORITY, "crl_container_ref": SecretRef("crl")}
    state = after(a.create_pool(tls_enabled=True, **with_list))
    assert why(update(ca_tls_container_ref=None), state) == (Reason.INVALID, "ca_tls_container_ref")
    assert why(update(tls_ciphers="no blanks"), state) == (Reason.INVALID, "tls_ciphers")
    assert types(update(ca_tls_container_ref=None, crl_container_ref=None), state) == ["pool.updated"]


# -- members

MEMBERS = after(a.create_pool(), a.create_member())


def update_member(**changes: Any) -> commands.UpdateMember:
    return commands.UpdateMember(
        load_balancer_id=a.LB, pool_id=a.POOL, member_id=a.MEMBER, changes=commands.MemberChanges(**changes)
    )


def test_a_member_is_unique_by_address_and_port() -> None:
    other = MemberId(a.an_id("other"))
    assert why(a.create_member(id=other), MEMBERS)[0] is Reason.CONFLICT
    assert types(a.create_member(id=other, protocol_port=81), MEMBERS) == ["member.created"]


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe"])
def test_the_metadata_service_is_no_member_however_it_is_written(address: str) -> None:
    state = after(a.create_pool())
    assert why(a.create_member(address=address), state) == (Reason.INVALID, "address")
    batch = commands.ReplaceMembers(
        load_balancer_id=a.LB, pool_id=a.POOL, members=(commands.BatchMember(member=a.member(address=address)),)
    )
    assert why(batch, state) == (Reason.INVALID, "address")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"weight": 257}, "weight"), ({"monitor_port": 0}, "monitor_port"), ({"monitor_address": "x"}, "monitor_address")],
)
def test_a_members_numbers_and_addresses_are_checked(changes: dict[str, Any], field: str) -> None:
    assert why(update_member(**changes), MEMBERS) == (Reason.INVALID, field)


def test_a_udp_member_is_of_a_family_that_the_load_balancer_has() -> None:
    state = after(a.create_pool(protocol="UDP"))
    assert why(a.create_member(address="2001:db8::1"), state) == (Reason.UNSUPPORTED, "address")
    both = after(a.create_pool(protocol="UDP"), additional_vips=(a.vip(address="2001:db8::5"),))
    assert types(a.create_member(address="2001:db8::1"), both) == ["member.created"]
    proxied = after(a.create_pool(protocol="TCP"))
    assert types(a.create_member(address="2001:db8::1"), proxied) == ["member.created"]


def test_a_batch_creates_changes_and_removes() -> None:
    gone = a.create_member(id=MemberId(a.an_id("gone")), address="10.1.0.11")
    new = a.member(id=MemberId(a.an_id("new")), address="10.1.0.12")
    batch = commands.ReplaceMembers(
        load_balancer_id=a.LB,
        pool_id=a.POOL,
        members=(commands.BatchMember(member=a.member(weight=7)), commands.BatchMember(member=new)),
    )
    state = after(a.create_pool(), a.create_member(name="kept"), gone)
    updated, created, removed = happens(batch, state)
    assert isinstance(updated, events.MemberUpdated)
    assert (updated.member.weight, updated.member.name) == (7, "kept")
    assert [created.TYPE, removed.TYPE] == ["member.created", "member.removed"]


def test_a_batch_cannot_give_a_new_member_the_id_of_another() -> None:
    elsewhere = commands.BatchMember(member=a.member(address="10.1.0.99"))
    batch = commands.ReplaceMembers(load_balancer_id=a.LB, pool_id=a.POOL, members=(elsewhere,))
    assert why(batch, MEMBERS) == (Reason.CONFLICT, "members")


# -- health monitors


def update_monitor(**changes: Any) -> commands.UpdateHealthMonitor:
    return commands.UpdateHealthMonitor(
        load_balancer_id=a.LB,
        pool_id=a.POOL,
        health_monitor_id=a.MONITOR,
        changes=commands.HealthMonitorChanges(**changes),
    )


@pytest.mark.parametrize(
    ("pool", "monitor", "answer"),
    [
        ("HTTP", "HTTP", None),
        ("HTTP", "PING", None),
        ("TCP", "TLS-HELLO", None),
        ("HTTPS", "HTTPS", None),
        ("UDP", "UDP-CONNECT", None),
        ("UDP", "TCP", None),
        ("UDP", "PING", Reason.INVALID),
        ("UDP", "TLS-HELLO", Reason.INVALID),
        ("HTTP", "UDP-CONNECT", Reason.INVALID),
        ("HTTP", "SCTP", Reason.INVALID),
        ("UDP", "SCTP", Reason.UNSUPPORTED),
    ],
)
def test_a_monitor_fits_its_pool(pool: str, monitor: str, answer: Reason | None) -> None:
    command = a.create_health_monitor(type=monitor, delay_s=3)
    state = after(a.create_pool(protocol=pool))
    if answer is None:
        assert types(command, state) == ["healthmonitor.created"]
    else:
        assert why(command, state) == (answer, "type")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": "TCP", "url_path": "/"}, "url_path"),
        ({"url_path": "status"}, "url_path"),
        ({"url_path": "/a b"}, "url_path"),
        ({"url_path": "/a\nserver x"}, "url_path"),
        ({"expected_codes": "200-204,301"}, "expected_codes"),
        ({"http_method": "BREW"}, "http_method"),
        ({"http_version": 2.0}, "http_version"),
        ({"domain_name": "a.example"}, "http_version"),
        ({"domain_name": "a b", "http_version": 1.1}, "domain_name"),
        ({"max_retries": 11}, "max_retries"),
        ({"max_retries_down": 0}, "max_retries_down"),
        ({"delay_s": -1}, "delay"),
    ],
)
def test_a_monitors_settings_are_checked(fields: dict[str, Any], field: str) -> None:
    assert why(a.create_health_monitor(**fields), after(a.create_pool())) == (Reason.INVALID, field)


def test_a_udp_check_needs_its_delay_after_an_update_too() -> None:
    state = after(a.create_pool(protocol="UDP"), a.create_health_monitor(type="UDP-CONNECT", delay_s=3))
    assert why(update_monitor(delay_s=2), state) == (Reason.INVALID, "delay")


def test_a_pool_has_one_monitor() -> None:
    state = after(a.create_pool(), a.create_health_monitor())
    assert happens(a.create_health_monitor(), state) == []
    second = a.create_health_monitor(id=HealthMonitorId(a.an_id("second")))
    assert why(second, state) == (Reason.CONFLICT, "pool_id")


@pytest.mark.parametrize("kind", ["HTTP_COOKIE", "APP_COOKIE"])
@pytest.mark.parametrize(("listener", "pool"), [("TCP", "HTTP"), ("TCP", "TCP"), ("HTTPS", "TCP"), ("HTTPS", "PROXY")])
def test_cookies_keep_nobody_on_a_member_where_the_listener_does_not_read_them(
    kind: str, listener: str, pool: str
) -> None:
    persistence = SessionPersistence(type=kind, cookie_name="c" if kind == "APP_COOKIE" else None)
    wrong = (Reason.UNSUPPORTED, "session_persistence.type")
    the_listener = a.create_listener(protocol=listener)
    keeping = {"protocol": pool, "session_persistence": persistence}
    assert why(a.create_pool(listener_id=a.LISTENER, **keeping), after(the_listener)) == wrong
    using = a.create_listener(protocol=listener, default_pool_id=a.POOL)
    assert why(using, after(a.create_pool(**keeping))) == wrong
    in_use = after(the_listener, a.create_pool(listener_id=a.LISTENER, protocol=pool))
    assert why(update(session_persistence=persistence), in_use) == wrong
    assert types(update(session_persistence=SessionPersistence(type="SOURCE_IP")), in_use) == ["pool.updated"]


def test_a_pool_that_no_such_listener_uses_may_have_cookies() -> None:
    cookies = SessionPersistence(type="HTTP_COOKIE")
    state = after(a.create_listener(protocol="TCP"), a.create_pool())
    assert types(update(session_persistence=cookies), state) == ["pool.updated"]
    http = after(a.create_listener(), a.create_pool(listener_id=a.LISTENER))
    assert types(update(session_persistence=cookies), http) == ["pool.updated"]
