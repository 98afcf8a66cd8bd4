"""Chooses what a new world uses. The checkout's own world has fixed defaults; any other takes what is free beside it."""

import socket
from collections.abc import Iterator
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network
from itertools import repeat
from pathlib import Path

from actium_embedded.errors import WorldError
from actium_embedded.host import routed_ranges
from actium_embedded.world import DEFAULT_FOLDER, Auth, Choices, Ipv6, Kind, Network, Ports, World, name_for

API_PORT = 9876
NATS_PORT = 14222
NATS_MONITORING_PORT = 18222
PORTS_TRIED = 200
PLACES = 1000

PUBLIC_RANGE = IPv4Network("203.0.113.0/24")
"""Reserved for documentation, so that no real host is hidden by it."""

OTHER_PUBLIC_RANGES = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarks; 512 worlds find room in it."""

NOOP_POOL = ("10.16.0.0", "10.31.255.255")
"""A million addresses; nothing is behind them, so each network may have the same."""

IPV6 = Path("/proc/sys/net/ipv6")

HOSTS = ("host-1", "host-2", "host-3")


def choose(
    folder: Path,
    *,
    name: str | None = None,
    api_port: int | None = None,
    kind: Kind = "embedded",
    auth: Auth = "none",
) -> World:
    """What the first `up` in this folder uses. Nothing is written or reserved."""
    fixed = folder == DEFAULT_FOLDER
    name = name or name_for(folder)
    place = 0 if fixed else place_of(name)
    ports = Ports(
        api=api_port or (API_PORT if fixed else free_port(API_PORT + place)),
        nats=free_port(NATS_PORT + place),
        nats_monitoring=free_port(NATS_MONITORING_PORT + place),
    )
    chosen = (
        noop_networks()
        if kind == "noop"
        else networks(PUBLIC_RANGE if fixed else free_range(start=place), ipv6=unique_ipv6(name))
    )
    choices = Choices(name=name, kind=kind, auth=auth, ports=ports, hosts=HOSTS, networks=chosen)
    return World(folder=folder, choices=choices)


def place_of(name: str) -> int:
    """Where a world begins to look for what is free, so that two first `up`s at one time rarely choose the same."""
    return 1 + int(sha256(name.encode()).hexdigest(), 16) % PLACES


def with_free_inner_ports(ports: Ports) -> Ports:
    """The same, but for ports of the world's own inside that were taken while it was down: nobody else knows them."""
    return Ports(
        api=ports.api,
        nats=free_port(ports.nats),
        nats_monitoring=free_port(ports.nats_monitoring),
    )


def unique_ipv6(name: str) -> IPv6Network | None:
    """A private range that hardly another world or network has; None where this machine has no IPv6."""
    if not IPV6.exists():
        return None
    number = int.from_bytes(sha256(name.encode()).digest()[:5])
    return IPv6Network(((0xFD << 120) | (number << 80), 48))


def networks(public: IPv4Network, *, ipv6: IPv6Network | None = None) -> tuple[Network, ...]:
    subnets = ipv6.subnets(new_prefix=64) if ipv6 else repeat(None)
    return (
        Network(
            name="lb-mgmt",
            role="management",
            cidr="10.250.0.0/16",
            controller="10.250.0.1",
            pool=("10.250.1.0", "10.250.255.254"),
        ),
        Network(
            name="public",
            role="vip",
            cidr=str(public),
            gateway=str(public[1]),
            host=str(public[2]),
            pool=(str(public[100]), str(public[250])),
            routed=True,
            ipv6=second_subnet(next(subnets), host=True),
        ),
        tenant("tenant-a", 1, ipv6=next(subnets)),
        tenant("tenant-b", 2),  # there are networks without IPv6
    )


def second_subnet(range_: IPv6Network | None, *, host: bool = False) -> Ipv6 | None:
    if range_ is None:
        return None
    return Ipv6(
        cidr=str(range_),
        gateway=str(range_[1]),
        host=str(range_[2]) if host else None,
        pool=(str(range_[0x1000]), str(range_[0xFFFF])),
    )


def noop_networks() -> tuple[Network, ...]:
    """Those that can be found by name; wide, as load tests take many addresses. Others are there once somebody names them."""
    return (
        Network(name="lb-mgmt", role="management", cidr="10.0.0.0/8", controller="10.0.0.1", pool=NOOP_POOL),
        Network(name="public", role="vip", cidr="10.0.0.0/8", gateway="10.0.0.1", pool=NOOP_POOL),
        *(
            Network(name=name, role="tenant", cidr="10.0.0.0/8", gateway="10.0.0.1", pool=NOOP_POOL)
            for name in ("tenant-a", "tenant-b")
        ),
    )


def tenant(name: str, number: int, *, ipv6: IPv6Network | None = None) -> Network:
    prefix = f"10.{number}.0"
    pool = (f"{prefix}.100", f"{prefix}.250")
    return Network(
        name=name,
        role="tenant",
        cidr=f"{prefix}.0/24",
        gateway=f"{prefix}.1",
        pool=pool,
        routed=True,
        ipv6=second_subnet(ipv6),
    )


def free_port(start: int) -> int:
    for port in range(start, start + PORTS_TRIED):
        if is_free(port):
            return port
    raise WorldError(f"no port from {start} to {start + PORTS_TRIED} is free on 127.0.0.1")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_range(*, start: int) -> IPv4Network:
    taken = routed_ranges()
    for candidate in _rotated(list(OTHER_PUBLIC_RANGES.subnets(new_prefix=24)), start):
        if not any(candidate.overlaps(route.range) for route in taken):
            return candidate
    raise WorldError(f"the host routes all of {OTHER_PUBLIC_RANGES}; make a world.toml with a range of your own")


def _rotated(ranges: list[IPv4Network], start: int) -> Iterator[IPv4Network]:
    yield from (ranges[(start + step) % len(ranges)] for step in range(len(ranges)))
