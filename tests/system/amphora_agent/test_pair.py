"""A pair: one answers for the VIP, and whatever happens to it, soon the other one does. Real packets, real deaths."""

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from actium_shared.ids import SubnetId
from actium_shared.wishes import SessionPersistence
from builders import listener, vip
from system.amphora_agent.controller import Authority
from system.amphora_agent.pair import CLIENTS, Amphora, Pair, probing
from system.amphora_agent.sandbox import VIP
from system.namespaces import eventually, inside, ip

pytestmark = pytest.mark.root
AGENT, HAPROXY, KEEPALIVED = "-m actium_amphora_agent", "/run/amphora/haproxy.cfg", "keepalived -n"
ROUNDS = int(os.environ.get("ACTIUM_TEST_DRILLS", "5"))
"""For figures that can be quoted: 20 or more."""

SILENT_DEATH_MS, OTHERS_MS, UNDISTURBED_MS = 500, 100, 200
"""The last is for a client that has to wait for its turn on a busy machine: a switch is told of by the roles."""

VIP_6 = "2001:db8:1::10"
ARP = 0x0806


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, image: Path, authority: Authority) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("pair"), image, authority)
    try:
        yield made
    finally:
        made.destroy()


def drill(pair: Pair, name: str, happens: Callable[[Amphora], None], mend: Callable[[Amphora], None]) -> list[float]:
    """Time and again something happens to the master; what a client noticed of each, in milliseconds, shortest first."""
    outages = []
    with probing(pair) as probe:
        for _ in range(ROUNDS):
            master = pair.master()
            probe.flows()
            since = time.monotonic()
            happens(master)
            eventually(lambda: pair.partner(master).plays == "MASTER")  # noqa: B023 - asked within the round
            outages.append(probe.outage_ms(since))
            assert pair.holders() == [pair.partner(master).role] or name == "silent death"
            mend(master)
    outages.sort()
    print(f"\n{name}: n={len(outages)} median {outages[len(outages) // 2]:.0f} ms, longest {outages[-1]:.0f} ms")
    return outages


def test_exactly_one_of_them_answers_for_the_vip(pair: Pair) -> None:
    master = pair.serve()
    assert pair.holders() == [master.role]
    assert pair.answering() == {master.port.mac}
    for amphora in pair.amphorae:
        beat = amphora.sandbox.relay.beat(lambda beat: beat["role"] in ("MASTER", "BACKUP"))
        assert (beat["epoch"], beat["role"]) == (1, amphora.plays)


def test_when_the_master_vanishes_the_other_one_serves_soon(pair: Pair) -> None:
    pair.serve()

    def mend(dead: Amphora) -> None:
        dead.sandbox.come_back()
        dead.in_force = None
        assert pair.configure(dead).status == 200

    outages = drill(pair, "silent death", lambda master: master.sandbox.vanish(), mend)
    assert outages[int(len(outages) * 0.95)] < SILENT_DEATH_MS


def test_when_the_masters_haproxy_dies_the_other_one_serves_at_once(pair: Pair) -> None:
    pair.serve()
    outages = drill(pair, "haproxy's death", lambda master: master.sandbox.kill(HAPROXY), lambda _: None)
    assert outages[int(len(outages) * 0.95)] < OTHERS_MS


def test_a_master_that_is_told_to_yields_at_once(pair: Pair) -> None:
    pair.serve()

    def told(master: Amphora) -> None:
        assert pair.configure(master, yields=True).body["result"] == "unchanged"

    outages = drill(pair, "yield", told, lambda yielded: eventually(lambda: pair.configure(yielded).status == 200))
    assert outages[int(len(outages) * 0.95)] < OTHERS_MS


def test_a_killed_keepalived_leaves_no_vip_behind_and_comes_back(pair: Pair) -> None:
    pair.serve()

    def killed(master: Amphora) -> None:
        # The child first: it leaves the VIP where it is, and its parent may say no farewell for it.
        for pid in sorted(master.sandbox.pids(KEEPALIVED), reverse=True):
            os.kill(pid, 9)

    drill(pair, "keepalived killed", killed, lambda _: None)
    master = pair.master()
    assert pair.holders() == [master.role]
    assert pair.answering() == {master.port.mac}


