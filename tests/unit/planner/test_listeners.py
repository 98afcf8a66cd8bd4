"""Listeners: what is allowed beside what, and what happens then."""

from typing import Any

import pytest

import builders as a
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.ids import ListenerId, PoolId, SecretRef
from actium_shared.message import Reason
from unit.planner.lives import after, happens, types, why

OTHER = ListenerId(a.an_id("other"))
CERTIFICATE = SecretRef("certificate")
AUTHORITY = SecretRef("authority")
TERMINATED: dict[str, Any] = {"protocol": "TERMINATED_HTTPS", "default_tls_container_ref": CERTIFICATE}


def update(**changes: Any) -> commands.UpdateListener:
    return commands.UpdateListener(
        load_balancer_id=a.LB, listener_id=a.LISTENER, changes=commands.ListenerChanges(**changes)
    )


DELETE = commands.DeleteListener(load_balancer_id=a.LB, listener_id=a.LISTENER)


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS", "TCP", "UDP", "PROMETHEUS"])
def test_a_listener_of_every_protocol_is_created(protocol: str) -> None:
    (happened,) = happens(a.create_listener(protocol=protocol), after())
    assert happened == events.ListenerCreated(
        load_balancer_id=a.LB, generation=2, listener=a.listener(protocol=protocol)
    )


def test_the_same_create_again_changes_nothing() -> None:
    assert happens(a.create_listener(), after(a.create_listener())) == []


def test_sctp_is_refused_with_its_cause() -> None:
    assert why(a.create_listener(protocol="SCTP"), after()) == (Reason.UNSUPPORTED, "protocol")


def test_what_no_amphora_speaks_is_refused_unless_there_is_something_else_to_speak() -> None:
    alone, beside = (a.create_listener(**TERMINATED, tls_versions=each) for each in (("SSLv3",), ("SSLv3", "TLSv1.2")))
    assert why(alone, after()) == (Reason.UNSUPPORTED, "tls_versions")
    assert types(beside, after()) == ["listener.created"]


@pytest.mark.parametrize("protocol", ["TCP", "HTTPS", "PROMETHEUS"])
def test_two_listeners_cannot_share_a_port(protocol: str) -> None:
    state = after(a.create_listener(protocol="HTTP"))
    assert why(a.create_listener(id=OTHER, protocol=protocol), state) == (Reason.CONFLICT, "protocol_port")


def test_udp_has_ports_of_its_own() -> None:
    assert types(a.create_listener(id=OTHER, protocol="UDP"), after(a.create_listener())) == ["listener.created"]


def test_an_update_does_not_clash_with_itself() -> None:
    assert types(update(connection_limit=5), after(a.create_listener())) == ["listener.updated"]


def test_an_update_that_says_what_is_true_changes_nothing() -> None:
    assert happens(update(connection_limit=-1), after(a.create_listener())) == []


@pytest.mark.parametrize("command", [update(name="x"), DELETE])
def test_what_does_not_exist_is_not_found(command: commands.LoadBalancerCommand) -> None:
    assert why(command, after())[0] is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("listener", "pool", "allowed"),
    [
        ("TCP", "HTTPS", True),
        ("HTTP", "PROXYV2", True),
        ("HTTPS", "TCP", True),
        ("UDP", "UDP", True),
        ("HTTP", "TCP", False),
        ("HTTPS", "HTTP", False),
        ("UDP", "TCP", False),
        ("TCP", "UDP", False),
        ("PROMETHEUS", "HTTP", False),
    ],
)
def test_the_default_pool_fits_the_listener(listener: str, pool: str, allowed: bool) -> None:
    state = after(a.create_pool(protocol=pool))
    command = a.create_listener(protocol=listener, default_pool_id=a.POOL)
    if allowed:
        assert types(command, state) == ["listener.created"]
    else:
        assert why(command, state)[0] is Reason.INVALID


