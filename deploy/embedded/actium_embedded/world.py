"""What a world is: its folder, name, ports and networks, as kept in `world.toml`. Where each of its files lies."""

import tomllib
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Literal

import msgspec

from actium_embedded.errors import WorldError
from actium_embedded.files import write_atomically
from actium_embedded.toml import to_toml

CHECKOUT = Path(__file__).resolve().parents[3]
DEFAULT_FOLDER = CHECKOUT / ".world"
DEFAULT_NAME = "actium"

Kind = Literal["embedded", "noop"]
"""`noop`: nothing stands behind the API, the planner and the log; whatever is asked of networks and machines is done at once."""

Auth = Literal["none", "keystone"]
"""`none`: everyone on loopback is an administrator."""

NAME_LENGTH_MAX = 8
"""The host's link is called `<name>-public`, and the kernel takes 15 characters."""


class Ipv6(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A network's second subnet; it is called as the network, with -v6 behind it."""

    cidr: str
    pool: tuple[str, str]
    gateway: str | None = None
    host: str | None = None


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    role: str
    cidr: str
    pool: tuple[str, str]
    gateway: str | None = None
    host: str | None = None
    controller: str | None = None
    routed: bool = False
    ipv6: Ipv6 | None = None

    @property
    def range(self) -> IPv4Network:
        return IPv4Network(self.cidr)

    @property
    def host_address(self) -> str:
        """This machine's own address on it, where it has one."""
        if self.host is None:
            raise WorldError(f"the host is not on network {self.name}: its `host` is missing in world.toml")
        return self.host

    def ipv6_beside(self, address: str) -> str | None:
        """The IPv6 address of whoever has this IPv4 address here: it ends in the same figures, where there is IPv6."""
        if self.ipv6 is None:
            return None
        return f"{IPv6Network(self.ipv6.cidr)[0]}{address.rpartition('.')[2]}"

    def in_pool(self, address: IPv4Address) -> bool:
        return IPv4Address(self.pool[0]) <= address <= IPv4Address(self.pool[1])


class Ports(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All on loopback."""

    api: int
    nats: int
    nats_monitoring: int


class Choices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `world.toml`; an operator may edit it while the world is down."""

    name: str
    kind: Kind = "embedded"
    auth: Auth = "none"
    ports: Ports
    hosts: tuple[str, ...]
    networks: tuple[Network, ...]


class World(msgspec.Struct, frozen=True, kw_only=True):
    folder: Path
    choices: Choices

    @property
    def name(self) -> str:
        return self.choices.name

    @property
    def is_on_host(self) -> bool:
        """Whether anything of it is on this machine but files, processes and loopback ports: that needs root."""
        return self.choices.kind != "noop"

    @property
    def fabric_namespace(self) -> str:
        return f"{self.name}-fabric"

    @property
    def router_namespace(self) -> str:
        return f"{self.name}-router"

    @property
    def host_link(self) -> str:
        return f"{self.name}-public"

    def backend_namespace(self, backend: str) -> str:
        return f"{self.name}-backend-{backend}"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.choices.ports.api}"

    @property
    def networks(self) -> tuple[Network, ...]:
        return self.choices.networks

    def network(self, name: str) -> Network:
        for network in self.networks:
            if network.name == name:
                return network
        known = ", ".join(network.name for network in self.networks)
        raise WorldError(f"there is no network {name!r}; there are: {known}")

    def network_with_role(self, role: str) -> Network:
        return next(network for network in self.networks if network.role == role)

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def amphorae(self) -> Path:
        return self.folder / "amphorae"

    @property
    def backends(self) -> Path:
        return self.folder / "backends"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def fabric_file(self) -> Path:
        return self.folder / "fabric.toml"

    @property
    def policy_file(self) -> Path:
        return self.folder / "policy.yaml"

    def make_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.secrets, self.data, self.amphorae):
            folder.mkdir(mode=0o700, exist_ok=True)
        for folder in (self.backends, self.logs, self.run):
            folder.mkdir(exist_ok=True)


def world_file(folder: Path) -> Path:
    return folder / "world.toml"


def exists(folder: Path) -> bool:
    return world_file(folder).exists()


def load(folder: Path) -> World:
    """
    Read the world of this folder.

    Raises:
        WorldError: there is none, or a field of `world.toml` is wrong; the sentence names it.
    """
    path = world_file(folder)
    try:
        choices = msgspec.convert(tomllib.loads(path.read_text()), Choices)
    except FileNotFoundError as exc:
        raise WorldError(f"there is no world in {folder} yet; `./actium up` makes one") from exc
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise WorldError(f"{path}: {exc}") from exc
    check(choices, path)
    return World(folder=folder, choices=choices)


def check(choices: Choices, path: Path) -> None:
    if not 0 < len(choices.name) <= NAME_LENGTH_MAX or not choices.name.replace("-", "").isalnum():
        raise WorldError(
            f"{path}: name must be 1 to {NAME_LENGTH_MAX} letters, digits or hyphens, not {choices.name!r}"
        )
    for network in choices.networks:
        check_network(network, path)
    for role in ("management", "vip"):
        if not any(network.role == role for network in choices.networks):
            raise WorldError(f"{path}: networks: one must have role = {role!r}")


def check_network(network: Network, path: Path) -> None:
    own = {"gateway": network.gateway, "host": network.host, "controller": network.controller}
    ipv6 = network.ipv6
    try:
        check_places(own, network.pool, network.range)
        if ipv6:
            check_places({"gateway": ipv6.gateway, "host": ipv6.host}, ipv6.pool, IPv6Network(ipv6.cidr))
    except ValueError as exc:
        raise WorldError(f"{path}: network {network.name}: {exc}") from exc


def check_places(own: Mapping[str, str | None], pool: tuple[str, str], inside: IPv4Network | IPv6Network) -> None:
    """
    Raises:
        ValueError: names the field that is no address of the range.
    """
    for field, address in {**own, "pool[0]": pool[0], "pool[1]": pool[1]}.items():
        if address is not None and ip_address(address) not in inside:
            raise ValueError(f"{field} {address} is outside of {inside}")


def save(world: World) -> None:
    """Write `world.toml` and what the network service reads of it."""
    plain: dict[str, Any] = msgspec.to_builtins(world.choices)
    head = "# Chosen at the first `./actium up`. May be edited while the world is down.\n"
    write_atomically(world_file(world.folder), (head + to_toml(plain)).encode())
    fabric = {
        "fabric": {
            "world": world.name,
            "namespace": world.fabric_namespace,
            "router": world.router_namespace,
            "host_link": world.host_link,
            "hosts": list(world.choices.hosts),
        },
        "networks": plain["networks"],
    }
    write_atomically(world.fabric_file, ("# Made from world.toml; do not edit.\n" + to_toml(fabric)).encode())


def name_for(folder: Path) -> str:
    """The checkout's own world has the plain name; any other gets one that is stable for its folder."""
    if folder == DEFAULT_FOLDER:
        return DEFAULT_NAME
    return f"w{sha256(str(folder).encode()).hexdigest()[:7]}"