def test_a_killed_agent_leaves_the_roles_as_they_are(pair: Pair) -> None:
    master = pair.serve()
    with probing(pair) as probe:
        since = time.monotonic()
        for amphora in pair.amphorae:
            amphora.sandbox.kill(AGENT)
        assert pair.master() is master
        assert probe.outage_ms(since) < UNDISTURBED_MS
    assert pair.holders() == [master.role]


def test_keepalived_and_its_agent_killed_together_leave_no_vip_behind(pair: Pair) -> None:
    master = pair.serve()
    processes = master.sandbox
    for pid in [*processes.pids(AGENT), *sorted(processes.pids(KEEPALIVED), reverse=True)]:
        os.kill(pid, 9)
    assert pair.master() is pair.partner(master)
    eventually(lambda: pair.holders() == [pair.partner(master).role])


def test_clients_stay_with_their_members_when_the_master_vanishes(pair: Pair) -> None:
    wish = pair.wish(session_persistence=SessionPersistence(type="SOURCE_IP"), lb_algorithm="ROUND_ROBIN")
    master = pair.serve(wish)
    other = pair.partner(master)
    eventually(lambda: "st0=7" in show(other, "show peers"), deadline_s=30)
    before = {client: ask(pair, client) for client in CLIENTS}
    assert set(before.values()) == {"one", "two", "three"}
    eventually(lambda: f"used:{len(CLIENTS)}" in show(other, tables(other)))
    master.sandbox.vanish()
    eventually(lambda: other.plays == "MASTER")
    assert {client: eventually(partial(ask, pair, client)) for client in CLIENTS} == before
    master.sandbox.come_back()
    master.in_force = None
    began_at = time.time()
    assert pair.configure(master, wish).status == 200
    # The new one learns them too, says when it has, and the next switch changes nothing either.
    eventually(lambda: "BACKUP" in roles_told(master, began_at), deadline_s=15)
    assert roles_told(master, began_at)[0] == "LEARNING"
    assert f"used:{len(CLIENTS)}" in show(master, tables(master))
    assert pair.configure(other, wish, yields=True).status == 200
    eventually(lambda: master.plays == "MASTER")
    assert {client: eventually(partial(ask, pair, client)) for client in CLIENTS} == before
    assert pair.configure(other, wish).status == 200


def test_nobody_but_the_partner_reaches_what_they_tell_each_other(pair: Pair) -> None:
    wish = pair.wish(session_persistence=SessionPersistence(type="SOURCE_IP"))
    pair.serve(wish)
    for amphora in pair.amphorae:
        where = (amphora.address, 1025)
        with pytest.raises(TimeoutError):
            inside(pair.fabric, partial(socket.create_connection, where, 0.5))
        inside(pair.partner(amphora).sandbox.traffic, partial(socket.create_connection, where, 2)).close()


def test_a_newcomer_that_heard_nobody_for_a_moment_gives_way_again(pair: Pair) -> None:
    senior = pair.serve()
    newcomer = pair.partner(senior)
    assert pair.configure(senior, role="BACKUP", rank=0).status == 200
    assert pair.configure(newcomer, role="MASTER", rank=1).status == 200
    with deaf(newcomer):
        eventually(lambda: newcomer.plays == "MASTER")
    eventually(lambda: (senior.plays, newcomer.plays) == ("MASTER", "BACKUP"))
    assert pair.holders() == [senior.role]
    eventually(lambda: pair.answering() == {senior.port.mac})


@contextlib.contextmanager
def deaf(amphora: Amphora) -> Iterator[None]:
    """Hears no adverts."""
    nft = ("ip", "netns", "exec", amphora.sandbox.traffic, "nft")
    hook = "{ type filter hook prerouting priority -500; }"
    subprocess.run([*nft, f"add table inet deaf; add chain inet deaf arrive {hook}"], check=True)
    subprocess.run([*nft, "add rule inet deaf arrive meta l4proto vrrp drop"], check=True)
    try:
        yield
    finally:
        subprocess.run([*nft, "delete table inet deaf"], check=True)


