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


class LogStream(msgspec.Struct, frozen=True, kw_only=True):
    """Of one load balancer: the `signature` lets its bearer put objects under the `prefix`."""

    prefix: str
    signature: str

    def __repr__(self) -> str:
        """Whoever has read the signature in a log could write, too."""
        return f"LogStream(prefix={self.prefix!r})"


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where lines about traffic go, by load balancer: into objects of the container at `path` of a store.

    Those of `streams` begin with the load balancer's id and a blank, then follow `format`.
    """

    addresses: tuple[tuple[str, int], ...]
    host: str
    server_name: str
    ca: str
    path: str
    expires_at: int
    cut_after_s: float
    keep_s: float
    delete_after_s: int
    format: str
    streams: Mapping[str, LogStream]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """One whole configuration of one amphora. The digest is over all that decides what runs, not over the numbers."""

    bundle: int
    epoch: int
    digest: str
    files: Mapping[str, bytes]
    interfaces: tuple[Interface, ...]
    flags: Flags = Flags()
    runtime: Runtime | None = None
    logs: Logs | None = None

    def __repr__(self) -> str:
        """Its files hold keys, which must get into no log and no trace."""
        return f"Bundle(bundle={self.bundle}, epoch={self.epoch}, digest={self.digest!r}, files={sorted(self.files)})"

    def to_body(self) -> bytes:
        return msgspec.msgpack.encode(self)


def digest_of(files: Mapping[str, bytes], interfaces: tuple[Interface, ...], logs: Logs | None = None) -> str:
    """Give the SHA-256 of what runs, the same for the same content in any order of files."""
    parts = (sorted(files.items()), interfaces, *((logs,) if logs else ()))
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()
