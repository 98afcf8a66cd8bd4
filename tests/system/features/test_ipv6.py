"""IPv6 and additional VIPs through a real amphora, and the way that answers take. Real packets."""

import json
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actium_shared.ids import MemberId
from actium_shared.wishes import Listener, Member, PoolWish, SessionPersistence
from builders import POOL, TENANT, an_id, health_monitor, listener, member, pool, vip
from system.amphora_agent.sandbox import VIP
from system.features.lab import SILENT_S, TENANT_6, TENANT_6_PORT, VIP_6, Host, Lab, Web, vip_6
from system.namespaces import eventually
from unit.compute.wishes import TENANT_PORT

pytestmark = pytest.mark.root
BOTH = {TENANT: TENANT_PORT, TENANT_6: TENANT_6_PORT}


@pytest.fixture
def webs(lab: Lab) -> Iterator[dict[str, Web]]:
    addresses = {"m11": "10.1.0.11", "m12": "fd00:1::12", "m13": "fd00:1::13"}
    made = {name: Web(name, lab.hosts[name], address) for name, address in addresses.items()}
    yield made
    for web in made.values():
        web.stop()


@pytest.fixture
def client(lab: Lab) -> Host:
    return lab.hosts["client"]


def a_listener(**fields: Any) -> Listener:
    return listener(default_pool_id=POOL, insert_headers={"X-Forwarded-For": "true"}, **fields)


def a_pool(*members: Member, **fields: Any) -> PoolWish:
    monitor = health_monitor(type="TCP", max_retries=1, max_retries_down=1)
    return PoolWish(pool=pool(**fields), members=members, health_monitor=monitor)


def test_an_ipv6_vip_balances_ipv6_members_and_one_that_dies_is_taken_out(
    lab: Lab, client: Host, webs: dict[str, Web]
) -> None:
    members = [webs["m12"].member, webs["m13"].member]
    lab.apply(a_listener(), pools=(a_pool(*members),), vips=(vip_6(),), member_ports=BOTH)
    answers = [client.get(VIP_6).split() for _ in range(4)]
    assert sorted(name for name, *_ in answers) == ["m12", "m12", "m13", "m13"]
    assert {(seen, forwarded) for _, seen, forwarded in answers} == {("fd00:1::5", client.addresses[1])}
    webs["m12"].stop()
    eventually(lambda: [client.get(VIP_6).split()[0] for _ in range(3)] == ["m13"] * 3, deadline_s=15)


def test_a_load_balancer_with_two_vips_answers_on_both_and_each_family_reaches_either(
    lab: Lab, client: Host, webs: dict[str, Web]
) -> None:
    members = [webs["m11"].member, webs["m13"].member]
    lab.apply(a_listener(), pools=(a_pool(*members),), vips=(vip(address=VIP), vip_6()), member_ports=BOTH)
    for address in (VIP, VIP_6):
        assert {client.get(address).split()[0] for _ in range(4)} == {"m11", "m13"}
    lab.apply(a_listener(), pools=(a_pool(*members),), vips=(vip(address=VIP),), member_ports=BOTH)
    with pytest.raises(OSError, match=r"timed out|route|refused"):
        client.get(VIP_6, timeout_s=SILENT_S)
    assert client.get(VIP)


def test_persistence_and_allowed_ranges_hold_for_ipv6(lab: Lab, client: Host, webs: dict[str, Web]) -> None:
    members = [webs["m12"].member, webs["m13"].member]
    kept = a_pool(*members, session_persistence=SessionPersistence(type="SOURCE_IP"))
    lab.apply(a_listener(allowed_cidrs=("2001:db8:1::/64",)), pools=(kept,), vips=(vip_6(),), member_ports=BOTH)
    assert len({client.get(VIP_6).split()[0] for _ in range(6)}) == 1
    lab.apply(a_listener(allowed_cidrs=("2001:db8:2::/64",)), pools=(kept,), vips=(vip_6(),), member_ports=BOTH)
    with pytest.raises(OSError, match=r"reset|closed|aborted"):
        client.get(VIP_6)
    both = ("2001:db8:1::/64", "203.0.113.0/24")
    lab.apply(a_listener(allowed_cidrs=both), pools=(kept,), vips=(vip(address=VIP), vip_6()), member_ports=BOTH)
    assert client.get(VIP_6)
    assert client.get(VIP)
    with pytest.raises(OSError, match=r"reset|closed|aborted"):
        lab.hosts["far"].get(VIP)


