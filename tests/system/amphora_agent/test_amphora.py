"""The agent with real namespaces, haproxy, back ends and clients: serving, changing, refusing, dying, leaving."""

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from actium_shared.heartbeat import BadSignature
from actium_shared.testing.datagrams import verify
from system.amphora_agent.bundles import BACKEND, LISTENER, POOL, bundle, card, haproxy, server
from system.amphora_agent.sandbox import VIP, Backend, Controller, Sandbox, Stream, eventually, inside

pytestmark = pytest.mark.root
ONE, TWO = "203.0.113.1", "203.0.113.2"
HAPROXY, AGENT = "/run/amphora/haproxy.cfg", "-m actium_amphora_agent"


class World:
    """A sandbox that serves two back ends, by bundle 1."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.controller = sandbox, sandbox.controller
        subprocess.run(["ip", "-n", sandbox.fabric, "addr", "add", f"{TWO}/24", "dev", "public"], check=True)
        self.one = Backend(sandbox.fabric, "one", ONE, 8000)
        self.two = Backend(sandbox.fabric, "two", TWO, 8000)
        self.card = card(sandbox.plug("public"))
        self.config = haproxy(server("m1", ONE), server("m2", TWO))
        self.first = bundle(1, self.config, [self.card])
        answer = self.controller.put(self.first)
        assert (answer.status, answer.body["result"]) == (200, "reload"), answer
        eventually(sandbox.get)

    def close(self) -> None:
        self.one.stop()
        self.two.stop()


@pytest.fixture
def world(sandbox):
    made = World(sandbox)
    yield made
    made.close()


def test_first_configuration_serves_traffic_from_both_members(world):
    assert {world.sandbox.get() for _ in range(4)} == {"one", "two"}
    status = world.controller.status()
    assert (status["bundle"], status["digest"], status["interfaces"]) == (1, world.first["digest"], ["vip0"])
    assert status["haproxy"]["state"] == "running"
    assert abs(status["haproxy"]["started_at"] - time.time()) < 30


def test_same_digest_is_unchanged_and_an_older_number_or_epoch_is_refused(world):
    assert world.controller.put(world.first).body["result"] == "unchanged"
    newer = world.controller.put(world.first | {"bundle": 5, "epoch": 2})
    assert newer.body["result"] == "unchanged"
    assert world.controller.status()["bundle"] == 5
    assert world.controller.put(world.first | {"bundle": 4, "epoch": 2}).status == 409
    assert world.controller.put(world.first | {"bundle": 6, "epoch": 1}).status == 409


def test_another_digest_under_the_same_number_is_applied(world):
    answer = world.controller.put(bundle(1, haproxy(server("m2", TWO)), [world.card]))
    assert (answer.status, answer.body["result"]) == (200, "reload")
    assert {world.sandbox.get() for _ in range(4)} == {"two"}


def test_a_dead_member_gets_no_request_after_a_reload(world):
    # Its next check is far away: only what the last worker knew can keep requests from it.
    def slow(weight: int, *, check: bytes = b"check inter 1h fall 1 rise 1", more: str = "") -> bytes:
        config = haproxy(server("m1", ONE), server("m2", TWO, weight=weight), more=more)
        return config.replace(b"check inter 200ms fall 1 rise 1", check)

    second = bundle(2, slow(1), [world.card])
    assert world.controller.put(second).body["result"] == "reload"
    ask_haproxy(world.sandbox, f"set server {BACKEND}/m2 health down")
    runtime = {"base": second["digest"], "commands": [f"set server {BACKEND}/m2 weight 9"]}
    assert world.controller.put(bundle(3, slow(9), [world.card], runtime=runtime)).body["result"] == "runtime"
    lighter = slow(1, more="    retries 2")
    assert world.controller.put(bundle(4, lighter, [world.card])).body["result"] == "reload"
    assert {world.sandbox.get() for _ in range(20)} == {"one"}
    rows = [line.split(",") for line in show(world.sandbox, "show stat -1 4 -1").split("\n")]
    assert [(row[17], row[18]) for row in rows if row[1:2] == ["m2"]] == [("DOWN", "1")]  # dead, with the wish's weight
    # What is no longer checked is not taken for dead for ever.
    unchecked = slow(1, check=b"")
    assert world.controller.put(bundle(5, unchecked, [world.card])).body["result"] == "reload"
    assert {world.sandbox.get() for _ in range(8)} == {"one", "two"}


def test_a_dead_member_gets_no_request_after_a_crash(world):
    slow = world.config.replace(b"check inter 200ms fall 1 rise 1", b"check inter 1h fall 1 rise 1")
    assert world.controller.put(bundle(2, slow, [world.card])).status == 200
    ask_haproxy(world.sandbox, f"set server {BACKEND}/m2 health down")
    eventually(lambda: b" m2 " in in_amphora(world.sandbox, "dead-members"))
    for also in ("", AGENT):
        for word in filter(None, (also, HAPROXY)):
            world.sandbox.kill(word)
        eventually(world.sandbox.get)
        assert {world.sandbox.get() for _ in range(10)} == {"one"}
    ask_haproxy(world.sandbox, f"set server {BACKEND}/m2 health up")
    eventually(lambda: b" m2 " not in in_amphora(world.sandbox, "dead-members"))
    world.sandbox.kill(HAPROXY)
    eventually(lambda: {world.sandbox.get() for _ in range(4)} == {"one", "two"})


def test_ways_that_a_bundle_names_no_more_are_forgotten(world):
    def ways() -> str:
        command = ["ip", "-n", world.sandbox.traffic, "route", "show", "table", "all"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    route = {"table": 300, "range": "198.51.100.0/24", "gateway": "203.0.113.1", "sources": [VIP]}
    more = world.card | {"routes": [route]}
    assert world.controller.put(bundle(2, world.config, [more])).status == 200
    assert ways().count("198.51.100.0/24") == 2
    assert "table 300" in ways()
    assert world.controller.put(bundle(3, world.config, [world.card])).status == 200
    assert "198.51.100.0/24" not in ways()
    assert "table 300" not in ways()
    assert "default via 203.0.113.1 dev vip0" in ways()
    assert world.sandbox.get() in {"one", "two"}


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


def test_refused_configuration_comes_back_in_haproxys_words_and_the_old_one_serves(world):
    before = world.controller.status()
    with Stream(world.sandbox) as stream:
        broken = world.config.replace(b"mode http", b"mode nonsense")
        answer = world.controller.put(bundle(2, broken, [world.card]))
        assert answer.status == 422
        assert "unknown proxy mode 'nonsense'" in answer.body["error"]
        assert "/run/amphora/haproxy.cfg:11" in answer.body["error"]
        stream.flows_on()
    assert stream.failed == []
    after = world.controller.status()
    assert (after["digest"], after["haproxy"]) == (before["digest"], before["haproxy"])


def test_configuration_that_cannot_bind_is_undone(world):
    squatter = inside(world.sandbox.traffic, lambda: socket.create_server((VIP, 81)))
    taken = haproxy(server("m1", ONE), bind=f"{VIP}:80\n    bind {VIP}:81")
    answer = world.controller.put(bundle(2, taken, [world.card]))
    squatter.close()
    assert (answer.status, "Address already in use" in answer.body["error"]) == (422, True), answer
    assert world.controller.status()["bundle"] == 1
    assert world.sandbox.get() in {"one", "two"}
    good = world.controller.put(bundle(3, haproxy(server("m1", ONE)), [world.card]))
    assert good.body["result"] == "reload"
    assert {world.sandbox.get() for _ in range(4)} == {"one"}


def test_first_configuration_that_is_refused_leaves_nothing_behind(sandbox):
    wanted = card(sandbox.plug("public"))
    assert sandbox.controller.put(bundle(1, b"nonsense", [wanted])).status == 422
    status = sandbox.controller.status()
    assert (status["bundle"], status["interfaces"], status["haproxy"]["state"]) == (0, [], "absent")
    assert "eth1" in links(sandbox.namespace)


def test_weight_changes_by_runtime_in_the_same_process(world):
    pids = sorted(world.sandbox.pids(HAPROXY))
    config = haproxy(server("m1", ONE, weight=0), server("m2", TWO))
    commands = [f"set server {BACKEND}/m1 weight 0"]
    runtime = {"base": world.first["digest"], "commands": commands}
    answer = world.controller.put(bundle(2, config, [world.card], runtime=runtime))
    assert answer.body["result"] == "runtime"
    assert {world.sandbox.get() for _ in range(4)} == {"two"}
    world.sandbox.relay.beat(lambda beat: beat["bundle"] == 2 and beat["drift"] is None)
    # Once it is confirmed, the file alone gives the same.
    eventually(lambda: b"weight 0" in in_amphora(world.sandbox, "haproxy.cfg"))
    assert sorted(world.sandbox.pids(HAPROXY)) == pids
    world.sandbox.kill(HAPROXY)
    eventually(world.sandbox.get)
    assert {world.sandbox.get() for _ in range(4)} == {"two"}


def test_runtime_command_that_haproxy_refuses_becomes_a_reload(world):
    config = haproxy(server("m1", ONE, weight=0), server("m2", TWO))
    runtime = {"base": world.first["digest"], "commands": [f"set server {BACKEND}/nobody weight 0"]}
    answer = world.controller.put(bundle(2, config, [world.card], runtime=runtime))
    assert answer.body["result"] == "reload"
    assert {world.sandbox.get() for _ in range(4)} == {"two"}


def test_runtime_change_whose_file_does_not_load_is_reported_as_drift_and_healed(world):
    commands = [f"set server {BACKEND}/m1 weight 0"]
    runtime = {"base": world.first["digest"], "commands": commands}
    answer = world.controller.put(bundle(2, b"nonsense\n", [world.card], runtime=runtime))
    assert answer.body["result"] == "runtime"
    beat = world.sandbox.relay.beat(lambda beat: beat["drift"] is not None)
    assert "nonsense" in beat["drift"]
    assert "nonsense" in world.controller.status()["drift"]
    assert world.controller.put(bundle(3, world.config, [world.card])).body["result"] == "reload"
    assert world.controller.status()["drift"] is None


def test_twenty_reloads_under_a_stream_lose_no_request(world):
    with Stream(world.sandbox) as stream:
        for number in range(2, 22):
            config = haproxy(server("m1", ONE, weight=number), server("m2", TWO))
            assert world.controller.put(bundle(number, config, [world.card])).body["result"] == "reload"
    assert stream.failed == []
    assert stream.answered > 100


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


def test_agent_killed_adopts_what_runs_and_traffic_flows_all_the_time(world):
    before = world.controller.status()
    counter = world.sandbox.relay.of_kind("beat")[-1][1].counter
    with Stream(world.sandbox) as stream:
        for _ in range(3):
            world.sandbox.kill(AGENT)
            after = eventually(world.controller.status)
            stream.flows_on()
    assert stream.failed == []
    for name in ("boot_id", "bundle", "digest", "epoch", "interfaces"):
        assert after[name] == before[name]
    assert after["haproxy"]["pid"] == before["haproxy"]["pid"]
    assert world.controller.put(world.first).body["result"] == "unchanged"
    last = eventually(lambda: world.sandbox.relay.of_kind("beat", since=time.time() - 0.5))[-1][1]
    assert last.boot_id == before["boot_id"]
    assert last.counter > counter
    counters = [beat.counter for _, beat in world.sandbox.relay.seen]
    assert len(counters) == len(set(counters))
    # And it still watches what it adopted.
    world.sandbox.kill(HAPROXY)
    eventually(world.sandbox.get)


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2])
def test_agent_killed_in_the_middle_of_a_change_takes_the_repeated_one(world, delay_s):
    wanted = bundle(2, haproxy(server("m2", TWO)), [world.card])
    with Stream(world.sandbox) as stream:
        killer = kill_after(world.sandbox, delay_s)
        with contextlib.suppress(OSError, http.client.HTTPException):
            world.controller.put(wanted)
        killer.wait(5)
        answer = eventually(lambda: world.controller.put(wanted))
        assert answer.status == 200
    assert stream.failed == []
    assert {world.sandbox.get() for _ in range(4)} == {"two"}
    assert len(world.sandbox.pids(HAPROXY)) >= 2
    assert world.controller.status()["bundle"] == 2


def kill_after(sandbox, delay_s):
    agent = sandbox.pids(AGENT)[0]
    return subprocess.Popen(["sh", "-c", f"sleep {delay_s}; kill -9 {agent}"])


def test_haproxy_killed_is_started_again_at_once(world):
    old = world.controller.status()["haproxy"]["pid"]
    world.sandbox.kill(HAPROXY)
    began = time.monotonic()
    eventually(world.sandbox.get)
    assert time.monotonic() - began < 3
    status = eventually(world.controller.status)
    assert (status["haproxy"]["state"], status["haproxy"]["pid"] != old) == ("running", True)


def test_wrong_certificates_are_refused_and_counted(world):
    amphora = Controller(world.sandbox, world.sandbox.authority.issue(world.sandbox.amphora_id))
    answer = amphora.ask("DELETE", "/v1/configuration")
    assert answer.status == 403
    stranger = Controller(world.sandbox, type(world.sandbox.authority)().issue("controller.actium"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stranger.ask("GET", "/v1/status")
    refused = eventually(lambda: world.controller.status()["refused"])
    assert refused == {"certificates": 1, "handshakes": 1}
    assert world.sandbox.get() in {"one", "two"}


def test_server_certificate_is_replaced_for_new_connections(world):
    issued = world.sandbox.authority.issue(world.sandbox.amphora_id)
    wrong = world.controller.ask("PUT", "/v1/certificate", {"pem": b"no certificate"})
    assert wrong.status == 400
    assert world.controller.ask("PUT", "/v1/certificate", {"pem": issued}).status == 200
    fresh = Controller(world.sandbox, world.sandbox.authority.issue("controller.actium"))
    assert fresh.status()["bundle"] == 1
    shown = fresh._connection.sock.getpeercert(binary_form=True)
    assert ssl.DER_cert_to_PEM_cert(shown).encode().strip() in issued


def test_an_amphora_that_only_holds_connections_open_locks_nobody_out(world):
    pem = world.sandbox.authority.issue(world.sandbox.amphora_id)
    strangers = [Controller(world.sandbox, pem) for _ in range(70)]
    for stranger in strangers:
        with contextlib.suppress(OSError):
            stranger._connection.connect()
    fresh = Controller(world.sandbox, world.sandbox.authority.issue("controller.actium"))
    assert eventually(fresh.status, deadline_s=8)["bundle"] == 1
    assert world.sandbox.log().count("client has not the role") < 20
    for stranger in strangers:
        stranger._connection.close()


def test_wrong_requests_are_answered_by_name(world):
    ask = world.controller.ask
    assert ask("GET", "/v1/nothing").status == 404
    assert ask("POST", "/v1/status").status == 405
    assert ask("PUT", "/v1/configuration", b"\xc1").status == 400
    answer = ask("PUT", "/v1/configuration", world.first | {"bundle": "7"})
    assert (answer.status, "bundle must be an integer" in answer.body["error"]) == (400, True)
    missing = ask("PUT", "/v1/configuration", bundle(9, world.config, [card("fa:16:3e:ff:ff:ff", name="net7")]))
    assert (missing.status, "fa:16:3e:ff:ff:ff" in missing.body["error"]) == (503, True)
    assert world.sandbox.get() in {"one", "two"}


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


def test_interface_is_added_and_handed_back_with_overlapping_ranges(world):
    sandbox = world.sandbox
    sandbox.network("tenant", "10.9.0.1/24")
    # The member's network has the range of the public one; only the interface tells them apart.
    member = Backend(sandbox.fabric, "tenant", "10.9.0.1", 8000)
    net = card(sandbox.plug("tenant"), "net0", addresses=["10.9.0.20/24"], vips=[], gateway=None, metric=100)
    extra = "source 10.9.0.20 interface net0"
    config = haproxy(server("m3", "10.9.0.1", extra=extra))
    assert world.controller.put(bundle(2, config, [world.card, net])).body["result"] == "reload"
    assert world.controller.status()["interfaces"] == ["vip0", "net0"]
    eventually(lambda: sandbox.get() == "tenant")
    with Stream(sandbox) as stream:
        assert world.controller.put(bundle(3, world.config, [world.card])).body["result"] == "reload"
        stream.flows_on()
    assert stream.failed == []
    assert world.controller.status()["interfaces"] == ["vip0"]
    assert "eth2" in links(sandbox.namespace)
    member.stop()


def test_member_on_a_new_interface_joins_without_a_reload(world):
    sandbox = world.sandbox
    sandbox.network("tenant", "10.9.0.1/24")
    member = Backend(sandbox.fabric, "tenant", "10.9.0.1", 8000)
    pids = sorted(sandbox.pids(HAPROXY))
    net = card(sandbox.plug("tenant"), "net0", addresses=["10.9.0.20/24"], vips=[], gateway=None, metric=100)
    config = haproxy(server("m1", ONE), server("m2", TWO), server("m3", "10.9.0.1"))
    commands = [
        f"add server {BACKEND}/m3 10.9.0.1:8000 check inter 200ms fall 1 rise 1 source 10.9.0.20 interface net0",
        f"set server {BACKEND}/m3 state ready",
        f"enable health {BACKEND}/m3",
    ]
    runtime = {"base": world.first["digest"], "commands": commands}
    answer = world.controller.put(bundle(2, config, [world.card, net], runtime=runtime))
    assert answer.body["result"] == "runtime", answer
    eventually(lambda: {sandbox.get() for _ in range(6)} == {"one", "two", "tenant"})
    assert sorted(sandbox.pids(HAPROXY)) == pids
    member.stop()


def test_fence_silences_the_amphora_and_lifting_it_heals(world):
    fenced = world.first | {"bundle": 2, "flags": {"yield": False, "fence": True}}
    assert world.controller.put(fenced).status == 200
    with pytest.raises(OSError, match=r"timed out|unreachable|route"):
        world.sandbox.get()
    assert world.controller.put(world.first | {"bundle": 3}).status == 200
    eventually(world.sandbox.get)


def test_nft_rules_are_loaded_and_refused_ones_come_back(world):
    rules = b"add table inet actium_udp\nadd counter inet actium_udp counted\n"
    files = {"haproxy.cfg": world.config, "nftables.rules": rules}
    assert world.controller.put(bundle(2, world.config, [world.card], files=files)).status == 200
    assert "counter counted" in nft(world.sandbox.traffic)
    for nonsense in (b"add rule inet actium_udp nonsense drop\n", b"add table ip nonsense\n"):
        files["nftables.rules"] = rules + nonsense
        answer = world.controller.put(bundle(3, world.config, [world.card], files=files))
        assert (answer.status, "nonsense" in answer.body["error"]) == (422, True)
        assert "counter counted" in nft(world.sandbox.traffic)


def test_certificates_are_read_from_the_bundle_and_removed_with_it(world):
    pem = world.sandbox.authority.issue("tenant.example")
    secure = haproxy(server("m1", ONE), bind=f"{VIP}:80\n    bind {VIP}:443 ssl crt /run/amphora/certificates/a.pem")
    files = {"haproxy.cfg": secure, "certificates/a.pem": pem}
    answer = world.controller.put(bundle(2, secure, [world.card], files=files))
    assert answer.status == 200, answer
    kept = amphora_root(world.sandbox) / "bundles"
    assert [path.stat().st_mode & 0o777 for path in kept.glob("*/certificates/a.pem")] == [0o600]
    bad = bundle(3, secure, [world.card], files=files | {"certificates/a.pem": b"x"})
    answer = world.controller.put(bad)
    assert (answer.status, "/run/amphora/certificates/a.pem" in answer.body["error"]) == (422, True)
    assert world.controller.put(bundle(4, world.config, [world.card])).status == 200
    assert list(kept.glob("*/certificates/a.pem")) == []


def test_runtime_change_that_fails_half_way_with_a_file_that_does_not_load_changes_nothing(world):
    commands = [f"set server {BACKEND}/m1 weight 0", f"set server {BACKEND}/nobody weight 0"]
    runtime = {"base": world.first["digest"], "commands": commands}
    answer = world.controller.put(bundle(2, b"nonsense\n", [world.card], runtime=runtime))
    assert answer.status == 422
    status = world.controller.status()
    assert (status["bundle"], status["drift"]) == (1, None)
    assert {world.sandbox.get() for _ in range(4)} == {"one", "two"}


def test_keepalived_takes_the_vip_tells_its_role_and_is_adopted(world):
    sandbox = world.sandbox
    keepalived = b"""
