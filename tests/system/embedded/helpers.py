"""What the tests of the embedded world share: a world of stand-ins, and a picture of the machine to compare."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from actium_embedded import processes, up
from actium_embedded.processes import Process
from actium_embedded.world import World

STAND_INS = Path(__file__).with_name("stand_ins.py")
SERVICES = ("network", "compute", "api")


def stand_in_table(world: World, *, compute: str = "idle") -> tuple[Process, ...]:
    """The real nats-server and three stand-ins."""
    compute_that_fails = "compute" if compute == "failing" else None
    words = {
        "network": ("network", str(world.fabric_file)),
        "compute": (compute,),
        "api": ("api", str(world.choices.ports.api), *(name for name in SERVICES if name != compute_that_fails)),
    }
    stand_ins = (_stand_in(name, words[name]) for name in SERVICES)
    return (processes.table(world)[0], *stand_ins)


def _stand_in(name: str, words: tuple[str, ...]) -> Process:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return Process(name=name, command=(sys.executable, str(STAND_INS), *words), environment={"PATH": path})


def bring_up(folder: Path, *, compute: str = "idle", ready_within_s: float = 30.0) -> World:
    world = up.bring_up(folder, make_table=partial(stand_in_table, compute=compute), ready_within_s=ready_within_s)
    await_true(lambda: f"br-{world.networks[-1].name}" in _links(world.fabric_namespace))
    return world


def _links(namespace: str) -> str:
    return subprocess.run(["ip", "-n", namespace, "link"], capture_output=True, text=True, check=False).stdout


def snapshot() -> dict[str, str]:
    """All that a world could leave behind, in words, so that a difference reads well."""
    commands = {
        "links": "ip -br link | sort; ip -br address | sort",
        "routes": "ip route; ip rule",
        "namespaces": "ls /run/netns 2>/dev/null",
        "run": "find /run -mindepth 1 -not -path /run/netns | sort",
        "nft": "nft list ruleset",
        # But for what counts or drifts by itself.
        "sysctls": "sysctl -a 2>/dev/null | grep '^net[.]' | grep -v -e conntrack_count -e netfilter.nf_conntrack_dccp",
    }
    seen = {
        what: subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout
        for what, command in commands.items()
    }
    return seen | {"processes": "\n".join(sorted(living()))}


def living() -> list[str]:
    """Command lines of all processes but those that have ended and wait for their parent."""
    lines = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words:
                lines.append(words)
    return lines


def await_true(condition: Callable[[], object], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)
