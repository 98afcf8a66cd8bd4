"""Two real amphorae beside each other, configured as compute does it, and clients that measure what they notice of a switch."""

import contextlib
import itertools
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from actium_compute.amphora_drivers.bundle import Runtime
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_shared.commands.compute import ConfigureAmphora, Peer
from actium_shared.events.network import Port
from actium_shared.ids import AmphoraId, MemberId, PortId
from actium_shared.wishes import Listener, LoadBalancerWish, PoolWish, Vip
from builders import PUBLIC, an_id, listener, load_balancer, member, pool, vip
from system.amphora_agent.controller import Answer, Authority
from system.amphora_agent.sandbox import VIP, Sandbox
from system.namespaces import eventually, ip
from unit.compute.wishes import order, port

MEMBERS = {"one": 8001, "two": 8002, "three": 8003}
HOME = "203.0.113.1"
CLIENTS = [f"203.0.113.{number}" for number in range(60, 90)]
ADDRESSES = ("203.0.113.20", "203.0.113.21")


class Amphora:
    """One of two; `role` is what it is called, not what it plays."""

    def __init__(self, sandbox: Sandbox, role: str, address: str) -> None:
        self.sandbox = sandbox
        self.role = role
        self.address = address
        self.id = AmphoraId(sandbox.amphora_id)
        self.port_id = PortId(an_id(f"port of {sandbox.amphora_id}"))
        self.port: Port = port(self.port_id, PUBLIC, address, gateway=HOME, mac=sandbox.plug("public"))
        self.in_force: tuple[ConfigureAmphora, str] | None = None

    @property
    def plays(self) -> str:
        return str(self.sandbox.controller.status()["role"])