global_defs {
    vrrp_version 3
    vrrp_notify_fifo /run/amphora/keepalived.notify
}
track_file haproxy {
    file /run/amphora/haproxy.track
}
vrrp_instance one {
    state BACKUP
    interface vip0
    virtual_router_id 1
    priority 254
    advert_int 0.1
    nopreempt
    track_file {
        haproxy weight -254
    }
    virtual_ipaddress {
        203.0.113.11/32 dev vip0
    }
}
"""
    files = {"haproxy.cfg": world.config.replace(b"bind 203.0.113.10:80", b"bind :80"), "keepalived.conf": keepalived}
    floating = world.card | {"floating": ["203.0.113.11/32"]}
    assert world.controller.put(bundle(2, b"", [floating], files=files)).status == 200
    sandbox.relay.beat(lambda beat: beat["role"] == "MASTER")
    assert sandbox.get("203.0.113.11") in {"one", "two"}
    assert sandbox.relay.of_kind("edge")[-1][1].body["edges"][-1]["status"] == "MASTER"
    before = world.controller.status()["keepalived"]["pid"]
    sandbox.kill(AGENT)
    status = eventually(world.controller.status)
    assert (status["keepalived"]["pid"], status["role"]) == (before, "MASTER")
    # Yielding is a fault that the partner sees at once; the VIP goes.
    yields = bundle(3, b"", [floating], files=files, flags={"yield": True, "fence": False})
    assert world.controller.put(yields).status == 200
    sandbox.relay.beat(lambda beat: beat["role"] == "FAULT")
    broken = bundle(4, b"", [floating], files=files | {"keepalived.conf": b"vrrp_instance {"})
    assert world.controller.put(broken).status == 422
    assert world.controller.put(bundle(5, world.config, [world.card])).status == 200
    eventually(lambda: sandbox.pids("keepalived") == [])


def test_deleted_configuration_stops_haproxy_hands_cards_back_and_forgets_files(world):
    assert world.controller.ask("DELETE", "/v1/configuration").status == 200
    status = world.controller.status()
    assert (status["bundle"], status["interfaces"], status["haproxy"]["state"]) == (0, [], "absent")
    assert world.sandbox.pids(HAPROXY) == []
    assert "eth1" in links(world.sandbox.namespace)
    assert list((amphora_root(world.sandbox) / "bundles").iterdir()) == []
    assert world.controller.put(world.first).body["result"] == "reload"
    eventually(world.sandbox.get)


def test_nothing_in_an_amphora_dumps_core(world):
    for pid in world.sandbox.processes():
        limits = Path(f"/proc/{pid}/limits").read_text()
        found = next(line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
        assert (found[4], found[5]) == ("0", "0"), pid


def test_haproxy_runs_with_three_capabilities_and_no_new_privileges(world):
    for pid in world.sandbox.pids(HAPROXY):
        status = Path(f"/proc/{pid}/status").read_text()
        bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd"))
        assert int(bounding, 16) == 1 << 12 | 1 << 13 | 1 << 10
        assert "NoNewPrivs:\t1" in status


def test_terminated_amphora_says_farewell_and_leaves_nothing(world):
    pids = list(world.sandbox.processes())
    world.sandbox.terminate()
    assert world.sandbox.relay.of_kind("farewell")
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_wrong_settings_stop_the_agent_with_a_sentence(sandbox):
    config = sandbox.folder / "config/heartbeat.key"
    config.write_bytes(b"short")
    sandbox.kill(AGENT)
    eventually(lambda: "heartbeat.key must be 32 bytes, not 5" in sandbox.log())
    config.write_bytes(sandbox.key)
    eventually(sandbox.controller.status, deadline_s=10)


def amphora_root(sandbox: Sandbox) -> Path:
    """The amphora's /run/amphora, seen from the host."""
    return Path(f"/proc/{sandbox.init}/root/run/amphora")


def ask_haproxy(sandbox: Sandbox, command: str) -> None:
    assert show(sandbox, command).strip() == ""


def show(sandbox: Sandbox, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(amphora_root(sandbox) / "haproxy.sock"))
        asking.sendall(command.encode() + b"\n")
        asking.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: asking.recv(65_536), b"")).decode(errors="replace")


def in_amphora(sandbox: Sandbox, name: str) -> bytes:
    # Absolute links would lead out of the amphora; these are relative.
    return (amphora_root(sandbox) / name).read_bytes()


def links(namespace: str) -> str:
    return subprocess.run(["ip", "-n", namespace, "-br", "link"], check=True, capture_output=True, text=True).stdout


def nft(namespace: str) -> str:
    command = ["nsenter", f"--net=/run/netns/{namespace}", "nft", "list", "ruleset"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
