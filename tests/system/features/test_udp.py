"""UDP through a real amphora: who gets a datagram, what clients and members see, what survives. Real packets."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actium_shared.ids import HealthMonitorId, ListenerId, MemberId
from actium_shared.wishes import HealthMonitor, Listener, Member, PoolWish, SessionPersistence
from builders import POOL, TENANT, an_id, health_monitor, listener, pool, vip
from system.amphora_agent.sandbox import VIP
from system.features.lab import (
    REFUSED,
    SILENCE,
    SILENT_S,
    TENANT_6,
    TENANT_6_PORT,
    Echo,
    Host,
    Lab,
    Web,
    a_lab,
    said,
    the_member,
    vip_6,
)
from system.namespaces import eventually, ip
from unit.compute.wishes import TENANT_PORT

pytestmark = pytest.mark.root


@pytest.fixture(scope="module", autouse=True)
def bereft(tmp_path_factory: pytest.TempPathFactory, amphora_image: Path) -> Iterator[Lab]:
    """An amphora of its own, of whose members one has lost its cable: the kernel takes its time to find that out."""
    with a_lab(tmp_path_factory.mktemp("bereft") / "amphora", amphora_image) as lab:
        echoes = [Echo(lab.hosts[name], name) for name in ("m11", "m12")]
        ports = {TENANT: TENANT_PORT, TENANT_6: TENANT_6_PORT}
        members = (
            *(the_member(echo) for echo in echoes),
            the_member(echoes[0], TENANT_6, address="fd00:1::11", id=MemberId(an_id("six"))),
        )
        vips = (vip(address=VIP), vip_6())
        balanced(lab, *members, vips=vips, member_ports=ports, monitor=a_monitor(delay_s=3))
        # The kernel has to know where it is, or it would know at once that it is nowhere.
        eventually(lambda: echoes[0].heard_at == set(echoes[0].host.addresses), deadline_s=15)
        lab.link("m11", "down")
        yield lab
        for echo in echoes:
            echo.stop()


@pytest.fixture
def echoes(lab: Lab) -> Iterator[dict[str, Echo]]:
    made = {name: Echo(lab.hosts[name], name) for name in ("m11", "m12", "m13")}
    yield made
    for echo in made.values():
        echo.stop()


@pytest.fixture
def client(lab: Lab) -> Host:
    return lab.hosts["client"]


def balanced(lab: Lab, *members: Member, monitor: HealthMonitor | None = None, **fields: Any) -> str:
    on_listener = {name: fields.pop(name) for name in ("allowed_cidrs", "connection_limit") if name in fields}
    vips = fields.pop("vips", ())
    ports = fields.pop("member_ports", None)
    wish = PoolWish(pool=pool(protocol="UDP", **fields), members=members, health_monitor=monitor)
    return lab.apply(a_listener(**on_listener), pools=(wish,), vips=vips, member_ports=ports)


def a_listener(**fields: Any) -> Listener:
    given = {"protocol": "UDP", "protocol_port": 53, "default_pool_id": POOL}
    return listener(**(given | fields))


def a_monitor(**fields: Any) -> HealthMonitor:
    given = {"type": "UDP-CONNECT", "delay_s": 1, "timeout_s": 1, "max_retries": 1, "max_retries_down": 1}
    return health_monitor(**(given | fields))


def names(client: Host, count: int, address: str = VIP) -> Counter[str]:
    return Counter(client.ask(address).split()[0] for _ in range(count))


def test_round_robin_follows_the_weights_and_members_see_the_amphora(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"], weight=3), the_member(echoes["m12"], weight=1))
    assert names(client, 12) == {"m11": 9, "m12": 3}
    assert client.ask(VIP).split()[1] == "10.1.0.5"
    assert balanced(lab, the_member(echoes["m11"], weight=0), the_member(echoes["m12"])) == "runtime"
    assert names(client, 6) == {"m12": 6}


def test_a_socket_stays_with_its_member_and_moves_when_that_is_removed(lab: Lab, client: Host, echoes: Any) -> None:
    both = [the_member(echoes[name]) for name in ("m11", "m12")]
    balanced(lab, *both)
    with client.speaker(VIP) as link:
        first = said(link).split()[0]
        assert {said(link).split()[0] for _ in range(5)} == {first}
        other = next(one for one in both if one.id != an_id(first))
        balanced(lab, other)
        assert said(link).split()[0] != first


def test_source_ip_keeps_a_client_and_source_port_spreads_it(lab: Lab, client: Host, echoes: Any) -> None:
    members = [the_member(echo) for echo in echoes.values()]
    balanced(lab, *members, lb_algorithm="SOURCE_IP")
    assert len(names(client, 10)) == 1
    balanced(lab, *members, lb_algorithm="SOURCE_IP_PORT")
    assert len(names(client, 40)) == 3
    source = (client.addresses[0], 40_001)
    assert len({client.ask(VIP, source=source).split()[0] for _ in range(4)}) == 1


def test_persistence_keeps_a_client_over_a_new_configuration_until_its_member_is_gone(
    lab: Lab, client: Host, echoes: Any
) -> None:
    members = [the_member(echo) for echo in echoes.values()]
    kept = SessionPersistence(type="SOURCE_IP", persistence_timeout_s=100, persistence_granularity="255.255.255.0")
    balanced(lab, *members, session_persistence=kept)
    (mine,) = names(client, 8)
    balanced(lab, *members[::-1], session_persistence=kept, name="renamed")
    assert names(client, 8) == {mine: 8}
    left = [one for one in members if one.id != an_id(mine)]
    balanced(lab, *left, session_persistence=kept)
    (now,) = names(client, 8)
    assert now != mine


def test_a_draining_member_keeps_the_clients_that_it_has(lab: Lab, client: Host, echoes: Any) -> None:
    kept = SessionPersistence(type="SOURCE_IP", persistence_timeout_s=100)
    members = [the_member(echoes[name]) for name in ("m11", "m12")]
    balanced(lab, *members, session_persistence=kept)
    (mine,) = names(client, 4)
    left = [one if one.id != an_id(mine) else msgspec.structs.replace(one, weight=0) for one in members]
    balanced(lab, *left, session_persistence=kept)
    assert names(client, 4) == {mine: 4}
    assert lab.hosts["far"].ask(VIP).split()[0] != mine


def test_what_is_down_by_order_does_not_serve_at_any_level(lab: Lab, client: Host, echoes: Any) -> None:
    one, two = (the_member(echoes[name]) for name in ("m11", "m12"))
    balanced(lab, msgspec.structs.replace(one, admin_state_up=False), two)
    assert names(client, 4) == {"m12": 4}
    balanced(lab, one, admin_state_up=False)
    assert client.ask(VIP) == REFUSED
    wish = PoolWish(pool=pool(protocol="UDP"), members=(one,))
    lab.apply(a_listener(), pools=(wish,), admin_state_up=False)
    assert client.ask(VIP) == REFUSED
    lab.apply(a_listener(), pools=(wish,))
    assert names(client, 2) == {"m11": 2}


def test_backup_members_serve_only_when_no_other_can(lab: Lab, client: Host, echoes: Any) -> None:
    main, spare = the_member(echoes["m11"]), the_member(echoes["m12"], backup=True)
    balanced(lab, main, spare, monitor=a_monitor())
    assert names(client, 6) == {"m11": 6}
    echoes["m11"].stop()
    eventually(lambda: names(client, 4) == {"m12": 4}, deadline_s=15)
    echoes["m11"].start()
    eventually(lambda: names(client, 4) == {"m11": 4}, deadline_s=15)


def test_a_member_whose_port_is_closed_is_taken_out_and_told_of_at_once(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]), the_member(echoes["m12"]), monitor=a_monitor())
    eventually(lambda: lab.members(POOL) == {an_id("m11"): "UP", an_id("m12"): "UP"}, deadline_s=15)
    began_at = time.time()
    echoes["m11"].stop()
    edge = eventually(lambda: [e for e in edges(lab, since=began_at) if e["id"] == an_id("m11")], deadline_s=15)[0]
    assert (edge["kind"], edge["pool_id"], edge["status"]) == ("member", POOL, "DOWN")
    assert "refused" in edge["reason"]
    eventually(lambda: lab.members(POOL) == {an_id("m11"): "DOWN", an_id("m12"): "UP"})
    eventually(lambda: names(client, 4) == {"m12": 4})
    lab.sandbox.relay.beat(lambda body: body["pools"].get(POOL, {}).get("members", {}).get(an_id("m11")) == "DOWN")


def test_with_no_member_alive_clients_are_told_and_served_again_on_the_same_socket(
    lab: Lab, client: Host, echoes: Any
) -> None:
    balanced(lab, the_member(echoes["m11"]), monitor=a_monitor())
    with client.speaker(VIP) as link:
        # What was found dead before stays so under a new configuration, until a check passes.
        eventually(lambda: said(link).startswith("m11"), deadline_s=15)
        echoes["m11"].stop()
        eventually(lambda: lab.members(POOL)[an_id("m11")] == "DOWN", deadline_s=15)
        eventually(lambda: said(link) == REFUSED)
        echoes["m11"].start()
        eventually(lambda: said(link).startswith("m11"), deadline_s=15)


def test_http_and_tcp_checks_decide_for_udp_members(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]), monitor=a_monitor(type="TCP"))
    eventually(lambda: lab.members(POOL)[an_id("m11")] == "DOWN", deadline_s=15)
    web = HealthMonitorId(an_id("web"))
    balanced(lab, the_member(echoes["m11"]), monitor=a_monitor(id=web, type="HTTP", url_path="/health"))
    eventually(lambda: lab.members(POOL)[an_id("m11")] == "DOWN", deadline_s=15)
    eventually(lambda: client.ask(VIP) == REFUSED)


def test_a_member_passes_http_checks_while_its_answer_is_expected(lab: Lab, client: Host, echoes: Any) -> None:
    one = the_member(echoes["m11"])
    web = Web("m11", lab.hosts["m11"], one.address, port=one.protocol_port)
    try:
        balanced(lab, one, monitor=a_monitor(type="HTTP", url_path="/x", max_retries=2, http_version=1.1))
        eventually(lambda: client.ask(VIP).startswith("m11"), deadline_s=15)
        balanced(lab, one, monitor=a_monitor(type="HTTP", expected_codes="202,204-299"))
        eventually(lambda: client.ask(VIP) == REFUSED, deadline_s=15)
        assert lab.members(POOL)[one.id] == "DOWN"
    finally:
        web.stop()


def test_a_dead_member_stays_dead_when_it_is_checked_in_another_way(lab: Lab, client: Host, echoes: Any) -> None:
    members = [the_member(echoes[name]) for name in ("m11", "m12")]
    balanced(lab, *members, monitor=a_monitor())
    eventually(lambda: set(lab.members(POOL).values()) == {"UP"}, deadline_s=15)
    echoes["m12"].stop()
    eventually(lambda: lab.members(POOL)[members[1].id] == "DOWN", deadline_s=15)
    # The next checks are far away: whoever revives it now would send it clients for a minute.
    balanced(lab, *members, monitor=a_monitor(delay_s=60, max_retries=5))
    assert lab.members(POOL)[members[1].id] == "DOWN"
    assert names(client, 8) == {"m11": 8}
    echoes["m12"].start()
    balanced(lab, *members, monitor=a_monitor())
    eventually(lambda: lab.members(POOL)[members[1].id] == "UP", deadline_s=15)


def test_a_limit_of_0_is_none_for_udp_too(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]), connection_limit=0)
    assert names(client, 3) == {"m11": 3}


def test_a_listener_admits_only_whom_it_allows_and_no_more_than_its_limit(lab: Lab, client: Host, echoes: Any) -> None:
    one = the_member(echoes["m11"])
    balanced(lab, one, allowed_cidrs=("198.51.100.0/24",))
    assert client.ask(VIP, timeout_s=SILENT_S) == SILENCE
    balanced(lab, one, allowed_cidrs=("203.0.113.0/24", "203.0.113.0/25"), connection_limit=2)
    links = [client.speaker(VIP) for _ in range(3)]
    links[2].settimeout(SILENT_S)
    assert [said(link).split()[0] for link in links] == ["m11", "m11", SILENCE]
    assert [said(link).split()[0] for link in links] == ["m11", "m11", SILENCE]
    for link in links:
        link.close()


def test_figures_grow_and_outlive_a_new_configuration(lab: Lab, client: Host, echoes: Any) -> None:
    fresh = ListenerId(an_id("counted"))
    wish = PoolWish(pool=pool(protocol="UDP"), members=(the_member(echoes["m11"]),))
    lab.apply(a_listener(id=fresh), pools=(wish,))
    names(client, 5)
    eventually(lambda: lab.listener_figures(fresh)["active_connections"] == 5)
    first = lab.listener_figures(fresh)
    assert (first["status"], first["total_connections"]) == ("OPEN", 5)
    assert first["bytes_in"] == 5 * (28 + len("hello"))
    assert first["bytes_out"] == 5 * (28 + len("m11 10.1.0.5"))
    lab.apply(a_listener(id=fresh, admin_state_up=False), pools=(wish,))
    assert client.ask(VIP) == REFUSED
    lab.apply(a_listener(id=fresh), pools=(wish,))
    names(client, 2)
    assert lab.listener_figures(fresh)["total_connections"] == 7


def test_a_removed_listener_leaves_no_flow_behind(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]))
    with client.speaker(VIP) as link:
        assert said(link).startswith("m11")
        lab.apply()
        assert said(link) in (REFUSED, SILENCE)


def test_killing_the_agent_touches_no_flow_and_forgets_no_dead_member(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]), the_member(echoes["m12"]), monitor=a_monitor())
    echoes["m12"].stop()
    eventually(lambda: names(client, 4) == {"m11": 4}, deadline_s=15)
    answers: list[str] = []
    done = threading.Event()

    def speak() -> None:
        with client.speaker(VIP) as link:
            while not done.is_set():
                answers.extend((said(link), client.ask(VIP)))
                time.sleep(0.01)

    speaking = threading.Thread(target=speak)
    speaking.start()
    eventually(lambda: len(answers) > 20)
    seen = len(answers)
    lab.kill_agent()
    eventually(lambda: lab.sandbox.controller.status()["bundle"] == lab.number, deadline_s=15)
    eventually(lambda: len(answers) > seen + 100, deadline_s=15)
    done.set()
    speaking.join(10)
    assert {answer.split()[0] for answer in answers} == {"m11"}
    assert lab.members(POOL)[an_id("m12")] == "DOWN"


def test_a_client_in_the_members_own_range_gets_its_answers_by_the_vip(lab: Lab, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]))
    assert lab.hosts["far"].ask(VIP).startswith("m11")


def test_the_amphora_routes_nothing_but_what_it_balances(lab: Lab, client: Host, echoes: Any) -> None:
    balanced(lab, the_member(echoes["m11"]))
    assert client.ask(VIP).startswith("m11")
    assert _ask_by_way_of(client, "203.0.113.20", echoes["m11"]) == SILENCE


def _ask_by_way_of(client: Host, router: str, echo: Echo) -> str:
    ip("-n", client.namespace, "route", "add", f"{echo.host.addresses[0]}/32", "via", router)
    try:
        return client.ask(echo.host.addresses[0], echo.port, timeout_s=SILENT_S)
    finally:
        ip("-n", client.namespace, "route", "del", f"{echo.host.addresses[0]}/32")


def test_udp_over_ipv6_and_ipv4_on_one_listener(lab: Lab, client: Host, echoes: Any) -> None:
    members = (
        the_member(echoes["m11"], TENANT),
        the_member(echoes["m12"], TENANT_6, address="fd00:1::12"),
        the_member(echoes["m13"], TENANT_6, address="fd00:1::13"),
    )
    ports = {TENANT: TENANT_PORT, TENANT_6: TENANT_6_PORT}
    balanced(lab, *members, vips=(vip(address=VIP), vip_6()), member_ports=ports, monitor=a_monitor())
    assert names(client, 4) == {"m11": 4}
    assert names(client, 6, vip_6().address) == {"m12": 3, "m13": 3}
    assert client.ask(vip_6().address).split()[1] == "fd00:1::5"
    echoes["m12"].stop()
    eventually(lambda: names(client, 4, vip_6().address) == {"m13": 4}, deadline_s=15)


def test_a_host_that_is_gone_is_noticed_although_it_says_nothing(bereft: Lab) -> None:
    gone = {an_id("m11"): "DOWN", an_id("m12"): "UP", an_id("six"): "DOWN"}
    eventually(lambda: bereft.members(POOL) == gone, deadline_s=25)
    eventually(lambda: names(bereft.hosts["client"], 4) == {"m12": 4})
    bereft.link("m11", "up")
    eventually(lambda: set(bereft.members(POOL).values()) == {"UP"}, deadline_s=25)


def edges(lab: Lab, *, since: float) -> list[dict[str, Any]]:
    found = lab.sandbox.relay.of_kind("edge", since=since)
    return [dict(edge) for _, heartbeat in found for edge in heartbeat.body["edges"]]
