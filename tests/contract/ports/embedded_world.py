"""A throwaway embedded world for tests: names and ranges of its own, and proof afterwards that nothing of it is left."""

import asyncio
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from actium_compute.adapters.namespaces import NamespaceMachines, NamespaceSettings
from actium_compute.ports import MachinePort, MachineWish
from actium_network.adapters import fabric_file
from actium_network.adapters.netlink import NetlinkFabric
from actium_network.ports import PortWish
from actium_shared import embedded
from actium_shared.embedded import namespaces, teardown

IMAGE = "stand-in"
INIT = "trap 'exit 0' TERM\necho started\nwhile :; do sleep 1000 & wait $!; done\n"
TIMEOUT_S = 20.0

FABRIC = """
[fabric]
namespace = "{name}-fabric"
router = "{name}-router"
host_link = "{name}-public"
hosts = ["host-1", "host-2", "host-3"]
world = "{name}"

[[networks]]
name = "lb-mgmt"
role = "management"
cidr = "10.250.0.0/16"
controller = "10.250.0.1"
pool = ["10.250.1.0", "10.250.255.254"]

[[networks]]
name = "public"
role = "vip"
cidr = "198.18.{third}.0/24"
gateway = "198.18.{third}.1"
host = "198.18.{third}.2"
pool = ["198.18.{third}.100", "198.18.{third}.250"]
routed = true

[networks.ipv6]
cidr = "fd42:0:{third}::/64"
gateway = "fd42:0:{third}::1"
host = "fd42:0:{third}::2"
pool = ["fd42:0:{third}::1000", "fd42:0:{third}::ffff"]

[[networks]]
name = "tenant-a"
role = "tenant"
cidr = "10.1.0.0/24"
gateway = "10.1.0.1"
pool = ["10.1.0.100", "10.1.0.250"]
routed = true

[networks.ipv6]
cidr = "fd42:1:{third}::/64"
gateway = "fd42:1:{third}::1"
pool = ["fd42:1:{third}::1000", "fd42:1:{third}::ffff"]

[[networks]]
name = "island"
role = "tenant"
cidr = "10.250.0.0/16"
pool = ["10.250.1.0", "10.250.255.254"]
"""


@dataclass(slots=True)
class World:
    """Where everything of one throwaway world is."""

    folder: Path
    name: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}")

    @classmethod
    def make(cls, folder: Path) -> "World":
        world = cls(folder)
        (folder / "fabric.toml").write_text(FABRIC.format(name=world.name, third=secrets.randbelow(254)))
        (folder / "images" / IMAGE).mkdir(parents=True)
        (folder / "images" / IMAGE / "init").write_text(INIT)
        return world

    @property
    def plan(self) -> fabric_file.FabricPlan:
        return fabric_file.read(self.folder / "fabric.toml")

    @property
    def amphorae(self) -> Path:
        return self.folder / "amphorae"

    def fabric(self) -> NetlinkFabric:
        return NetlinkFabric(self.plan)

    def machines(self) -> NamespaceMachines:
        settings = NamespaceSettings(
            images_folder=self.folder / "images",
            amphorae_folder=self.amphorae,
            fabric_namespace=self.plan.namespace,
        )
        return NamespaceMachines(settings)

    def network_id(self, name: str) -> str:
        return embedded.network_id(self.name, name)

    def remove(self) -> None:
        ids = sorted(entry.name for entry in self.amphorae.iterdir()) if self.amphorae.exists() else []
        teardown.remove_world(self.plan.namespace, self.plan.router, self.plan.host_link, ids)


def port_wish(network_id: str, port_id: str | None = None) -> PortWish:
    port_id = port_id or str(uuid.uuid4())
    return PortWish(
        port_id=port_id, network_id=network_id, mac=embedded.mac_of(port_id), address=None, prefix_length=16
    )


def machine_port(port_id: str, address: str = "10.250.1.1") -> MachinePort:
    return MachinePort(port_id=port_id, mac=embedded.mac_of(port_id), address=address, prefix_length=16)


def machine_wish(amphora_id: str, port: MachinePort, **changes: object) -> MachineWish:
    given = {
        "amphora_id": amphora_id,
        "image_tag": IMAGE,
        "management_port": port,
        "files": lambda: {"heartbeat.key": b"k" * 32},
    }
    return MachineWish(**(given | changes))  # type: ignore[arg-type]


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def traces(*ids: str) -> list[str]:
    """Everything on this machine that carries one of the ids (names of worlds, amphorae) in its name."""
    folders = [folder for folder in (namespaces.FOLDER, embedded.RUN_FOLDER) if folder.exists()]
    known = [*namespaces.links(None), *(entry.name for folder in folders for entry in folder.iterdir()), *_launches()]
    return [name for name in known if any(wanted in name for wanted in ids)]


def _launches() -> list[str]:
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((process / "cmdline").read_text(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return [line for line in lines if "AMPHORA_ID=" in line]


async def eventually(true: Callable[[], bool], *, timeout_s: float = 5.0) -> None:
    ends_at = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends_at, "did not come true in time"
        await asyncio.sleep(0.01)
