"""The bundle: what an amphora is asked to be. Parsing, and the rule which bundle may follow which. Pure; applies nothing."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack

from actium_amphora_agent.errors import Invalid, Stale
from actium_amphora_agent.shipping import wanted

HAPROXY, KEEPALIVED, NFTABLES = "haproxy.cfg", "keepalived.conf", "nftables.rules"
PINGS, CHECKS = "pings", "checks.json"
_FILES = frozenset((HAPROXY, KEEPALIVED, NFTABLES, PINGS, CHECKS))
_CERTIFICATE = re.compile(r"certificates/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{1,14}")
"""At least two characters: `ip` takes a single letter for one of its keywords."""

FIRST_TABLE, LAST_TABLE = 256, 4095
"""Routing tables beyond the kernel's own, in twelve bits: a flow's mark holds one, too."""

_COMMAND = re.compile(
    r"(set server|set weight|add server|del server|enable (server|health|agent)|disable (server|health|agent)"
    r"|shutdown sessions server|set maxconn (server|frontend)|clear table|set table) [^\x00-\x1f;]+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A range behind a card, in a routing table of its own; what comes from `sources` knows no other."""

    table: int
    range: str
    gateway: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    mac: str
    name: str
    mtu: int
    addresses: tuple[str, ...] = ()
    vips: tuple[str, ...] = ()
    gateway: str | None = None
    metric: int = 0
    routes: tuple[Route, ...] = ()
    floating: tuple[str, ...] = ()
    """VIPs that keepalived gives to this card and takes away; nobody else does."""

    partners: tuple[str, ...] = ()
    """Whose VRRP and peers' protocol is heard, on a card with floating VIPs."""

    routed: tuple[str, ...] = ()
    """VIPs that a router leads to whoever has the addresses above: on no card, so that nobody is told where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    yield_: bool = False
    fence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    base: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    number: int
    epoch: int
    digest: str
    files: Mapping[str, bytes] = field(repr=False)  # tenants' private keys: never in a log
    interfaces: tuple[Interface, ...]
    flags: Flags
    runtime: Runtime | None
    logs: wanted.Logs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The bundle that was applied last. `folder` holds its files; `drift` says why they are not what runs."""

    number: int = 0
    epoch: int = 0
    digest: str = ""
    folder: str = ""
    interfaces: tuple[Interface, ...] = ()
    flags: Flags = Flags()
    unconfirmed: bool = False
    drift: str | None = None
    logs: wanted.Logs | None = None


def order_of(in_force: InForce) -> tuple[int, int]:
    return in_force.epoch, in_force.number


def is_same(bundle: Bundle, in_force: InForce) -> bool:
    """
    Whether nothing would change.

    Raises:
        Stale: something newer is in force already.
    """
    if bundle.epoch < in_force.epoch:
        raise Stale(f"epoch {bundle.epoch} is past: epoch {in_force.epoch} is in force")
    if bundle.number < in_force.number:
        raise Stale(f"bundle {bundle.number} is past: bundle {in_force.number} is in force")
    # The same number with another digest is a newer rendering, or a newer wish that came along: it is applied.
    return bundle.digest == in_force.digest


def parse(body: bytes) -> Bundle:
    """
    Raises:
        Invalid: names the field and what would be right.
    """
    try:
        fields = msgpack.unpackb(body)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as exc:
        raise Invalid(f"the body is not MessagePack: {exc}") from exc
    if not isinstance(fields, dict):
        raise Invalid("the body must be a map")
    return Bundle(
        number=_integer(fields, "bundle", least=1),
        epoch=_integer(fields, "epoch", least=0),
        digest=_text(fields, "digest"),
        files=_files(fields.get("files")),
        interfaces=_interfaces(fields.get("interfaces")),
        flags=_flags(fields.get("flags")),
        runtime=_runtime(fields.get("runtime")),
        logs=wanted.parse(fields.get("logs")),
    )


def _files(value: Any) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise Invalid(f"files must be a map of path to bytes, not {type(value).__name__}")
    for path, content in value.items():
        # A short list of known names, so that no path can leave the folder or hide a file of the agent's own.
        if not isinstance(path, str) or (path not in _FILES and not _CERTIFICATE.fullmatch(path)):
            raise Invalid(f"files: {path!r} must be one of {', '.join(sorted(_FILES))} or certificates/<name>")
        if not isinstance(content, bytes):
            raise Invalid(f"files[{path}] must be bytes, not {type(content).__name__}")
    return {path: content for path, content in value.items() if content}


