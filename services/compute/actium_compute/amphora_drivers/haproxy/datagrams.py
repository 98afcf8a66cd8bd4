"""
What of a load balancer is UDP, as values: haproxy has no part in it. Said to the kernel by `nftables`, to the agent by `checks`.

A branch is one listener in one family of addresses. LEAST_CONNECTIONS is dealt out in turn, as ROUND_ROBIN is: the kernel knows
no connections of UDP, and flows of one packet each would tell it nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import words
from actium_compute.amphora_drivers.haproxy.interfaces import Plumbing
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.wishes import Listener, LoadBalancerWish, Member, PoolWish, SessionPersistence

PROTOCOL = "UDP"
SELECTIONS = {
    "ROUND_ROBIN": "inc",
    "LEAST_CONNECTIONS": "inc",
    "SOURCE_IP": "source",
    "SOURCE_IP_PORT": "source-port",
}
CHECK_TYPES = {name: name for name in ("UDP-CONNECT", "TCP", "HTTP")}
PERSISTENCE_S = 360
MOST_PERSISTENCE_S = 86_400 * 24
MOST_WEIGHT = 256
TABLE_SHIFT = 20
_WHOLE = {4: "255.255.255.255", 6: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A member as one branch uses it. Its mark is on all its flows: the table that leads to it, and a number of its own."""

    member: Word
    chain: str
    mark: int
    address: Word
    port: int
    weight: int
    backup: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """How long, and for which part of its address, a client is kept on its member."""

    timeout_s: int
    mask: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    name: str
    listener: Word
    pool: Word
    family: int
    vips: tuple[Word, ...]
    port: int
    allowed: tuple[Word, ...] | None
    connection_limit: int | None
    select: Word
    persistence: Persistence | None
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    text: str
    expected: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How the agent checks one member; the fields are the agent's own."""

    member: Word
    pool: Word
    kind: Word
    address: Word
    port: int
    interface: str | None
    mark: int
    delay_s: int
    timeout_s: int
    rise: int
    fall: int
    request: Request | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagrams:
    branches: tuple[Branch, ...]
    pools: Mapping[str, Mapping[str, str]]
    """Pool to member to haproxy's word for it, as long as no check says otherwise."""

    checks: tuple[Check, ...]
    vip_tables: Mapping[str, int]

    @property
    def listeners(self) -> Mapping[str, tuple[int, ...]]:
        """Give the marks of each listener's flows."""
        found: dict[str, tuple[int, ...]] = {}
        for branch in self.branches:
            marks = tuple(target.mark for target in branch.targets)
            found[branch.listener] = (*found.get(branch.listener, ()), *marks)
        return found


def datagrams(order: ConfigureAmphora, plumbing: Plumbing) -> Datagrams:
    """
    Say what of the wish is UDP.

    Raises:
        RenderError: it cannot be said.
    """
    pairs = [pair for wish in order.load_balancers if wish.load_balancer.admin_state_up for pair in _used(wish)]
    marks: set[int] = set()
    used = {pool.pool.id: pool for _, _, pool in pairs if pool}
    return Datagrams(
        branches=tuple(branch for item in pairs for branch in _branches(*item, plumbing, marks)),
        pools={words.identifier(pool.pool.id, "pool"): _member_words(pool) for pool in used.values()},
        checks=tuple(check for pool in used.values() for check in _checks(pool, plumbing)),
        vip_tables=plumbing.vip_tables,
    )


def _used(wish: LoadBalancerWish) -> Iterator[tuple[LoadBalancerWish, Listener, PoolWish | None]]:
    pools = {pool.pool.id: pool for pool in wish.pools if pool.pool.admin_state_up}
    for listener in wish.listeners:
        if listener.protocol == PROTOCOL and listener.admin_state_up:
            yield wish, listener, pools.get(listener.default_pool_id) if listener.default_pool_id else None


def _branches(
    wish: LoadBalancerWish, listener: Listener, pool: PoolWish | None, plumbing: Plumbing, marks: set[int]
) -> Iterator[Branch]:
    what = f"listener {listener.id}"
    name = words.identifier(listener.id, what)
    balancer = wish.load_balancer
    vips = [words.address(vip.address, "VIP") for vip in (balancer.vip, *balancer.additional_vips)]
    for family in sorted({ip_address(vip).version for vip in vips}):
        yield Branch(
            name=f"{name}-{family}",
            listener=name,
            pool=words.identifier(pool.pool.id, "pool") if pool else Word("none"),
            family=family,
            vips=tuple(vip for vip in vips if ip_address(vip).version == family),
            port=listener.protocol_port,
            allowed=_allowed(listener, family),
            connection_limit=listener.connection_limit if listener.connection_limit > 0 else None,
            select=_selection(pool),
            persistence=_persistence(pool.pool.session_persistence, family, f"pool {pool.pool.id}") if pool else None,
            targets=tuple(_targets(pool, name, family, plumbing, marks)) if pool else (),
        )


def _selection(pool: PoolWish | None) -> Word:
    if pool is None:
        return Word("inc")
    return words.one_of(pool.pool.lb_algorithm, SELECTIONS, f"pool {pool.pool.id}: lb_algorithm")


