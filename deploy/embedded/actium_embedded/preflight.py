"""Whether this host can carry the world; checked before anything is made. Each refusal is one sentence."""

import os
import shutil
import subprocess
from collections.abc import Iterator

from actium_embedded import host
from actium_embedded.choosing import is_free
from actium_embedded.errors import WorldError
from actium_embedded.world import World, world_file

PROGRAMS = {
    "haproxy": "haproxy",
    "keepalived": "keepalived",
    "nft": "nftables",
    "ip": "iproute2",
    "arping": "iputils-arping",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
"""Program -> the Debian package that brings it."""

DISK_BYTES_MIN = 500 * 1000 * 1000

PROBE = """
ip link add probe-bridge type bridge && ip link add probe-a type veth peer name probe-b \
&& ip link set probe-a master probe-bridge && nft add table inet probe
"""
"""What the fabric and the amphorae are made of, tried in a namespace that ends with the probe."""


def check_root() -> None:
    if os.geteuid() != 0:
        raise WorldError("this needs root, since it makes network namespaces: try it with sudo")


def check_tools() -> None:
    """What even choosing a world's ports and ranges needs."""
    check_root()
    for complaint in _programs():
        raise WorldError(complaint)


def check(world: World) -> None:
    """
    Check a world that does not run.

    Raises:
        WorldError: the first thing found that stands in the way.
    """
    for complaint in (*(_host(world) if world.is_on_host else ()), *_ports(world), *_disk(world)):
        raise WorldError(complaint)


def _host(world: World) -> Iterator[str]:
    """What only a world needs that makes namespaces and links."""
    yield from _namespaces()
    yield from _ranges(world)
    yield from _links(world)


def _programs() -> Iterator[str]:
    missing = {program: package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        yield f"{', '.join(missing)} not found; install the packages that bring it: {packages}"


def _namespaces() -> Iterator[str]:
    probe = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", PROBE], capture_output=True, text=True, timeout=30, check=False
    )
    if probe.returncode != 0:
        yield f"this host does not allow network namespaces with bridges, veth pairs and nftables: {probe.stderr.strip()}"


def _ports(world: World) -> Iterator[str]:
    ports = world.choices.ports
    for what, port in (("the API", ports.api), ("NATS", ports.nats), ("NATS monitoring", ports.nats_monitoring)):
        if not is_free(port):
            holder = host.listener_on(port) or "a process that could not be found"
            yield (
                f"port {port} on 127.0.0.1, wanted for {what}, is taken by {holder}; end that, or give another "
                f"(`./actium up --port N` for the API, {world_file(world.folder)} for all)"
            )


def _ranges(world: World) -> Iterator[str]:
    """Only networks that the host itself is on; the others live in namespaces and may overlap with anything."""
    for network in (network for network in world.networks if network.host):
        for route in host.routed_ranges():
            if route.range.overlaps(network.range) and route.device != world.host_link:
                yield (
                    f"range {network.cidr}, wanted for network {network.name}, is in use: the host routes {route.range} "
                    f"to {route.device}; choose another in {world_file(world.folder)}"
                )


def _links(world: World) -> Iterator[str]:
    if len(world.host_link) > 15:
        yield f"the name {world.name!r} is too long for a link called {world.host_link}"


def _disk(world: World) -> Iterator[str]:
    folder = next(parent for parent in (world.folder, *world.folder.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES_MIN:
        yield f"{folder} has {free // 1_000_000} MB of free space, and the world needs {DISK_BYTES_MIN // 1_000_000} MB"
