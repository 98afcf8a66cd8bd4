"""Bundles: taken as they are or not at all, by reload or at run time, with the files that come with them."""

import socket
import subprocess
import time

import pytest

from system.amphora_agent.bundles import BACKEND, bundle, card, haproxy, server
from system.amphora_agent.sandbox import VIP, Stream
from system.amphora_agent.serving import HAPROXY, ONE, TWO, amphora_root, in_amphora, links
from system.namespaces import eventually, inside

pytestmark = pytest.mark.root


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


def test_runtime_change_that_fails_half_way_with_a_file_that_does_not_load_changes_nothing(world):
    commands = [f"set server {BACKEND}/m1 weight 0", f"set server {BACKEND}/nobody weight 0"]
    runtime = {"base": world.first["digest"], "commands": commands}
    answer = world.controller.put(bundle(2, b"nonsense\n", [world.card], runtime=runtime))
    assert answer.status == 422
    status = world.controller.status()
    assert (status["bundle"], status["drift"]) == (1, None)
    assert {world.sandbox.get() for _ in range(4)} == {"one", "two"}


def test_twenty_reloads_under_a_stream_lose_no_request(world):
    with Stream(world.sandbox) as stream:
        for number in range(2, 22):
            config = haproxy(server("m1", ONE, weight=number), server("m2", TWO))
            assert world.controller.put(bundle(number, config, [world.card])).body["result"] == "reload"
    assert stream.failed == []
    assert stream.answered > 100


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


def nft(namespace: str) -> str:
    command = ["nsenter", f"--net=/run/netns/{namespace}", "nft", "list", "ruleset"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


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


def test_deleted_configuration_stops_haproxy_hands_cards_back_and_forgets_files(world):
    assert world.controller.ask("DELETE", "/v1/configuration").status == 200
    status = world.controller.status()
    assert (status["bundle"], status["interfaces"], status["haproxy"]["state"]) == (0, [], "absent")
    assert world.sandbox.pids(HAPROXY) == []
    assert "eth1" in links(world.sandbox.namespace)
    assert list((amphora_root(world.sandbox) / "bundles").iterdir()) == []
    assert world.controller.put(world.first).body["result"] == "reload"
    eventually(world.sandbox.get)
