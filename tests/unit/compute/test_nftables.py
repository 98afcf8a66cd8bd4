"""What the kernel is told of UDP: the model, the rules, and that nothing a user writes can add to them."""

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import HaproxyDriver, interfaces
from actium_compute.amphora_drivers.haproxy.datagrams import TABLE_SHIFT, Datagrams, datagrams
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import ListenerId, MemberId, SubnetId
from actium_shared.wishes import Listener, PoolWish, SessionPersistence
from builders import LISTENER, POOL, TENANT, an_id, health_monitor, listener, member, pool, vip
from unit.compute.wishes import PORTS, order

VIP_6 = vip(address="2001:db8::5", prefix_length=64, subnet_id=SubnetId("six"), gateway="2001:db8::1")
OTHER = MemberId(an_id("other"))
LINE = re.compile(r"add (table|chain|map|set|counter|rule) inet actium_udp( .*)?", re.ASCII)


def udp_listener(**fields: Any) -> Listener:
    given_fields = {"protocol": "UDP", "protocol_port": 53, "default_pool_id": POOL}
    return listener(**(given_fields | fields))


def udp_pool(*members: Any, monitor: Any = None, **fields: Any) -> PoolWish:
    members = members or (member(subnet_id=TENANT),)
    return PoolWish(pool=pool(protocol="UDP", **fields), members=members, health_monitor=monitor)


def udp(*members: Any, listener_fields: dict[str, Any] | None = None, dual: bool = False, **fields: Any) -> Any:
    balancer = {"additional_vips": (VIP_6,)} if dual else {}
    return order(udp_pool(*members, **fields), listeners=(udp_listener(**(listener_fields or {})),), balancer=balancer)


def model(wish: ConfigureAmphora) -> Datagrams:
    return datagrams(wish, interfaces.plumb(wish, PORTS))


def files(wish: ConfigureAmphora) -> dict[str, str]:
    return {name: content.decode() for name, content in HaproxyDriver().render(wish, PORTS, {}).files.items()}


def rules(wish: ConfigureAmphora) -> str:
    return files(wish)["nftables.rules"]


def test_what_is_udp_is_none_of_haproxys_business() -> None:
    assert files(udp()).keys() == {"nftables.rules", "checks.json"}
    assert "nftables.rules" not in files(order())


def test_every_line_adds_to_one_table() -> None:
    lines = rules(udp(dual=True)).splitlines()
    assert lines[0] == "add table inet actium_udp"
    assert [line for line in lines if not LINE.fullmatch(line)] == []


def test_each_family_of_vips_has_its_branch_and_the_members_of_its_kind() -> None:
    four, six = model(udp(member(), member(id=OTHER, address="fd00::1"), dual=True)).branches
    assert (four.family, [target.address for target in four.targets]) == (4, ["10.1.0.10"])
    assert (six.family, [target.address for target in six.targets]) == (6, ["fd00::1"])


def test_a_flow_carries_the_table_of_its_members_card_and_a_number_that_stays() -> None:
    wish = udp(member(subnet_id=TENANT), member(id=OTHER, address="10.9.0.1"))
    plugged, routed = model(wish).branches[0].targets
    table = next(card.routes[0].table for card in interfaces.plumb(wish, PORTS).interfaces if card.name != "vip0")
    assert plugged.mark >> TABLE_SHIFT == table
    assert routed.mark >> TABLE_SHIFT == 0
    (alone,) = model(udp(member(id=OTHER, address="10.9.0.1"))).branches[0].targets
    assert alone.mark == routed.mark


def test_marks_differ_between_members_and_between_listeners_of_one_pool() -> None:
    members = tuple(member(id=MemberId(an_id(str(number)))) for number in range(200))
    second = udp_listener(id=ListenerId(an_id("second")), protocol_port=54)
    branches = model(order(udp_pool(*members), listeners=(udp_listener(), second))).branches
    marks = [target.mark for branch in branches for target in branch.targets]
    assert len(set(marks)) == len(marks) == 400


@pytest.mark.parametrize(
    ("algorithm", "select"),
    [("ROUND_ROBIN", "inc"), ("LEAST_CONNECTIONS", "inc"), ("SOURCE_IP", "source"), ("SOURCE_IP_PORT", "source-port")],
)
def test_algorithms_become_selections(algorithm: str, select: str) -> None:
    assert model(udp(lb_algorithm=algorithm)).branches[0].select == select