def _interfaces(value: Any) -> tuple[Interface, ...]:
    if not isinstance(value, list):
        raise Invalid(f"interfaces must be a list, not {type(value).__name__}")
    interfaces = tuple(interface(item, f"interfaces[{index}].") for index, item in enumerate(value))
    for key in ("mac", "name"):
        values = [getattr(item, key) for item in interfaces]
        if len(set(values)) < len(values):
            raise Invalid(f"interfaces: the same {key} stands twice")
    return interfaces


def interface(value: Any, where: str = "") -> Interface:
    if not isinstance(value, dict):
        raise Invalid(f"{where.rstrip('.')} must be a map, not {type(value).__name__}")
    name = _text(value, "name", where)
    if not _NAME.fullmatch(name) or name == "lo":
        raise Invalid(f"{where}name must be 2 to 15 of A-Z a-z 0-9 . _ - and begin with a letter, not {name!r}")
    mac = _text(value, "mac", where).lower()
    if not _MAC.fullmatch(mac):
        raise Invalid(f"{where}mac must be six hex pairs with colons, not {mac!r}")
    gateway = value.get("gateway")
    return Interface(
        mac=mac,
        name=name,
        mtu=_integer(value, "mtu", where, least=576, most=65535),
        addresses=_prefixes(value, "addresses", where),
        vips=_prefixes(value, "vips", where),
        gateway=None if gateway is None else _address(gateway, f"{where}gateway", otherwise=" or null"),
        metric=_integer(value, "metric", where, least=0, most=2**31),
        routes=_routes(value.get("routes", ()), where),
        floating=_prefixes({"floating": (), **value}, "floating", where),
        partners=_addresses(value.get("partners", ()), f"{where}partners"),
        routed=_prefixes({"routed": (), **value}, "routed", where),
    )


def _routes(value: Any, where: str) -> tuple[Route, ...]:
    if not isinstance(value, list | tuple):
        raise Invalid(f"{where}routes must be a list, not {type(value).__name__}")
    return tuple(_route(item, f"{where}routes[{index}].") for index, item in enumerate(value))


def _route(value: Any, where: str) -> Route:
    if not isinstance(value, dict):
        raise Invalid(f"{where.rstrip('.')} must be a map, not {type(value).__name__}")
    gateway = value.get("gateway")
    try:
        behind = str(ipaddress.ip_network(str(value.get("range"))))
    except (ValueError, TypeError) as exc:
        raise Invalid(f"{where}range: {exc}") from exc
    return Route(
        table=_integer(value, "table", where, least=FIRST_TABLE, most=LAST_TABLE),
        range=behind,
        gateway=None if gateway is None else _address(gateway, f"{where}gateway", otherwise=" or null"),
        sources=_addresses(value.get("sources", ()), f"{where}sources"),
    )


def _prefixes(fields: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    values = fields.get(name)
    if not isinstance(values, list | tuple):
        raise Invalid(f"{where}{name} must be a list of address/prefix, not {type(values).__name__}")
    try:
        return tuple(ipaddress.ip_interface(value).with_prefixlen for value in values)
    except ValueError as exc:
        raise Invalid(f"{where}{name}: {exc}") from exc


def _addresses(values: Any, field: str) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        raise Invalid(f"{field} must be a list of addresses, not {type(values).__name__}")
    return tuple(_address(value, field) for value in values)


def _address(value: Any, field: str, *, otherwise: str = "") -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as exc:
        raise Invalid(f"{field} must be an IP address{otherwise}, not {value!r}") from exc


def _flags(value: Any) -> Flags:
    if not isinstance(value, dict):
        raise Invalid(f"flags must be a map, not {type(value).__name__}")
    for name, flag in value.items():
        if not isinstance(flag, bool):
            raise Invalid(f"flags.{name} must be true or false, not {flag!r}")
    return Flags(yield_=value.get("yield", False), fence=value.get("fence", False))


def _runtime(value: Any) -> Runtime | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("commands"), list):
        raise Invalid("runtime must be null or a map of base and commands")
    for index, command in enumerate(value["commands"]):
        if not isinstance(command, str) or not _COMMAND.fullmatch(command):
            raise Invalid(f"runtime.commands[{index}] is no single haproxy command about servers: {command!r}")
    return Runtime(base=_text(value, "base", "runtime."), commands=tuple(value["commands"]))


def _integer(fields: Mapping[str, Any], name: str, where: str = "", *, least: int, most: int = 2**63 - 1) -> int:
    value = fields.get(name)
    if type(value) is not int or not least <= value <= most:
        raise Invalid(f"{where}{name} must be an integer from {least} to {most}, not {value!r}")
    return value


def _text(fields: Mapping[str, Any], name: str, where: str = "") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise Invalid(f"{where}{name} must be a text of 1 to 128 characters, not {value!r}")
    return value