def test_a_default_pool_that_does_not_exist_is_not_found() -> None:
    assert why(a.create_listener(default_pool_id=PoolId("x")), after())[0] is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"protocol": "TERMINATED_HTTPS"}, "default_tls_container_ref"),
        ({"default_tls_container_ref": CERTIFICATE}, "default_tls_container_ref"),
        ({"protocol": "UDP", "sni_container_refs": (CERTIFICATE,)}, "sni_container_refs"),
        ({"protocol": "HTTPS", "client_ca_tls_container_ref": AUTHORITY}, "client_ca_tls_container_ref"),
        (TERMINATED | {"client_authentication": "MANDATORY"}, "client_ca_tls_container_ref"),
        (TERMINATED | {"client_crl_container_ref": "crl"}, "client_ca_tls_container_ref"),
        ({"protocol": "PROMETHEUS", "client_ca_tls_container_ref": AUTHORITY}, "default_tls_container_ref"),
        (TERMINATED | {"client_authentication": "PERHAPS"}, "client_authentication"),
        (TERMINATED | {"tls_ciphers": "AES\n128"}, "tls_ciphers"),
        (TERMINATED | {"tls_versions": ("TLSv9",)}, "tls_versions"),
        (TERMINATED | {"alpn_protocols": ("spdy",)}, "alpn_protocols"),
        ({"hsts_max_age_s": 5}, "hsts_max_age"),
        (TERMINATED | {"hsts_preload": True}, "hsts_max_age"),
        ({"protocol": "TCP", "insert_headers": {"X-Forwarded-For": "true"}}, "insert_headers"),
        ({"insert_headers": {"X-SSL-Client-DN": "true"}}, "insert_headers"),
        (TERMINATED | {"insert_headers": {"X-Mine\r\n": "true"}}, "insert_headers"),
        ({"allowed_cidrs": ("2001:db8::/32",)}, "allowed_cidrs"),
        ({"allowed_cidrs": ("everybody",)}, "allowed_cidrs"),
        ({"protocol_port": 0}, "protocol_port"),
        ({"connection_limit": -2}, "connection_limit"),
        ({"timeout_member_data_ms": -1}, "timeout_member_data"),
        ({"protocol": "GOPHER"}, "protocol"),
    ],
)
def test_settings_that_the_protocol_does_not_allow_are_named(fields: dict[str, Any], field: str) -> None:
    assert why(a.create_listener(**fields), after()) == (Reason.INVALID, field)


@pytest.mark.parametrize(
    "fields",
    [
        TERMINATED,
        {"protocol": "TERMINATED_HTTPS", "sni_container_refs": (CERTIFICATE,)},
        TERMINATED | {"client_ca_tls_container_ref": AUTHORITY, "client_authentication": "OPTIONAL"},
        TERMINATED | {"hsts_max_age_s": 1, "hsts_preload": True, "insert_headers": {"X-SSL-Client-DN": "true"}},
        {"protocol": "PROMETHEUS", "default_tls_container_ref": CERTIFICATE},
        {"allowed_cidrs": ("0.0.0.0/0",)},
        {"tls_versions": ("TLSv9",)},  # without TLS nothing reads them
    ],
)
def test_settings_that_fit_are_taken(fields: dict[str, Any]) -> None:
    assert types(a.create_listener(**fields), after()) == ["listener.created"]


def test_an_update_is_judged_together_with_what_stays() -> None:
    state = after(
        a.create_listener(
            **TERMINATED, client_ca_tls_container_ref=AUTHORITY, client_authentication="MANDATORY", hsts_max_age_s=1
        )
    )
    invalid = [
        (update(default_tls_container_ref=None), "default_tls_container_ref"),
        (update(client_ca_tls_container_ref=None), "client_ca_tls_container_ref"),
        (update(hsts_max_age_s=None, hsts_preload=True), "hsts_max_age"),
    ]
    assert [why(command, state) for command, _ in invalid] == [(Reason.INVALID, field) for _, field in invalid]
    both = update(client_ca_tls_container_ref=None, client_authentication="NONE")
    assert types(both, state) == ["listener.updated"]


def test_an_additional_address_brings_its_family() -> None:
    second = a.vip(address="2001:db8::5", subnet_id=a.TENANT)
    state = after(additional_vips=(second,))
    assert types(a.create_listener(allowed_cidrs=("2001:db8::/32", "10.0.0.0/8")), state) == ["listener.created"]


def test_security_groups_and_allowed_cidrs_exclude_each_other() -> None:
    grouped = after(vip_sg_ids=("group",))
    assert why(a.create_listener(allowed_cidrs=("10.0.0.0/8",)), grouped) == (Reason.INVALID, "allowed_cidrs")
    limited = after(a.create_listener(allowed_cidrs=("10.0.0.0/8",)))
    grouping = commands.UpdateLoadBalancer(
        load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(vip_sg_ids=("group",))
    )
    assert why(grouping, limited) == (Reason.INVALID, "vip_sg_ids")


def test_a_removed_listener_takes_its_policies_with_it() -> None:
    state = after(
        a.create_listener(), a.create_pool(), a.create_l7_policy(action="REDIRECT_TO_POOL", redirect_pool_id=a.POOL)
    )
    assert types(DELETE, state) == ["listener.removed"]
    left = after(
        a.create_listener(),
        a.create_pool(),
        a.create_l7_policy(action="REDIRECT_TO_POOL", redirect_pool_id=a.POOL),
        DELETE,
    )
    assert (dict(left.listeners), dict(left.l7_policies), left.wish().l7_policies) == ({}, {}, ())
    delete_pool = commands.DeletePool(load_balancer_id=a.LB, pool_id=a.POOL)
    assert types(delete_pool, left) == ["pool.removed"]