def test_pings_reach_ipv6_members(lab: Lab, webs: dict[str, Web]) -> None:
    monitor = health_monitor(type="PING", max_retries=1, max_retries_down=1)
    gone = member(id=MemberId(an_id("gone")), address="fd00:1::99", protocol_port=80, subnet_id=TENANT_6)
    wish = PoolWish(pool=pool(), members=(webs["m12"].member, gone), health_monitor=monitor)
    lab.apply(a_listener(), pools=(wish,), vips=(vip_6(),), member_ports=BOTH)
    eventually(lambda: lab.members(POOL) == {webs["m12"].member.id: "UP", gone.id: "DOWN"}, deadline_s=15)


def test_requests_under_way_are_answered_though_their_members_subnet_is_left(
    lab: Lab, client: Host, webs: dict[str, Web]
) -> None:
    leaves, stays = webs["m11"], webs["m13"]
    lab.apply(a_listener(), pools=(a_pool(leaves.member),))
    answers: list[str] = []
    asking = [threading.Thread(target=lambda: answers.append(client.get(VIP, path="/slow"))) for _ in range(3)]
    for each in asking:
        each.start()
        assert leaves.asked.acquire(timeout=5)
    # As the planner orders it: the other card comes first, and this one goes when there was time for what is under way.
    lab.apply(a_listener(), pools=(a_pool(stays.member),), member_ports=BOTH)
    assert client.get(VIP).startswith("m13")
    leaves.released.set()
    for each in asking:
        each.join(5)
    assert [answer.split()[0] for answer in answers] == ["m11"] * 3
    assert lab.apply(a_listener(), pools=(a_pool(stays.member),), member_ports={TENANT_6: TENANT_6_PORT}) == "runtime"
    assert client.get(VIP).startswith("m13")


def test_a_new_vip_is_announced_to_neighbours_that_know_it_elsewhere(
    lab: Lab, client: Host, webs: dict[str, Web]
) -> None:
    lab.apply()
    wrong = "02:00:00:00:00:99"
    ip_json(client.namespace, "neigh", "replace", VIP_6, "lladdr", wrong, "dev", "eth0", "nud", "stale")
    lab.apply(a_listener(), pools=(a_pool(webs["m13"].member),), vips=(vip_6(),), member_ports=BOTH)

    def known_as() -> str:
        (entry,) = ip_json(client.namespace, "neigh", "show", VIP_6)
        return str(entry.get("lladdr"))

    eventually(lambda: known_as() != wrong)
    assert client.get(VIP_6).startswith("m13")


def test_nothing_that_the_amphora_says_of_itself_comes_from_a_vip(lab: Lab, webs: dict[str, Web]) -> None:
    lab.apply(a_listener(), pools=(a_pool(webs["m13"].member),), vips=(vip_6(),), member_ports=BOTH)
    (link,) = ip_json(lab.sandbox.traffic, "address", "show", "dev", "vip0")
    flags = next(info for info in link["addr_info"] if info["local"] == VIP_6)
    assert flags.get("deprecated") is True
    assert "tentative" not in flags


def test_an_http_client_in_the_members_own_range_gets_its_answers_by_the_vip(lab: Lab, webs: dict[str, Web]) -> None:
    lab.apply(a_listener(), pools=(a_pool(webs["m11"].member),))
    assert lab.hosts["far"].get(VIP).startswith("m11")


def test_rules_and_tables_go_with_what_they_were_for(lab: Lab, webs: dict[str, Web]) -> None:
    lab.apply(a_listener(), pools=(a_pool(webs["m11"].member),), vips=(vip(address=VIP), vip_6()), member_ports=BOTH)
    assert {rule["src"] for rule in rules(lab)} >= {VIP, VIP_6}
    lab.apply(a_listener(), pools=(a_pool(webs["m11"].member),))
    assert VIP_6 not in {rule["src"] for rule in rules(lab)}
    assert VIP in {rule["src"] for rule in rules(lab)}


def rules(lab: Lab) -> list[dict[str, Any]]:
    return [rule for family in ("-4", "-6") for rule in ip_json(lab.sandbox.traffic, family, "rule", "show")]


def ip_json(namespace: str, *words: str) -> Any:
    done = subprocess.run(["ip", "-json", "-n", namespace, *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout or "[]")
