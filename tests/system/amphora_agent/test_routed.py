"""VIPs that a router leads to whoever has the routing address: what clients notice of a switch, and what a wrong way meets."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actium_shared.ids import LoadBalancerId, SubnetId
from actium_shared.wishes import LoadBalancerWish
from builders import an_id, listener, load_balancer, pool, vip
from system.amphora_agent.controller import Authority
from system.amphora_agent.pair import HOME, MEMBERS, Amphora, Pair, probing
from system.namespaces import eventually, inside, ip

pytestmark = pytest.mark.root
VIPS = [f"203.0.113.{number}" for number in range(100, 124)]
VIP, VIP_6 = VIPS[0], "2001:db8:1::10"
ROUTING, ROUTING_6 = "203.0.113.200", "2001:db8:1::200"
ROUTED: dict[str, Any] = {"front_end": "L3", "routing_addresses": (f"{ROUTING}/24", f"{ROUTING_6}/64")}
ALONE = {"role": "STANDALONE", "peers": ()}
AGENT, HAPROXY, KEEPALIVED = "-m actium_amphora_agent", "/run/amphora/haproxy.cfg", "keepalived -n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, image: Path, authority: Authority) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("routed"), image, authority)
    try:
        ip("-n", made.fabric, "addr", "replace", "2001:db8:1::1/64", "dev", "public", "nodad")
        for address in VIPS:
            ip("-n", made.fabric, "route", "replace", f"{address}/32", "via", ROUTING, "dev", "public")
        ip("-n", made.fabric, "route", "replace", f"{VIP_6}/128", "via", ROUTING_6, "dev", "public")
        yield made
    finally:
        made.destroy()


def wishes(pair: Pair) -> list[LoadBalancerWish]:
    """As many load balancers as VIPs; the first has one of IPv6 besides."""
    six = vip(address=VIP_6, prefix_length=64, subnet_id=SubnetId("six"))
    plain = pair.wish(vip(address=VIP), six)
    return [plain, *(_another(plain, address) for address in VIPS[1:])]


def _another(like: LoadBalancerWish, address: str) -> LoadBalancerWish:
    balancer = load_balancer(id=LoadBalancerId(an_id(f"balancer {address}")), vip=vip(address=address))
    return LoadBalancerWish(
        generation=1,
        load_balancer=balancer,
        listeners=(listener(id=an_id(f"listener {address}"), default_pool_id=like.pools[0].pool.id),),
        pools=like.pools,
    )


def answers(pair: Pair, address: str, *, within_s: float = 1.0) -> bool:
    """Whether one request is answered."""
    with inside(pair.fabric, partial(socket.socket, socket.AF_INET6 if ":" in address else socket.AF_INET)) as client:
        client.settimeout(within_s)
        try:
            client.connect((address, 80))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b" 200 " in client.recv(100)
        except OSError:
            return False


def gate(amphora: Amphora) -> bool:
    """Whether it is open, by the kernel's word."""
    return "vip0" not in show(amphora, "nft", "list", "set", "inet", "actium_gate", "shut")


def show(amphora: Amphora, *command: str) -> str:
    """What a command shows among the amphora's traffic."""
    inner = ["ip", "netns", "exec", amphora.sandbox.traffic, *command]
    return subprocess.run(inner, check=True, capture_output=True, text=True).stdout


def test_all_vips_are_served_and_nobody_answers_for_them_on_the_wire(pair: Pair) -> None:
    master = pair.serve(*wishes(pair), **ROUTED)
    for address in (*VIPS, VIP_6):
        assert answers(pair, address), address
    assert pair.answering(VIP) == set()
    assert pair.holders(ROUTING) == [master.role]
    assert pair.answering(ROUTING) == {master.port.mac}
    assert [gate(amphora) for amphora in pair.amphorae] == [amphora is master for amphora in pair.amphorae]


def test_one_address_moves_and_with_it_all_vips(pair: Pair) -> None:
    pair.serve(*wishes(pair), **ROUTED)
    for address in (VIPS[0], VIPS[-1], VIP_6):
        with probing(pair, address) as probe:
            for _ in range(3):
                master = pair.master()
                probe.flows()
                since = time.monotonic()
                master.sandbox.kill(HAPROXY)
                eventually(lambda: pair.partner(master).plays == "MASTER")  # noqa: B023 - asked within the round
                gap = probe.outage_ms(since)
                print(f"{address}: {gap:.0f} ms")
                assert gap < 300
                pair.master()


