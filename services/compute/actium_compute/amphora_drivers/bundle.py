"""What an agent is given: field names are its API."""

import hashlib
from collections.abc import Mapping

import msgspec


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """
    A range that a link leads to, in a routing table of its own.

    What comes from the `sources` is routed by that table alone, and so is what carries its number as a mark (shifted left by
    20 bits): where ranges overlap, an answer leaves by the link that the question came by.
    """

    table: int
    range: str
    gateway: str | None = None
    sources: tuple[str, ...] = ()


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """
    A link as it shall be among the traffic; found by its MAC.

    The lower `metric` wins where two connected ranges overlap. `vips` are there as long as this bundle is in force;
    `floating` are keepalived's, here or with one of the `partners`: those alone may speak VRRP and peers' protocol to us.
    `routed` are VIPs that a router leads to whoever has the one or the other: they are on no link, and closed to all but it.
    """

    mac: str
    name: str
    mtu: int
    addresses: tuple[str, ...]
    vips: tuple[str, ...] = ()
    gateway: str | None = None
    metric: int
    routes: tuple[Route, ...] = ()
    floating: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()
    routed: tuple[str, ...] = ()


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """haproxy commands that lead from the configuration with digest `base` to the bundle's own."""

    base: str
    commands: tuple[str, ...]


class Flags(msgspec.Struct, frozen=True, kw_only=True, rename={"give_way": "yield"}):
    """For pairs: leave the VIPs to the other one; carry nothing at all."""

    give_way: bool = False
    fence: bool = False


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One whole configuration of one amphora. The digest is over all that decides what runs, not over the numbers."""

    bundle: int
    epoch: int
    digest: str
    files: Mapping[str, bytes]
    interfaces: tuple[Interface, ...]
    flags: Flags = Flags()
    runtime: Runtime | None = None

    def __repr__(self) -> str:
        """Its files hold keys, which must get into no log and no trace."""
        return f"Bundle(bundle={self.bundle}, epoch={self.epoch}, digest={self.digest!r}, files={sorted(self.files)})"

    def to_body(self) -> bytes:
        return msgspec.msgpack.encode(self)


def digest_of(files: Mapping[str, bytes], interfaces: tuple[Interface, ...]) -> str:
    """Give the SHA-256 of what runs, the same for the same content in any order of files."""
    return hashlib.sha256(msgspec.msgpack.encode((sorted(files.items()), interfaces))).hexdigest()