def _allowed(listener: Listener, family: int) -> tuple[Word, ...] | None:
    """Collapsed, as nftables takes no overlaps; none at all of this family means that nobody of it is allowed."""
    if not listener.allowed_cidrs:
        return None
    what = f"listener {listener.id}: allowed_cidrs"
    ranges = [ip_network(words.network(cidr, what)) for cidr in listener.allowed_cidrs]
    if family == 4:
        return tuple(
            Word(str(net)) for net in collapse_addresses(net for net in ranges if isinstance(net, IPv4Network))
        )
    return tuple(Word(str(net)) for net in collapse_addresses(net for net in ranges if isinstance(net, IPv6Network)))


def _persistence(wish: SessionPersistence | None, family: int, what: str) -> Persistence | None:
    if wish is None:
        return None
    if wish.type != "SOURCE_IP":
        raise RenderError(f"{what}: session_persistence: {PROTOCOL} knows SOURCE_IP only, not {wish.type[:80]!r}")
    mask = _WHOLE[family]
    if wish.persistence_granularity:
        asked = words.address(wish.persistence_granularity, f"{what}: persistence_granularity")
        mask = asked if ip_address(asked).version == family else mask
    timeout_s = PERSISTENCE_S if wish.persistence_timeout_s is None else wish.persistence_timeout_s
    return Persistence(timeout_s=min(max(timeout_s, 1), MOST_PERSISTENCE_S), mask=mask)


def _targets(pool: PoolWish, listener: Word, family: int, plumbing: Plumbing, marks: set[int]) -> Iterator[Target]:
    for member in pool.members:
        what = f"member {member.id}"
        address = words.destination(member.address, f"{what}: address")
        if not member.admin_state_up or ip_address(address).version != family:
            continue
        name = words.identifier(member.id, what)
        yield Target(
            member=name,
            chain=f"to-{listener}-{name}",
            mark=_mark(f"{listener}/{name}", _table(member, plumbing), marks),
            address=address,
            port=member.protocol_port,
            weight=min(member.weight, MOST_WEIGHT),
            backup=member.backup,
        )


def _table(member: Member, plumbing: Plumbing) -> int:
    """0 where the member names no subnet: it is found as everything else is, by the VIP network's gateway."""
    if not member.subnet_id:
        return 0
    if member.subnet_id not in plumbing.tables:
        raise RenderError(f"member {member.id}: no interface leads to its subnet {member.subnet_id}")
    return plumbing.tables[member.subnet_id]


def _mark(name: str, table: int, taken: set[int]) -> int:
    # From the names alone: the flows that run carry it, whatever else comes or goes.
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) & ((1 << TABLE_SHIFT) - 1)
    while number == 0 or (mark := table << TABLE_SHIFT | number) in taken:
        number = (number + 1) & ((1 << TABLE_SHIFT) - 1)
    taken.add(mark)
    return mark


def _member_words(wish: PoolWish) -> dict[str, str]:
    monitor = wish.health_monitor
    good = "UP" if monitor and monitor.admin_state_up else "no check"
    return {
        words.identifier(member.id, "member"): "MAINT"
        if not member.admin_state_up
        else good
        if member.weight
        else "DRAIN"
        for member in wish.members
    }


def _checks(wish: PoolWish, plumbing: Plumbing) -> Iterator[Check]:
    monitor = wish.health_monitor
    if monitor is None or not monitor.admin_state_up:
        return
    what = f"health monitor {monitor.id}"
    kind = words.one_of(monitor.type, CHECK_TYPES, f"{what}: type")
    for member in (member for member in wish.members if member.admin_state_up):
        address = words.destination(member.monitor_address or member.address, f"member {member.id}: monitor_address")
        yield Check(
            member=words.identifier(member.id, "member"),
            pool=words.identifier(wish.pool.id, "pool"),
            kind=kind,
            address=address,
            port=member.monitor_port or member.protocol_port,
            interface=plumbing.names[member.subnet_id] if member.subnet_id else None,
            mark=_table(member, plumbing) << TABLE_SHIFT,
            delay_s=max(monitor.delay_s, 1),
            timeout_s=max(monitor.timeout_s, 1),
            rise=max(monitor.max_retries, 1),
            fall=max(monitor.max_retries_down, 1),
            request=_request(wish, address) if kind == "HTTP" else None,
        )


def _request(wish: PoolWish, address: str) -> Request:
    monitor = wish.health_monitor
    assert monitor is not None
    what = f"health monitor {monitor.id}"
    if monitor.http_method and not monitor.http_method.isalpha():
        raise RenderError(f"{what}: http_method: {monitor.http_method[:80]!r} is not a method")
    path = words.url_path(monitor.url_path or "/", f"{what}: url_path")
    version = words.one_of(str(monitor.http_version or 1.0), {"1.0": "1.0", "1.1": "1.1"}, f"{what}: http_version")
    host = words.host(monitor.domain_name, f"{what}: domain_name") if monitor.domain_name else _host(address)
    expected = words.status_codes(monitor.expected_codes or "200", f"{what}: expected_codes")
    ends = [part.partition("-") for part in expected.split(",")]
    return Request(
        text=f"{monitor.http_method or 'GET'} {path} HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        expected=tuple((int(least), int(most or least)) for least, _, most in ends),
    )


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
