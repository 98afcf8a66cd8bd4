"""What an amphora tells of itself and of members: beats, edges, totals."""

import contextlib
import os
import socket
import threading
import time

import pytest

from actium_shared.heartbeat import BadSignature
from actium_shared.testing.datagrams import verify
from system.amphora_agent.bundles import BACKEND, LISTENER, POOL, bundle, haproxy, server
from system.amphora_agent.serving import AGENT, ONE, ask_haproxy, show
from system.namespaces import eventually, inside

pytestmark = pytest.mark.root


def test_beats_are_signed_and_tell_what_runs(world):
    beat = world.sandbox.relay.beat(lambda beat: beat["pools"].get(POOL, {}).get("members", {}).get("m1") == "UP")
    assert (beat["bundle"], beat["digest"], beat["role"], beat["haproxy"]) == (
        1,
        world.first["digest"],
        "STANDALONE",
        "running",
    )
    assert beat["listeners"][LISTENER]["status"] == "OPEN"
    assert beat["pools"][POOL] == {"status": "UP", "members": {"m1": "UP", "m2": "UP"}}
    assert beat["memory_bytes"] > 1_000_000
    with pytest.raises(BadSignature):
        verify(world.sandbox.relay.raw[-1], os.urandom(32))


def test_edge_leaves_within_100_ms_of_haproxys_verdict(world):
    since = time.time()
    # Told to be down, so that the time of haproxy's verdict is known; a check brings it up again.
    ask_haproxy(world.sandbox, f"set server {BACKEND}/m2 health down")
    at, edge = eventually(lambda: world.sandbox.relay.of_kind("edge", since=since))[0]
    assert edge.body["edges"][0]["id"] == "m2"
    assert edge.body["edges"][0]["status"] == "DOWN"
    assert at - since < 0.1
    eventually(lambda: world.sandbox.relay.of_kind("edge", since=at))


def test_edge_tells_why_a_member_went_down_and_that_it_is_back(world):
    since = time.time()
    world.two.stop()
    at, edge = eventually(lambda: world.sandbox.relay.of_kind("edge", since=since))[0]
    told = edge.body["edges"][0]
    assert (told["kind"], told["id"], told["pool_id"], told["status"]) == ("member", "m2", POOL, "DOWN")
    assert any(why in told["reason"] for why in ("Connection refused", "Connection reset"))  # caught in a check, or not
    world.two.start()
    eventually(
        lambda: [b for _, b in world.sandbox.relay.of_kind("edge", since=at) if b.body["edges"][0]["status"] == "UP"]
    )


def test_a_member_that_answers_checks_with_control_characters_harms_no_beat(world):
    evil = b"HTTP/1.0 500 a\x0bb\x0c\x1c\xc2\x85pool-1:listener-1,m9,UP\r\n\r\n"
    rogue = inside(world.sandbox.fabric, lambda: socket.create_server((ONE, 8666)))
    with answering(rogue, evil):
        agent = world.sandbox.pids(AGENT)
        config = haproxy(server("m1", ONE), server("m3", ONE, port=8666)).replace(
            b"option httpchk GET /", b"option httpchk GET /\n    http-check expect status 200"
        )
        assert world.controller.put(bundle(2, config, [world.card])).status == 200
        beat = world.sandbox.relay.beat(lambda beat: beat["pools"].get(POOL, {}).get("members", {}).get("m3") == "DOWN")
        assert set(beat["pools"][POOL]["members"]) == {"m1", "m3"}
        assert b"a\x0bb" in show(world.sandbox, "show stat -1 4 -1").encode()
        world.sandbox.relay.beat(lambda beat: beat["bundle"] == 2)
        assert world.sandbox.pids(AGENT) == agent


@contextlib.contextmanager
def answering(listening, answer):
    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(4096)
                    client.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def test_totals_only_grow_over_reloads(world):
    def total() -> int:
        statistics = world.controller.ask("GET", "/v1/statistics").body
        return int(statistics["listeners"][LISTENER]["total_connections"])

    for _ in range(10):
        world.sandbox.get()
    before = total()
    assert before >= 10
    world.controller.put(bundle(2, haproxy(server("m1", ONE)), [world.card]))
    assert total() >= before
    for _ in range(5):
        world.sandbox.get()
    assert total() >= before + 5
    world.sandbox.kill(AGENT)
    eventually(world.controller.status)
    assert total() >= before + 5