class Pair:
    def __init__(self, folder: Path, image: Path, authority: Authority) -> None:
        first = Sandbox(folder / "first", image, authority, number=1)
        second = Sandbox(folder / "second", image, authority, number=2, fabric=first.fabric)
        self.fabric = first.fabric
        self.amphorae = tuple(
            Amphora(sandbox, role, address)
            for sandbox, role, address in zip((first, second), ("MASTER", "BACKUP"), ADDRESSES, strict=True)
        )
        self.number = 0
        for client in CLIENTS:
            ip("-n", self.fabric, "addr", "add", f"{client}/24", "dev", "public")
        self._members = self._start_members(folder)
        for amphora in self.amphorae:
            amphora.sandbox.start()

    def _start_members(self, folder: Path) -> subprocess.Popen[bytes]:
        sections = [
            f"frontend {name}\n bind {HOME}:{number}\n http-request return status 200 content-type text/plain string {name}"
            for name, number in MEMBERS.items()
        ]
        head = "global\n nbthread 1\ndefaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s"
        (folder / "members.cfg").write_text("\n".join([head, *sections, ""]))
        command = ["ip", "netns", "exec", self.fabric, "haproxy", "-f", str(folder / "members.cfg")]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def destroy(self) -> None:
        self._members.kill()
        self._members.wait(10)
        for amphora in reversed(self.amphorae):
            amphora.sandbox.destroy()
            print(amphora.sandbox.log())

    # ---- what they serve

    def wish(self, *vips: Vip, listeners: tuple[Listener, ...] | None = None, **fields: Any) -> LoadBalancerWish:
        """A load balancer with three members; `fields` are its pool's."""
        pools = (
            PoolWish(
                pool=pool(**fields),
                members=tuple(
                    member(id=MemberId(an_id(name)), address=HOME, protocol_port=number)
                    for name, number in MEMBERS.items()
                ),
            ),
        )
        first, *others = vips or (vip(address=VIP),)
        return LoadBalancerWish(
            generation=1,
            load_balancer=load_balancer(vip=first, additional_vips=tuple(others)),
            listeners=(listener(default_pool_id=pools[0].pool.id),) if listeners is None else listeners,
            pools=pools,
        )

    def configure(self, amphora: Amphora, *wishes: LoadBalancerWish, **fields: Any) -> Answer:
        """Have one of them serve this as one of the pair, or as `fields` say."""
        self.number += 1
        partners = [other for other in self.amphorae if other is not amphora]
        defaults: dict[str, Any] = {
            "amphora_id": amphora.id,
            "bundle": self.number,
            "role": amphora.role,
            "vip_port_id": amphora.port_id,
            "member_ports": {},
            "peers": tuple(Peer(amphora_id=other.id, vip_port_id=other.port_id) for other in partners),
            "load_balancers": wishes or (self.wish(),),
        }
        wanted = order(**(defaults | fields))
        answer = amphora.sandbox.controller.ask("PUT", "/v1/configuration", self._rendered(amphora, wanted))
        if answer.status == 200:
            amphora.in_force = (wanted, answer.body["digest"])
        return answer

    def _rendered(self, amphora: Amphora, wanted: ConfigureAmphora) -> bytes:
        driver, ports = HaproxyDriver(), {other.port_id: other.port for other in self.amphorae}
        bundle = driver.render(wanted, ports, {})
        if amphora.in_force:
            before, digest = amphora.in_force
            if commands := driver.runtime_commands(before, wanted, ports):
                bundle = msgspec.structs.replace(bundle, runtime=Runtime(base=digest, commands=commands))
        return bundle.to_body()

    def serve(self, *wishes: LoadBalancerWish, **fields: Any) -> Amphora:
        """Have both serve this, and give the one that became master."""
        for amphora in self.amphorae:
            answer = self.configure(amphora, *wishes, **fields)
            assert answer.status == 200, answer
        return self.master()

    def master(self) -> Amphora:
        """The one that plays the master, once the other one plays the backup."""
        eventually(lambda: sorted(amphora.plays for amphora in self.amphorae) == ["BACKUP", "MASTER"], deadline_s=15)
        return next(amphora for amphora in self.amphorae if amphora.plays == "MASTER")

    def partner(self, amphora: Amphora) -> Amphora:
        return next(other for other in self.amphorae if other is not amphora)

    # ---- what is seen of them

    def answering(self, address: str = VIP) -> set[str]:
        """The cards that answer when somebody asks for an address."""
        command = ["ip", "netns", "exec", self.fabric, "arping", "-b", "-c", "2", "-w", "2", "-I", "public", address]
        said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        return {mac.lower() for mac in re.findall(r"\[([0-9A-Fa-f:]{17})\]", said)}

    def holders(self, address: str = VIP) -> list[str]:
        """Whose kernel has it, by its role's name."""
        shown = ["-o", "address", "show", "dev", "vip0"]
        return [
            amphora.role
            for amphora in self.amphorae
            if f" {address}/"
            in subprocess.run(
                ["ip", "-n", amphora.sandbox.traffic, *shown], check=False, capture_output=True, text=True
            ).stdout
        ]


class Probe:
    """When the client was answered, as it happens."""

    def __init__(self, namespace: str, address: str) -> None:
        command = ["ip", "netns", "exec", namespace, sys.executable, str(Path(__file__).with_name("probe.py"))]
        self._process = subprocess.Popen(
            [*command, address, "80"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.answers: list[float] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.answers.append(float(line))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
        self._thread.join(10)

    def flows(self, *, deadline_s: float = 10.0) -> None:
        """Until it was answered for a while without a break."""
        eventually(lambda: self._last_break_ago_s() > 0.3, deadline_s=deadline_s)

    def _last_break_ago_s(self) -> float:
        now, answers = time.monotonic(), self.answers[-200:]
        if not answers or now - answers[-1] > 0.05:
            return 0.0
        breaks = [later for before, later in itertools.pairwise(answers) if later - before > 0.05]
        return now - (breaks[-1] if breaks else answers[0])

    def outage_ms(self, since: float) -> float:
        """The longest time without an answer from then on, once it is over for a while."""
        eventually(lambda: self._last_break_ago_s() > 0.3 and self.answers[-1] - since > 0.3, deadline_s=10)
        last = max((at for at in self.answers if at < since), default=since)
        times = [last, *(at for at in self.answers if at >= since)]
        return max((later - before) * 1000 for before, later in itertools.pairwise(times))


@contextlib.contextmanager
def probing(pair: Pair, address: str = VIP) -> Iterator[Probe]:
    probe = Probe(pair.fabric, address)
    try:
        probe.flows()
        yield probe
    finally:
        probe.close()
