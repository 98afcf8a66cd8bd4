"""What this host has: routes, namespaces, links, listeners. Reads, and runs the few commands that change namespaces."""

import json
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from actium_embedded.errors import WorldError

COMMAND_TIMEOUT_S = 30.0
PROC = Path("/proc")
NAMESPACES = Path("/run/netns")
TCP_LISTEN = "0A"


class Route(NamedTuple):
    range: IPv4Network
    device: str


def run(*command: str, given: str | None = None) -> str:
    """
    Run a program to its end and give its output.

    Raises:
        WorldError: it failed or took too long; the sentence carries the program's own words.
    """
    words = " ".join(command)
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except FileNotFoundError as exc:
        raise WorldError(f"the program {command[0]} is not installed") from exc
    except subprocess.TimeoutExpired as exc:
        raise WorldError(f"`{words}` took longer than {COMMAND_TIMEOUT_S:.0f} s") from exc
    if done.returncode != 0:
        raise WorldError(f"`{words}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def routed_ranges() -> list[Route]:
    """The host's IPv4 routes, but for default ones (some VPNs write the default as two halves)."""
    routes = json.loads(run("ip", "-j", "-4", "route", "show", "table", "main") or "[]")
    return [
        Route(IPv4Network(route["dst"]), route.get("dev", "?"))
        for route in routes
        if route["dst"][0].isdigit() and IPv4Network(route["dst"]).prefixlen > 1
    ]


def namespaces() -> set[str]:
    return {entry.name for entry in NAMESPACES.iterdir()} if NAMESPACES.is_dir() else set()


def links(namespace: str | None = None) -> set[str]:
    where = ("-n", namespace) if namespace else ()
    return {link["ifname"] for link in json.loads(run("ip", "-j", *where, "link", "show") or "[]")}


def listener_on(port: int) -> str | None:
    """Who listens on this TCP port, as far as this user may know; None where nobody is found."""
    inode = _listening_inode(port)
    if inode is None:
        return None
    for process in PROC.iterdir():
        if process.name.isdigit() and _holds(process, f"socket:[{inode}]"):
            return f"pid {process.name} ({(process / 'comm').read_text().strip()})"
    return None


def is_listening(port: int, *, seen_by: int) -> bool:
    """Whether something listens on this port in the network namespace of that process."""
    return _listening_inode(port, PROC / str(seen_by) / "net") is not None


def _listening_inode(port: int, net: Path = PROC / "net") -> str | None:
    for table in ("tcp", "tcp6"):
        path = net / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == TCP_LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                return fields[9]
    return None


def _holds(process: Path, target: str) -> bool:
    try:
        return any(str(descriptor.readlink()) == target for descriptor in (process / "fd").iterdir())
    except OSError:
        return False  # it ended while we looked, or is not ours to look into