def test_nobody_of_a_family_that_is_not_allowed_gets_in_and_overlaps_are_joined() -> None:
    said = rules(udp(dual=True, listener_fields={"allowed_cidrs": ("10.0.0.0/8", "10.1.0.0/16")}))
    assert f"rule inet actium_udp arrive-{LISTENER}-4 ip saddr != {{ 10.0.0.0/8 }} drop" in said
    assert f"rule inet actium_udp arrive-{LISTENER}-6 drop" in said


def test_persistence_remembers_the_part_of_the_address_that_is_asked_for() -> None:
    kept = SessionPersistence(type="SOURCE_IP", persistence_timeout_s=100, persistence_granularity="255.255.255.0")
    said = rules(udp(dual=True, session_persistence=kept))
    assert "ip saddr & 255.255.255.0 map @sticky-" in said
    assert "ip6 saddr & ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff map @sticky-" in said
    assert "timeout 100s" in said


def test_what_is_down_is_not_rendered_or_told_as_such() -> None:
    assert files(udp(listener_fields={"admin_state_up": False})) == {}
    assert files(order(udp_pool(), listeners=(udp_listener(),), balancer={"admin_state_up": False})) == {}
    assert model(udp(admin_state_up=False)).branches[0].targets == ()
    draining, off = member(weight=0), member(id=OTHER, admin_state_up=False)
    told = model(udp(draining, off, monitor=health_monitor(type="TCP")))
    assert told.pools[POOL] == {draining.id: "DRAIN", off.id: "MAINT"}
    assert [check.member for check in told.checks] == [draining.id]
    assert [target.member for target in told.branches[0].targets] == [draining.id]


def test_checks_are_told_with_address_port_and_card() -> None:
    monitor = health_monitor(
        type="HTTP", url_path="/ok", http_version=1.1, domain_name="example.com", expected_codes="200,202-204"
    )
    wish = udp(member(subnet_id=TENANT, monitor_address="10.1.0.99", monitor_port=8080), monitor=monitor)
    (check,) = json.loads(files(wish)["checks.json"])["checks"]
    assert (check["kind"], check["address"], check["port"]) == ("HTTP", "10.1.0.99", 8080)
    assert check["interface"].startswith("net")
    assert check["request"] == {
        "text": "GET /ok HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
        "expected": [[200, 200], [202, 204]],
    }


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        (udp(member(address="fe80::1%eth0 ; flush ruleset")), "address"),
        (udp(member(subnet_id="elsewhere")), "elsewhere"),
        (udp(lb_algorithm="RANDOM"), "lb_algorithm"),
        (udp(session_persistence=SessionPersistence(type="HTTP_COOKIE")), "session_persistence"),
        (udp(monitor=health_monitor(type="HTTPS")), "type"),
        (udp(monitor=health_monitor(type="HTTP", http_method="GET / HTTP/1.0\r\n")), "http_method"),
        (udp(monitor=health_monitor(type="HTTP", url_path="/ \r\nX: y")), "url_path"),
        (udp(listener_fields={"id": ListenerId("a; flush ruleset")}), "listener"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(wish: ConfigureAmphora, named: str) -> None:
    with pytest.raises(RenderError, match=named):
        files(wish)


text = st.text(alphabet=string.printable + "äß\u2028\x85", max_size=30)
number = st.integers(-1, 2**31)


@given(
    name=text, address=text, cidr=text, granularity=text, path=text, host=text, codes=text, method=text, limit=number,
    timeout_s=number, weight=st.integers(0, 256),
)  # fmt: skip
def test_no_text_of_a_users_adds_a_line_or_a_word(**given_fields: Any) -> None:
    monitor = health_monitor(
        type="HTTP",
        url_path=given_fields["path"],
        domain_name=given_fields["host"],
        expected_codes=given_fields["codes"],
        http_method=given_fields["method"],
    )
    kept = SessionPersistence(
        type="SOURCE_IP",
        persistence_granularity=given_fields["granularity"],
        persistence_timeout_s=given_fields["timeout_s"],
    )
    plain = udp(member(weight=given_fields["weight"]), session_persistence=SessionPersistence(type="SOURCE_IP"))
    for changed in (
        {"session_persistence": kept},
        {"monitor": monitor, "name": given_fields["name"]},
        {"listener_fields": {"allowed_cidrs": (given_fields["cidr"],), "connection_limit": given_fields["limit"]}},
    ):
        try:
            said = rules(udp(member(weight=given_fields["weight"]), **changed))
        except RenderError:
            continue
        assert all(LINE.fullmatch(line) for line in said.splitlines())
        assert said.count("\n") <= rules(plain).count("\n") + 3
    with pytest.raises(RenderError):
        rules(udp(member(address=given_fields["address"] + ";")))
