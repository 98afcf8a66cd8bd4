"""Listeners' logs, from requests at the VIP through a real haproxy and agent into a real Swift; and what stops none of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from actium_compute.amphora_drivers.bundle import Logs
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.log_store import LogStore, Site
from actium_compute.settings import LOG_FORMAT
from actium_shared.clock import SystemClock
from actium_shared.wishes import PoolWish
from builders import listener, member, pool, vip
from real_swift import server as real
from real_swift.server import Swift
from system.amphora_agent.controller import Answer, Authority
from system.amphora_agent.sandbox import VIP, Backend, Sandbox, Stream
from system.namespaces import eventually
from unit.compute.wishes import VIP_PORT, order, port

pytestmark = pytest.mark.root
KEEP_S = 1.0
WHO = re.compile(r"(?P<project>\S+) (?P<balancer>\S+) (?P<listener>\S+) 203\.0\.113\.1 \d+ \S+ (?P<rest>.*)")


@dataclass
class Scene:
    sandbox: Sandbox
    swift: Swift
    mac: str
    site: Site
    number: int = 0

    @property
    def wish(self) -> Any:
        pools = tuple(
            PoolWish(
                pool=pool(id=f"pool-{kind}", protocol=kind),
                members=(member(address="203.0.113.1", protocol_port=8000),),
            )
            for kind in ("HTTP", "TCP")
        )
        listeners = tuple(
            listener(id=f"listener-{kind}", protocol=kind, protocol_port=at, default_pool_id=f"pool-{kind}")
            for kind, at in (("HTTP", 80), ("TCP", 81))
        )
        balancer = {"id": "the-balancer", "project_id": "the project", "vip": vip(address=VIP, prefix_length=24)}
        self.number += 1
        return order(
            *pools,
            listeners=listeners,
            balancer=balancer,
            bundle=self.number,
            amphora_id=self.sandbox.amphora_id,
            member_ports={},
        )

    def configure(self, *, logs: bool = True, **site: Any) -> Answer:
        """As compute does, by its own renderer and its own signature."""
        wish = self.wish
        store = LogStore(replace(self.site, **site) if logs else None, SystemClock())
        ports = {
            VIP_PORT: port(VIP_PORT, wish.load_balancers[0].load_balancer.vip.subnet_id, "203.0.113.20", mac=self.mac)
        }
        bundle = HaproxyDriver().render(wish, ports, {}, logs=store.grant(wish))
        answer = self.sandbox.controller.ask("PUT", "/v1/configuration", bundle.to_body())
        assert answer.status == 200, answer
        return answer

    @property
    def prefix(self) -> str:
        return f"the_project/the-balancer/{self.sandbox.amphora_id}/"

    def lines(self) -> list[str]:
        return self.swift.lines(self.prefix)

    def lost(self, reason: str) -> int:
        beats = self.sandbox.relay.of_kind("beat")
        figures = beats[-1][1].body.get("logs") or {"lost": {}}
        return int(figures["lost"].get(reason, 0))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, image: Path, authority: Authority) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("logs")
    sandbox = Sandbox(folder / "amphora", image, authority)
    try:
        disk = folder / "swift"
        disk.mkdir()
        with real.running(disk, namespace=sandbox.namespace) as swift:
            sandbox.start()
            backend = Backend(sandbox.fabric, "origin", "203.0.113.1", 8000)
            site = Site(
                addresses=((real.ADDRESS, real.PORT),),
                host="swift.example",
                server_name="",
                path=real.CONTAINER,
                key=swift.key,
                ca="",
                format=LOG_FORMAT,
                cut_after_s=0.2,
                keep_s=KEEP_S,
                delete_after_s=0,
                lifetime_s=3600.0,
            )
            yield Scene(sandbox, swift, sandbox.plug("public"), site)
            backend.stop()
    finally:
        sandbox.destroy()
        print(sandbox.log())


def test_every_request_is_a_line_of_its_load_balancer(scene: Scene) -> None:
    scene.configure(logs=False)
    eventually(scene.sandbox.get)
    assert scene.sandbox.relay.beat(lambda _: True)["logs"] is None
    scene.configure()
    for _ in range(20):
        scene.sandbox.get()
    for _ in range(5):
        scene.sandbox.get(port=81)
    eventually(lambda: len(scene.lines()) >= 25, deadline_s=5)
    found = [WHO.fullmatch(line) for line in scene.lines()]
    assert all(found), scene.lines()
    told = [each.groupdict() for each in found if each]
    assert {(each["project"], each["balancer"]) for each in told} == {("the_project", "the-balancer")}
    of_http = [each["rest"] for each in told if each["listener"] == "listener-HTTP"]
    assert len(of_http) == 20
    assert all(rest.startswith('"GET / HTTP/1.1" 200 ') for rest in of_http)
    of_tcp = [each["rest"] for each in told if each["listener"] == "listener-TCP"]
    assert len(of_tcp) == 5
    assert all(rest.startswith("- - ") for rest in of_tcp)  # it reads no requests
    scene.sandbox.relay.beat(lambda beat: beat["logs"] == {"shipped": 25, "lost": {}})


def test_an_amphora_can_write_under_its_own_names_and_no_more(scene: Scene) -> None:
    granted: Logs | None = LogStore(scene.site, SystemClock()).grant(scene.wish)
    assert granted
    stream = granted.streams["the-balancer"]
    assert stream.prefix == scene.prefix
    signed = f"temp_url_sig={stream.signature}&temp_url_expires={granted.expires_at}&temp_url_prefix="
    own, others = f"{scene.prefix}x", "the_project/the-balancer/another/x"
    assert scene.swift.ask("PUT", f"/{own}?{signed}{scene.prefix}", body=b"x")[0] == 201
    assert scene.swift.ask("GET", f"/{own}?{signed}{scene.prefix}")[0] == 401
    assert scene.swift.ask("DELETE", f"/{own}?{signed}{scene.prefix}")[0] == 401
    assert scene.swift.ask("PUT", f"/{others}?{signed}{scene.prefix}", body=b"x")[0] == 401
    assert scene.swift.ask("PUT", f"/{others}?{signed}the_project/", body=b"x")[0] == 401
    assert (
        scene.swift.ask("PUT", f"/{own}?{signed.replace(str(granted.expires_at), '4000000000')}{scene.prefix}")[0]
        == 401
    )
    scene.swift.rule("DELETE", f"/{own}")


@pytest.mark.parametrize("trouble", ["absent", "full", "slow"])
def test_a_store_that_takes_nothing_costs_lines_and_no_traffic(scene: Scene, trouble: str) -> None:
    reason = "full" if trouble == "full" else "failed"
    scene.configure()
    before = scene.lost(reason)
    with Stream(scene.sandbox) as traffic:
        if trouble == "absent":
            # Another grant is no other configuration of haproxy.
            assert scene.configure(addresses=(("127.0.0.1", 9),)).body["result"] == "runtime"
            eventually(lambda: scene.lost(reason) > before + 20, deadline_s=8)
        elif trouble == "full":
            scene.swift.fill()
            eventually(lambda: scene.lost(reason) > before + 20, deadline_s=8)
        else:
            with scene.swift.paused():
                eventually(lambda: scene.lost(reason) > before + 20, deadline_s=8)
        traffic.flows_on()
        scene.swift.make_room()
        scene.configure()
        there = len(scene.lines())
        eventually(lambda: len(scene.lines()) > there, deadline_s=5)
    assert traffic.failed == []


def test_an_agent_that_is_killed_counts_what_was_in_its_memory_and_ships_on(scene: Scene) -> None:
    scene.configure(cut_after_s=60.0)
    haproxy = scene.sandbox.controller.status()["haproxy"]["pid"]
    for _ in range(10):
        scene.sandbox.get()
    for _ in range(2):  # a beat writes down what there is, and one may have been under way
        scene.sandbox.relay.beat(lambda _: True)
    scene.sandbox.kill("actium_amphora_agent")
    eventually(lambda: scene.lost("restart") >= 10, deadline_s=5)
    eventually(scene.sandbox.controller.status)
    scene.configure()
    there = len(scene.lines())
    scene.sandbox.get()
    eventually(lambda: len(scene.lines()) > there, deadline_s=5)
    assert scene.sandbox.controller.status()["haproxy"]["pid"] == haproxy


def test_whoever_is_sent_away_ships_what_is_left(scene: Scene) -> None:
    scene.configure(cut_after_s=60.0)
    there = len(scene.lines())
    for _ in range(10):
        scene.sandbox.get()
    scene.sandbox.terminate()
    assert len(scene.lines()) == there + 10
