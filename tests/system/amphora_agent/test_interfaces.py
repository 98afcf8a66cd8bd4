"""Interfaces and routes that bundles bring: plugged, used, handed back."""

import subprocess

import pytest

from system.amphora_agent.bundles import BACKEND, bundle, card, haproxy, server
from system.amphora_agent.sandbox import VIP, Backend, Stream
from system.amphora_agent.serving import HAPROXY, ONE, TWO, links
from system.namespaces import eventually

pytestmark = pytest.mark.root


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
