"""The agent with real namespaces, haproxy, back ends and clients: dying, dead members, leaving, and what its processes may."""

import contextlib
import http.client
import subprocess
import time
from pathlib import Path

import pytest

from system.amphora_agent.bundles import BACKEND, bundle, haproxy, server
from system.amphora_agent.sandbox import Stream
from system.amphora_agent.serving import AGENT, HAPROXY, ONE, TWO, ask_haproxy, in_amphora, show
from system.namespaces import eventually

pytestmark = pytest.mark.root


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
    assert dumped_mappings(sandbox, "keepalived") == {0}
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


def test_nothing_in_an_amphora_dumps_core(world):
    for pid in world.sandbox.processes():
        limits = Path(f"/proc/{pid}/limits").read_text()
        found = next(line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
        assert (found[4], found[5]) == ("0", "0"), pid


def test_a_dump_that_is_piped_to_a_program_which_no_limit_binds_holds_no_memory(world):
    sandbox = world.sandbox
    assert dumped_mappings(sandbox, AGENT) == {0}
    assert dumped_mappings(sandbox, HAPROXY) == {0}
    sandbox.kill(AGENT)
    eventually(world.controller.status)
    sandbox.kill(HAPROXY)
    eventually(sandbox.get)
    assert dumped_mappings(sandbox, AGENT) == dumped_mappings(sandbox, HAPROXY) == {0}


def dumped_mappings(sandbox, word: str) -> set[int]:
    """Give which kinds of memory the kernel would put into dumps of the processes with the word; bits, see core(5)."""
    filters = {pid: Path(f"/proc/{pid}/coredump_filter").read_text() for pid in sandbox.pids(word)}
    return {int(text, 16) for text in filters.values()}


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