def test_a_vip_that_one_of_them_knows_before_the_other_makes_no_second_master(pair: Pair) -> None:
    master = pair.serve()
    other = pair.partner(master)
    more = pair.wish(vip(address=VIP), vip(address="203.0.113.11"))
    began_at = time.time()
    with probing(pair) as probe:
        since = time.monotonic()
        assert pair.configure(other, more).status == 200
        quiet(pair, other)
        assert pair.holders() == [master.role]
        assert pair.configure(master, more).status == 200
        eventually(lambda: pair.holders("203.0.113.11") == [master.role])
        assert pair.configure(master).status == 200
        eventually(lambda: pair.holders("203.0.113.11") == [])
        assert pair.configure(other).status == 200
        quiet(pair, other)
        assert probe.outage_ms(since) < UNDISTURBED_MS
    assert (master.plays, other.plays, pair.holders()) == ("MASTER", "BACKUP", [master.role])
    assert roles_told(master, began_at) == roles_told(other, began_at) == []


def roles_told(amphora: Amphora, since: float) -> list[str]:
    edges = [edge for _, one in amphora.sandbox.relay.of_kind("edge", since=since) for edge in one.body["edges"]]
    return [edge["status"] for edge in edges if edge["kind"] == "role"]


def quiet(pair: Pair, other: Amphora) -> None:
    """Longer than it would take it to miss its master's adverts."""
    end = time.monotonic() + 1.0
    eventually(lambda: pair.holders() and time.monotonic() > end and other.plays == "BACKUP")


def test_a_partner_that_is_replaced_disturbs_nobody(pair: Pair) -> None:
    wish = pair.wish(session_persistence=SessionPersistence(type="SOURCE_IP"))
    master = pair.serve(wish)
    other, began_at = pair.partner(master), time.time()
    with probing(pair) as probe:
        since = time.monotonic()
        other.sandbox.vanish()
        assert pair.configure(master, wish, peers=()).status == 200
        other.sandbox.come_back()
        other.in_force = None
        # Who serves first: a newcomer that does not hear it would take the VIP.
        assert pair.configure(master, wish).status == 200
        assert pair.configure(other, wish).status == 200
        assert pair.master() is master
        assert probe.outage_ms(since) < UNDISTURBED_MS
    assert roles_told(master, began_at) == []


def test_a_newcomer_whom_the_master_asked_for_before_it_was_there_takes_nothing_over(pair: Pair) -> None:
    master = pair.serve()
    newcomer = pair.partner(master)
    for _ in range(3):  # it asks once a second, and may do so in time by chance
        newcomer.sandbox.vanish()
        ip("-n", master.sandbox.traffic, "neigh", "flush", "all")
        eventually(lambda: re.search(rf"{newcomer.address} .*(FAILED|INCOMPLETE)", neighbours(master)))
        newcomer.sandbox.come_back()
        newcomer.in_force = None
        with listening(pair) as wire:
            assert pair.configure(newcomer).status == 200
            quiet(pair, newcomer)
            assert newcomer.port.mac not in claiming(wire, VIP)
        assert pair.answering() == {master.port.mac}


@contextlib.contextmanager
def listening(pair: Pair) -> Iterator[socket.socket]:
    """Hears all that is said by ARP on the VIPs' network."""
    wire = inside(pair.fabric, partial(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)))
    with wire:
        wire.bind(("public", ARP))
        wire.setblocking(False)
        yield wire


def claiming(wire: socket.socket, address: str) -> set[str]:
    """The MACs that said until now that they have the address."""
    said = set()
    with contextlib.suppress(BlockingIOError):
        while frame := wire.recv(2048):
            if frame[28:32] == socket.inet_aton(address):
                said.add(frame[22:28].hex(":"))
    return said


def test_a_new_master_says_again_at_once_that_it_has_the_vip(pair: Pair) -> None:
    """Where two took it at the same moment, the loser's may have been the last word, and is believed for seconds."""
    yielding = pair.serve()
    heir = pair.partner(yielding)
    with listening(pair) as wire:
        assert pair.configure(yielding, yields=True).status == 200
        eventually(lambda: heir.plays == "MASTER")
        assert heir.port.mac in claiming(wire, VIP)  # keepalived's own words; its next ones come after a second
        eventually(lambda: heir.port.mac in claiming(wire, VIP), deadline_s=0.6)
    assert pair.configure(yielding).status == 200