def test_whoever_is_not_the_master_lets_nothing_in_that_comes_by_a_wrong_way(pair: Pair) -> None:
    master = pair.serve(*wishes(pair), **ROUTED)
    for amphora, is_served in ((pair.partner(master), False), (master, True)):
        ip("-n", pair.fabric, "route", "replace", f"{VIP}/32", "via", amphora.address, "dev", "public")
        assert answers(pair, VIP, within_s=0.5) == is_served
    ip("-n", pair.fabric, "route", "replace", f"{VIP}/32", "via", ROUTING, "dev", "public")


def test_datagrams_are_balanced_by_whoever_they_are_led_to(pair: Pair) -> None:
    echoing = listener(protocol="UDP", protocol_port=53, default_pool_id=pool().id)
    first = pair.wish(vip(address=VIP), protocol="UDP", listeners=(echoing,))
    pair.serve(first, **ROUTED)
    for _ in range(2):
        with echo(pair, MEMBERS["one"]), echo(pair, MEMBERS["two"]), echo(pair, MEMBERS["three"]):
            assert asked(pair, VIP, 53) == b"here"
        master = pair.master()
        master.sandbox.kill(KEEPALIVED)
        eventually(lambda: pair.partner(master).plays == "MASTER")  # noqa: B023 - asked within the round


@contextlib.contextmanager
def echo(pair: Pair, port: int) -> Iterator[None]:
    """Somebody who answers datagrams."""
    with inside(pair.fabric, partial(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind((HOME, port))
        server.settimeout(5)
        thread = threading.Thread(target=_answer_one, args=(server,))
        thread.start()
        try:
            yield
        finally:
            with inside(pair.fabric, partial(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)) as last:
                last.sendto(b"end", (HOME, port))
            thread.join(5)


def _answer_one(server: socket.socket) -> None:
    while True:
        said, client = server.recvfrom(100)
        if said == b"end":
            return
        server.sendto(b"here", client)


def asked(pair: Pair, address: str, port: int) -> bytes:
    """What a datagram is answered with."""
    with inside(pair.fabric, partial(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(2)
        client.sendto(b"who", (address, port))
        return client.recv(100)


def test_what_the_kernel_did_not_take_is_said_to_it_again(pair: Pair) -> None:
    master = pair.serve(*wishes(pair), **ROUTED)
    held = show(master, "nft", "list", "table", "inet", "actium_gate")
    show(master, "nft", "delete", "table", "inet", "actium_gate")
    master.sandbox.kill(HAPROXY)
    eventually(lambda: pair.partner(master).plays == "MASTER")
    eventually(lambda: "gate before routed VIPs is stuck" in master.sandbox.log())
    show(master, "nft", held)
    eventually(lambda: not gate(master))
    assert pair.master() is pair.partner(master)


def test_an_agent_that_is_started_anew_neither_opens_nor_shuts(pair: Pair) -> None:
    master = pair.serve(*wishes(pair), **ROUTED)
    with probing(pair, VIP) as probe:
        since = time.monotonic()
        for amphora in pair.amphorae:
            amphora.sandbox.kill(AGENT)
            eventually(lambda: amphora.plays in ("MASTER", "BACKUP"))  # noqa: B023 - asked within the round
        assert probe.outage_ms(since) < 100
    assert [gate(amphora) for amphora in pair.amphorae] == [amphora is master for amphora in pair.amphorae]


def test_alone_a_successor_gets_the_routing_address_and_no_vip_is_moved(pair: Pair) -> None:
    told = {**ROUTED, **ALONE}
    holder, successor = pair.amphorae
    assert pair.configure(successor, *wishes(pair), **told, epoch=100, holds_vips=False).status == 200
    assert pair.configure(holder, *wishes(pair), **told, epoch=100).status == 200
    eventually(lambda: answers(pair, VIP))
    assert [gate(amphora) for amphora in pair.amphorae] == [True, False]
    with probing(pair, VIP) as probe:
        since = time.monotonic()
        assert pair.configure(holder, *wishes(pair), **told, epoch=101, holds_vips=False).status == 200
        assert pair.configure(successor, *wishes(pair), **told, epoch=101).status == 200
        gap = probe.outage_ms(since)
    print(f"handover: {gap:.0f} ms")
    assert gap < 500
    assert [gate(amphora) for amphora in pair.amphorae] == [False, True]


def test_vips_that_are_routed_no_more_are_gone(pair: Pair) -> None:
    (first, *_), amphora = wishes(pair), pair.amphorae[0]
    assert pair.configure(amphora, first, **ROUTED, **ALONE, epoch=200).status == 200
    shown = show(amphora, "ip", "address", "show", "dev", "lo")
    assert f" {VIP}/32" in shown
    assert f" {VIPS[1]}/32" not in shown
    assert pair.configure(amphora, first, **ALONE, epoch=201).status == 200
    assert f" {VIP}/32" not in show(amphora, "ip", "address", "show", "dev", "lo")
    assert "actium_gate" not in show(amphora, "nft", "list", "tables")
