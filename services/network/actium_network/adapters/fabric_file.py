"""
The fabric as its TOML file describes it, read once and checked; nothing is made here.

The file is written by the world's tools; a person may have edited it, so every mistake is named.
"""

import re
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import combinations
from pathlib import Path
from typing import Literal

import msgspec

from actium_network.ports import Network, Subnet
from actium_shared import embedded
from actium_shared.errors import SettingsError

_MANAGEMENT = "management"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,11}")


class Ipv6Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network's second subnet; it is called as the network, with -v6 behind it."""

    cidr: str
    pool: tuple[str, str]
    gateway: str | None = None
    host: str | None = None

    @property
    def prefix_length(self) -> int:
        return ip_network(self.cidr).prefixlen


class NetworkPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network with its subnet, or two. The name leaves room in a link's 15 characters for a prefix of three."""

    name: str
    role: Literal["management", "vip", "tenant"]
    cidr: str
    pool: tuple[str, str]
    gateway: str | None = None
    routed: bool = False
    host: str | None = None
    controller: str | None = None
    mtu: int = 1500
    ipv6: Ipv6Plan | None = None

    @property
    def prefix_length(self) -> int:
        return ip_network(self.cidr).prefixlen

    def as_network(self, world: str) -> Network:
        """Give what the service tells others of this network."""
        network_id = embedded.network_id(world, self.name)
        subnet = Subnet(
            id=embedded.subnet_id(world, self.name),
            name=self.name,
            network_id=network_id,
            cidr=self.cidr,
            pool_start=self.pool[0],
            pool_end=self.pool[1],
            gateway=self.gateway,
            routed=self.routed,
            controller=self.controller,
            host=self.host,
        )
        subnets = (subnet, self._ipv6_subnet(world, self.ipv6)) if self.ipv6 else (subnet,)
        return Network(id=network_id, name=self.name, role=self.role, mtu=self.mtu, subnets=subnets)

    def _ipv6_subnet(self, world: str, plan: Ipv6Plan) -> Subnet:
        name = f"{self.name}-v6"
        return Subnet(
            id=embedded.subnet_id(world, name),
            name=name,
            network_id=embedded.network_id(world, self.name),
            cidr=plan.cidr,
            pool_start=plan.pool[0],
            pool_end=plan.pool[1],
            gateway=plan.gateway,
            routed=self.routed,
            host=plan.host,
        )


class FabricPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole fabric."""

    namespace: str
    router: str
    host_link: str
    hosts: tuple[str, ...]
    world: str
    networks: tuple[NetworkPlan, ...]


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    namespace: str
    router: str
    host_link: str
    world: str
    hosts: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fabric: _Head
    networks: tuple[NetworkPlan, ...]


def read(path: Path) -> FabricPlan:
    """
    Read and check the file.

    Raises:
        SettingsError: it cannot be read, or something in it cannot be; the message names the field.
    """
    try:
        file = msgspec.convert(tomllib.loads(path.read_text()), _File)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise SettingsError(f"fabric file {path}: {exc}") from exc
    plan = FabricPlan(**msgspec.structs.asdict(file.fabric), networks=file.networks)
    if problem := _first_problem(plan):
        raise SettingsError(f"fabric file {path}: {problem}")
    return plan


def _first_problem(plan: FabricPlan) -> str | None:
    names = [network.name for network in plan.networks]
    managed = [network.name for network in plan.networks if network.role == _MANAGEMENT]
    hosted = [network.name for network in plan.networks if network.host]
    checks = (
        (len(plan.host_link) <= 15, f"host_link {plan.host_link!r} is longer than 15 characters"),
        (bool(plan.hosts), "hosts is empty; name one logical host at least"),
        (len(set(names)) == len(names), "two networks have the same name"),
        (len(managed) == 1, f"exactly one network must have the role {_MANAGEMENT}, not {len(managed)}"),
        (len(hosted) <= 1, f"only one network can have a `host` address, not {' and '.join(hosted)}"),
    )
    problems = [problem for holds, problem in checks if not holds]
    problems += [f"network {network.name}: {problem}" for network in plan.networks for problem in _problems(network)]
    return next(iter(problems or _overlaps(plan)), None)


def _problems(network: NetworkPlan) -> list[str]:
    try:
        cidr = ip_network(network.cidr)
    except ValueError as exc:
        return [f"cidr: {exc}"]
    if not isinstance(cidr, IPv4Network):
        return [f"cidr {cidr} is not IPv4"]
    missing = {
        "gateway (it is routed)": network.routed and not network.gateway,
        "controller (it is the management network)": network.role == _MANAGEMENT and not network.controller,
    }
    own = {"gateway": network.gateway, "host": network.host, "controller": network.controller}
    return [
        *([] if _NAME.fullmatch(network.name) else ["name must be 1 to 12 lower-case letters, digits or hyphens"]),
        *(f"{field} is missing" for field, is_missing in missing.items() if is_missing),
        *_misplaced(own, network.pool, cidr),
        *(f"ipv6: {problem}" for problem in _ipv6_problems(network)),
    ]


def _ipv6_problems(network: NetworkPlan) -> list[str]:
    plan = network.ipv6
    if plan is None:
        return []
    try:
        cidr = ip_network(plan.cidr)
    except ValueError as exc:
        return [f"cidr: {exc}"]
    if not isinstance(cidr, IPv6Network):
        return [f"cidr {cidr} is not IPv6"]
    missing = {
        "gateway (the network is routed)": network.routed and not plan.gateway,
        "host (the network has one)": bool(network.host) != bool(plan.host),
    }
    return [
        *(f"{field} is missing" for field, is_missing in missing.items() if is_missing),
        *_misplaced({"gateway": plan.gateway, "host": plan.host}, plan.pool, cidr),
    ]


def _misplaced(own: Mapping[str, str | None], pool: tuple[str, str], cidr: IPv4Network | IPv6Network) -> list[str]:
    named = {**own, "pool start": pool[0], "pool end": pool[1]}
    outside = [f"{field} {text!r} is not an address of {cidr}" for field, text in named.items() if not _in(text, cidr)]
    return outside or [
        f"{field} {text} lies in the pool" for field, text in own.items() if text and _is_pooled(text, pool)
    ]


def _in(text: str | None, cidr: IPv4Network | IPv6Network) -> bool:
    try:
        return text is None or ip_address(text) in cidr
    except ValueError:
        return False


def _is_pooled(text: str, pool: tuple[str, str]) -> bool:
    start, end = (int(ip_address(bound)) for bound in pool)
    return start <= int(ip_address(text)) <= end


def _overlaps(plan: FabricPlan) -> list[str]:
    # Only the router sees several ranges at once; what it has no leg in may overlap with anything.
    routed = [network for network in plan.networks if network.routed]
    return [
        f"routed networks {one.name} and {other.name} overlap"
        for one, other in combinations(routed, 2)
        if IPv4Network(one.cidr).overlaps(IPv4Network(other.cidr))
        or (one.ipv6 and other.ipv6 and IPv6Network(one.ipv6.cidr).overlaps(IPv6Network(other.ipv6.cidr)))
    ]
