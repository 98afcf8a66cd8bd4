"""What the haproxy driver writes: the right directives for a wish, and never one that a user's text put there."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.ports import Secret
from actium_shared.commands.compute import ConfigureAmphora, Peer
from actium_shared.ids import AmphoraId, L7PolicyId, L7RuleId, ListenerId, MemberId, PortId, SecretRef
from actium_shared.wishes import L7Policy, L7PolicyWish, L7Rule, PoolWish, SessionPersistence
from builders import PUBLIC, TENANT, an_id, health_monitor, listener, member, pool
from unit.compute.wishes import PORTS, TENANT_PORT, VIP_PORT, order, with_members

DRIVER = HaproxyDriver()
OTHER_AMPHORA = AmphoraId(an_id("other amphora"))
SECRET = Secret(certificate_pem=b"C\n", private_key_pem=b"K\n", intermediates_pem=b"I\n", ca_pem=b"A\n", crl_pem=b"R\n")


def lines(wish: ConfigureAmphora) -> list[str]:
    secrets = dict.fromkeys(DRIVER.secrets_of(wish), SECRET)
    text = DRIVER.render(wish, PORTS, secrets).files["haproxy.cfg"].decode()
    return [line.strip() for line in text.splitlines() if line.strip()]


def words(line: str) -> list[str]:
    """Split as haproxy does: strong quotes keep everything, a backslash outside of them takes one character."""
    return re.findall(r"(?:'[^']*'|\\.|[^\s'\\])+", line)


def test_a_listener_binds_every_vip_and_uses_its_pool() -> None:
    extra = order().load_balancers[0].load_balancer.vip
    found = lines(order(balancer={"additional_vips": (extra.__class__(**{**_fields(extra), "address": "fd00::1"}),)}))
    assert "bind 203.0.113.100:80" in found
    assert "bind [fd00::1]:80" in found
    assert f"default_backend {an_id('pool')}:{an_id('listener')}" in found


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def test_without_listeners_there_is_no_haproxy() -> None:
    assert DRIVER.render(order(listeners=()), PORTS, {}).files == {}


def test_what_is_administratively_down_is_not_served() -> None:
    assert DRIVER.render(order(balancer={"admin_state_up": False}), PORTS, {}).files == {}
    assert DRIVER.render(order(listeners=(listener(admin_state_up=False),)), PORTS, {}).files == {}
    assert not any("backend" in line for line in lines(order(PoolWish(pool=pool(admin_state_up=False)))))


def test_a_tcp_listener_without_a_pool_hangs_up() -> None:
    assert "tcp-request connection reject" in lines(order(listeners=(listener(protocol="TCP"),)))


def test_members_are_disabled_drained_and_held_in_reserve_as_wished() -> None:
    ids = [MemberId(an_id(name)) for name in "abc"]
    found = lines(
        with_members(
            member(id=ids[0], admin_state_up=False), member(id=ids[1], weight=0), member(id=ids[2], backup=True)
        )
    )
    servers = [line for line in found if line.startswith("server ")]
    assert servers[0].endswith(" disabled")
    assert " weight 0 " in servers[1]
    assert " backup " in servers[2]


def test_a_member_with_a_subnet_leaves_by_the_interface_that_leads_there() -> None:
    bundle = DRIVER.render(with_members(member(subnet_id=TENANT)), PORTS, {})
    vip, tenant = bundle.interfaces
    assert f"source 0.0.0.0 interface {tenant.name}".encode() in bundle.files["haproxy.cfg"]
    assert (vip.name, vip.addresses, vip.vips, vip.gateway) == (
        "vip0",
        ("203.0.113.101/24",),
        ("203.0.113.100/32",),
        "203.0.113.1",
    )
    assert (tenant.addresses, tenant.gateway) == (("10.1.0.5/24",), None)
    assert vip.metric < tenant.metric


def test_a_member_in_the_vips_subnet_needs_no_port_of_its_own() -> None:
    assert any("interface vip0" in line for line in lines(with_members(member(subnet_id=PUBLIC))))


def test_a_member_without_a_subnet_leaves_by_the_default_gateway() -> None:
    assert not any("interface" in line for line in lines(with_members(member())))


def test_an_interface_keeps_its_name_when_others_come_and_go() -> None:
    alone = DRIVER.render(order(member_ports={TENANT: TENANT_PORT}), PORTS, {}).interfaces[1]
    together = DRIVER.render(order(member_ports={TENANT: TENANT_PORT, "0": VIP_PORT}), PORTS, {}).interfaces
    assert alone in together


def test_without_a_monitor_nothing_is_checked() -> None:
    found = lines(order(PoolWish(pool=pool(), members=(member(),))))
    assert not any("check" in line for line in found)


def test_an_http_monitor_asks_what_it_was_told() -> None:
    monitor = health_monitor(
        delay_s=5, timeout_s=3, max_retries=2, max_retries_down=4, url_path="/it's", expected_codes="200, 202-204",
        http_version=1.1, domain_name="example.com", http_method="HEAD",
    )  # fmt: skip
    found = lines(order(PoolWish(pool=pool(), members=(member(monitor_port=99),), health_monitor=monitor)))
    assert "http-check send meth HEAD uri '/it'\\''s' ver HTTP/1.1 hdr Host example.com" in found
    assert "http-check expect status 200,202-204" in found
    assert "timeout check 3s" in found
    assert any(line.endswith("check inter 5s fall 4 rise 2 port 99") for line in found)


def test_replaced_workers_end_and_a_reload_forgets_no_dead_member() -> None:
    found = lines(order())
    assert "hard-stop-after 1800s" in found
    assert "mworker-max-reloads 40" in found
    assert {"server-state-file /run/amphora/haproxy.state", "load-server-state-from-file global"} <= set(found)


def test_limits_are_what_haproxy_can_count() -> None:
    found = lines(order(listeners=(listener(connection_limit=7, timeout_client_data_ms=31_536_000_000),)))
    assert "maxconn 7" in found
    assert "timeout client 2073600000" in found
    assert "inspect-delay" not in " ".join(found)
    assert "timeout client 2073600000" in lines(order(listeners=(listener(timeout_client_data_ms=0),)))


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        (order(listeners=(listener(protocol="SCTP"),)), "protocol"),
        (order(listeners=(listener(insert_headers={"X-Other": "true"}),)), "X-Other"),
        (order(listeners=(listener(allowed_cidrs=("everyone",)),)), "allowed_cidrs"),
        (order(role="KING"), "role"),
        (order(role="MASTER", peers=(Peer(amphora_id=OTHER_AMPHORA, vip_port_id=PortId("nowhere")),)), "nowhere"),
        (order(vip_port_id="no-such-port"), "no-such-port"),
        (with_members(member(address="a b")), "address"),
        (with_members(member(address="0.0.0.0")), "address"),
        (with_members(member(monitor_address="::")), "monitor_address"),
        (with_members(member(subnet_id="elsewhere")), "elsewhere"),
        (with_members(lb_algorithm="RANDOM"), "lb_algorithm"),
        (with_members(session_persistence=SessionPersistence(type="APP_COOKIE")), "cookie_name"),
        (order(PoolWish(pool=pool(), health_monitor=health_monitor(type="SCTP"))), "type"),
        (order(PoolWish(pool=pool(), health_monitor=health_monitor(url_path="/" + 5000 * "x"))), "url_path"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(wish: ConfigureAmphora, named: str) -> None:
    with pytest.raises(RenderError, match=named):
        DRIVER.render(wish, PORTS, {})


def test_names_and_descriptions_never_reach_haproxy() -> None:
    named = order(
        PoolWish(pool=pool(name="NAMED", description="NAMED", tags=("NAMED",)), members=(member(name="NAMED"),)),
        listeners=(listener(name="NAMED", description="NAMED", default_pool_id=an_id("pool")),),
        balancer={"name": "NAMED"},
    )
    assert not any("NAMED" in line for line in lines(named))


def test_the_digest_is_of_the_content_and_not_of_the_number() -> None:
    one, two = DRIVER.render(order(), PORTS, {}), DRIVER.render(order(bundle=2), PORTS, {})
    assert (one.digest, one.bundle, two.bundle) == (two.digest, 1, 2)
    assert DRIVER.render(with_members(member(weight=2)), PORTS, {}).digest != one.digest


ANYTHING = st.text(max_size=60) | st.sampled_from(
    [
        "'",
        "\\",
        "/\n  bind :1",
        "/ uri x",
        '"',
        "/'\n",
        "$HOME",
        "%[env(HOME)]",
        "200\nstats enable",
        "a b",
        "\x00",
        "#",
    ]
)
PATHS = ANYTHING.map(lambda text: "/" + text)
URLS = ANYTHING.map(lambda text: "https://" + text)
BENIGN: dict[str, str] = {
    "url_path": "/x", "domain_name": "x", "expected_codes": "200", "http_method": "GET", "cookie_name": "x",
    "address": "10.0.0.1", "monitor_address": "10.0.0.2", "cidr": "10.0.0.0/8", "id": "x", "header": "true",
    "reference": "x", "ciphers": "x", "version": "TLSv1.2", "alpn": "h2", "authentication": "OPTIONAL",
    "rule_id": "x", "rule_key": "x", "rule_value": "x", "rule_compare": "EQUAL_TO", "url": "http://x", "prefix": "http://x",
}  # fmt: skip


def wish_of(text: dict[str, str]) -> ConfigureAmphora:
    monitor = health_monitor(
        **{name: text[name] for name in ("url_path", "domain_name", "expected_codes", "http_method")}
    )
    persistence = SessionPersistence(type="APP_COOKIE", cookie_name=text["cookie_name"])
    the_member = member(id=text["id"], address=text["address"], monitor_address=text["monitor_address"])
    tls = {"tls_ciphers": text["ciphers"], "tls_versions": (text["version"],), "alpn_protocols": (text["alpn"],)}
    reference = SecretRef(text["reference"] + "-")
    the_pool = pool(session_persistence=persistence, tls_enabled=True, ca_tls_container_ref=reference, **tls)
    the_listener = listener(
        id=ListenerId(an_id("l")),
        protocol="TERMINATED_HTTPS",
        default_pool_id=an_id("pool"),
        allowed_cidrs=(text["cidr"],),
        insert_headers={"X-Forwarded-For": text["header"]},
        default_tls_container_ref=reference,
        client_ca_tls_container_ref=reference,
        client_authentication=text["authentication"],
        hsts_max_age_s=1,
        **tls,
    )
    wish = PoolWish(pool=the_pool, members=(the_member,), health_monitor=monitor)
    return order(wish, listeners=(the_listener,), policies=policies_of(text))


def policies_of(text: dict[str, str]) -> tuple[L7PolicyWish, ...]:
    rules = tuple(
        L7Rule(
            id=L7RuleId(text["rule_id"]),
            type=kind,
            compare_type=text["rule_compare"],
            key=text["rule_key"],
            value=text["rule_value"],
        )
        for kind in ("HOST_NAME", "PATH", "FILE_TYPE", "HEADER", "COOKIE", "SSL_DN_FIELD")
    )
    actions = {"REDIRECT_TO_URL": {"redirect_url": text["url"]}, "REDIRECT_PREFIX": {"redirect_prefix": text["prefix"]}}
    return tuple(
        L7PolicyWish(
            policy=L7Policy(
                id=L7PolicyId(action), listener_id=ListenerId(an_id("l")), action=action, position=at, **fields
            ),
            rules=rules,
        )
        for at, (action, fields) in enumerate(actions.items(), 1)
    )


@given(
    st.dictionaries(st.sampled_from(sorted(BENIGN)), ANYTHING | PATHS | URLS, min_size=1).map(
        lambda hostile: BENIGN | hostile
    )
)
def test_no_text_adds_a_line_or_a_word(text: dict[str, str]) -> None:
    try:
        found = lines(wish_of(text))
    except RenderError:
        return
    # An empty optional text means that there is none.
    expected = lines(wish_of({name: text[name] and BENIGN[name] for name in BENIGN} | {"header": text["header"]}))
    if text["header"].lower() != "true":
        expected = [line for line in expected if line != "option forwardfor"]
    assert [(words(line)[0], len(words(line))) for line in found] == [
        (words(line)[0], len(words(line))) for line in expected
    ]


@given(PATHS)
def test_a_path_arrives_as_it_was_written_or_not_at_all(path: str) -> None:
    monitor = health_monitor(url_path=path)
    try:
        found = lines(order(PoolWish(pool=pool(), members=(member(),), health_monitor=monitor)))
    except RenderError:
        return
    (send,) = [line for line in found if line.startswith("http-check send")]
    assert words(send)[5].replace("'\\''", "\0").replace("'", "").replace("\0", "'") == path