def neighbours(amphora: Amphora) -> str:
    command = ["ip", "-n", amphora.sandbox.traffic, "neigh", "show"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_vips_of_both_families_move_together(pair: Pair) -> None:
    six = vip(address=VIP_6, prefix_length=64, subnet_id=SubnetId("six"))
    ip("-n", pair.fabric, "addr", "replace", "2001:db8:1::1/64", "dev", "public", "nodad")
    wish = pair.wish(vip(address=VIP), six)
    master = pair.serve(wish)
    eventually(lambda: pair.holders(VIP_6) == [master.role])
    with probing(pair, VIP_6) as probe:
        since = time.monotonic()
        master.sandbox.kill(HAPROXY)
        other = pair.partner(master)
        eventually(lambda: other.plays == "MASTER")
        assert probe.outage_ms(since) < OTHERS_MS
    eventually(lambda: pair.holders(VIP_6) == pair.holders(VIP) == [other.role])


def test_a_fence_stands_though_the_bundle_that_asked_for_it_cannot_be_followed(pair: Pair) -> None:
    master = pair.serve()
    with probing(pair) as probe:
        since = time.monotonic()
        refused = pair.configure(master, fence=True, vip_port_id=pair.partner(master).port_id)
        assert refused.status == 503  # that card is not here
        other = pair.partner(master)
        eventually(lambda: other.plays == "MASTER")
        assert probe.outage_ms(since) < SILENT_DEATH_MS
    assert master.sandbox.controller.status()["fenced"]
    assert pair.answering() == {other.port.mac}
    master.sandbox.kill(AGENT)
    eventually(master.sandbox.controller.status)
    assert pair.answering() == {other.port.mac}
    assert pair.configure(master).status == 200
    assert not master.sandbox.controller.status()["fenced"]
    assert pair.master() is other


def test_a_pair_without_listeners_has_a_master_too(pair: Pair) -> None:
    master = pair.serve(pair.wish(listeners=()))
    assert pair.holders() == [master.role]
    assert pair.serve(pair.wish(listeners=(listener(),))) is master


def test_keepalived_runs_in_real_time_where_that_is_to_be_had(pair: Pair) -> None:
    pair.serve()
    proof = subprocess.run(["chrt", "--rr", "40", "true"], check=False).returncode == 0
    for amphora in pair.amphorae:
        for pid in amphora.sandbox.pids(KEEPALIVED):
            assert (os.sched_getscheduler(pid) == os.SCHED_RR) is proof


def test_all_of_an_amphora_takes_less_than_30_megabytes(pair: Pair) -> None:
    pair.serve(pair.wish(session_persistence=SessionPersistence(type="SOURCE_IP")))
    for amphora in pair.amphorae:
        kilobytes = {line.split("/")[-1][:24]: pss(pid) for pid, line in amphora.sandbox.processes().items()}
        total = sum(pss(pid) for pid in amphora.sandbox.processes())
        print(f"\n{amphora.role}: {total / 1024:.1f} MB, of which {kilobytes}")
        assert total < 30 * 1024


def pss(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def ask(pair: Pair, client: str) -> str:
    link = inside(pair.fabric, partial(socket.create_connection, (VIP, 80), 2, (client, 0)))
    with link:
        link.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b"".join(iter(lambda: link.recv(4096), b""))
    assert b" 200 " in said
    return said.rpartition(b"\r\n\r\n")[2].decode()


def show(amphora: Amphora, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(f"/proc/{amphora.sandbox.init}/root/run/amphora/haproxy.sock")
        asking.sendall(command.encode() + b"\n")
        asking.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: asking.recv(65_536), b"")).decode()


def tables(amphora: Amphora) -> str:
    (name,) = [line.split()[2].rstrip(",") for line in show(amphora, "show table").splitlines() if line.startswith("#")]
    return f"show table {name}"
