"""Policies, rules, and what else is read in HTTP, in haproxy's terms: what is refused, what is left out, what the agent is told."""

from typing import Any

import pytest

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import L7PolicyId, L7RuleId, ListenerId, MemberId
from actium_shared.wishes import L7Policy, L7PolicyWish, L7Rule, PoolWish
from builders import TENANT, an_id, health_monitor, listener, member, pool
from unit.compute.wishes import PORTS, order

DRIVER = HaproxyDriver()


def lines(wish: ConfigureAmphora) -> list[str]:
    text = DRIVER.render(wish, PORTS, {}).files["haproxy.cfg"].decode()
    return [line.strip() for line in text.splitlines()]


def a_rule(**fields: Any) -> L7Rule:
    words = {"id": L7RuleId("rule"), "type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}
    return L7Rule(**(words | fields))


def a_policy(*rules: L7Rule, **fields: Any) -> L7PolicyWish:
    words = {"id": L7PolicyId("p"), "listener_id": ListenerId(an_id("listener")), "action": "REJECT", "position": 1}
    return L7PolicyWish(policy=L7Policy(**(words | fields)), rules=rules or (a_rule(),))


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        (order(policies=(a_policy(a_rule(type="WEATHER")),)), "type"),
        (order(policies=(a_policy(a_rule(compare_type="ABOUT")),)), "compare_type"),
        (order(policies=(a_policy(a_rule(value="a\nb")),)), "value"),
        (order(policies=(a_policy(a_rule(type="HEADER", key="a b")),)), "key"),
        (order(policies=(a_policy(a_rule(type="COOKIE")),)), "key"),
        (order(policies=(a_policy(a_rule(type="SSL_DN_FIELD", key="C)N")),)), "key"),
        (order(policies=(a_policy(a_rule(type="SSL_VERIFY_RESULT", value="-1")),)), "value"),
        (order(policies=(a_policy(action="DANCE"),)), "action"),
        (order(policies=(a_policy(action="REDIRECT_TO_URL"),)), "redirect_url"),
        (order(policies=(a_policy(action="REDIRECT_PREFIX", redirect_prefix="ftp://x"),)), "redirect_prefix"),
        (
            order(policies=(a_policy(action="REDIRECT_TO_URL", redirect_url="http://x", redirect_http_code=200),)),
            "code",
        ),
        (order(policies=(a_policy(),), listeners=(listener(protocol="TCP"),)), "l7policies"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(wish: ConfigureAmphora, named: str) -> None:
    with pytest.raises(RenderError, match=named):
        DRIVER.render(wish, PORTS, {})


def test_policies_of_another_listener_are_not_this_ones() -> None:
    assert not any("decided" in line for line in lines(order(policies=(a_policy(listener_id=ListenerId("other")),))))


def test_a_pool_that_only_a_policy_leads_to_is_served_once() -> None:
    target = PoolWish(pool=pool(id=an_id("target")), members=(member(),))
    policies = tuple(a_policy(position=at, action="REDIRECT_TO_POOL", redirect_pool_id=target.pool.id) for at in (1, 2))
    wish = order(PoolWish(pool=pool()), target, policies=policies)
    assert lines(wish).count(f"backend {target.pool.id}:{an_id('listener')}") == 1


def test_pings_are_left_to_the_agent_which_is_told_whom_to_ask() -> None:
    members = (
        member(subnet_id=TENANT),
        member(id=MemberId(an_id("far")), monitor_address="fd00::9", monitor_port=99),
    )
    monitor = health_monitor(type="PING", max_retries_down=1)
    bundle = DRIVER.render(order(PoolWish(pool=pool(), members=members, health_monitor=monitor)), PORTS, {})
    backend = f"{an_id('pool')}:{an_id('listener')}"
    assert bundle.files["pings"].decode().splitlines() == [
        f"{backend}/{an_id('member')} 10.1.0.10 {bundle.interfaces[1].name}",
        f"{backend}/{an_id('far')} fd00::9 -",
    ]
    servers = [line for line in bundle.files["haproxy.cfg"].decode().splitlines() if "    server " in line]
    assert all(line.endswith("check inter 1s fall 2 rise 2 addr unix@/run/amphora/ping.sock") for line in servers)


def test_a_monitor_may_say_0_and_haproxy_gets_a_second() -> None:
    wish = order(PoolWish(pool=pool(), members=(member(),), health_monitor=health_monitor(delay_s=0, timeout_s=0)))
    assert "timeout check 1s" in lines(wish)
    assert any("inter 1s" in line for line in lines(wish))


def test_udp_is_not_haproxys() -> None:
    assert DRIVER.secrets_of(order(listeners=(listener(protocol="UDP"),))) == set()
    assert "haproxy.cfg" not in DRIVER.render(order(listeners=(listener(protocol="UDP"),)), PORTS, {}).files


def test_figures_are_told_only_where_a_listener_asks_for_them() -> None:
    metrics = listener(id=ListenerId(an_id("metrics")), protocol="PROMETHEUS", protocol_port=9100)
    assert "frontend _exporter" in lines(order(listeners=(metrics,)))
    assert "frontend _exporter" not in lines(order())


def test_rules_look_at_what_the_client_sent_and_not_at_what_is_inserted() -> None:
    wish = order(policies=(a_policy(),), listeners=(listener(insert_headers={"X-Forwarded-Proto": "true"}),))
    said = lines(wish)
    inserted = next(number for number, line in enumerate(said) if "set-header X-Forwarded-Proto" in line)
    decided = [number for number, line in enumerate(said) if "txn.policy" in line and "use_backend" not in line]
    assert inserted > max(decided)
