"""
nftables.rules: how the kernel balances UDP, less which members live: that the agent fills in (chains `pick-`, `gate-`, maps `alive-`).

Everything is added to one table, nothing is removed: the agent loads it over what is there, in one transaction, so that counters,
remembered clients and running flows stay. A set whose definition can change has that in its name.

The way of a datagram: arrive (who may, how many, counted, remembered) → choose (once a flow: the remembered member, else one picked) →
steer (by the routing table of the member, or of the VIP for answers) → through (nothing but these flows) → leave (from an
address of the amphora, so that answers return) → told (answers counted).
"""

from collections.abc import Callable, Iterator

from actium_compute.amphora_drivers.haproxy.datagrams import TABLE_SHIFT, Branch, Datagrams, Target

TABLE = "actium_udp"
REMEMBERED = 65_535
"""Clients per branch that are kept on their member."""

TABLE_MASK = 0xFFF0_0000
_BASES = (
    ("untracked-in", "filter hook prerouting priority raw; policy accept;"),
    ("untracked-out", "filter hook output priority raw; policy accept;"),
    ("arrive", "filter hook prerouting priority mangle; policy accept;"),
    ("choose", "nat hook prerouting priority dstnat; policy accept;"),
    ("steer", "filter hook prerouting priority -90; policy accept;"),
    ("through", "filter hook forward priority filter; policy drop;"),
    ("leave", "nat hook postrouting priority srcnat; policy accept;"),
    ("told", "filter hook postrouting priority 300; policy accept;"),
)
_IP = {4: "ip", 6: "ip6"}
_KEYS = {4: "ipv4_addr", 6: "ipv6_addr"}


def rules(datagrams: Datagrams) -> bytes:
    """Give the file; empty where no UDP is balanced."""
    if not datagrams.branches:
        return b""
    lines = ["table", *_objects(datagrams), *_chains(datagrams), *_rules(datagrams)]
    words = [line.partition(" ") for line in lines]
    return "".join(f"add {kind} inet {TABLE}{' ' if rest else ''}{rest}\n" for kind, _, rest in words).encode()


def _objects(datagrams: Datagrams) -> Iterator[str]:
    for listener in datagrams.listeners:
        yield from (f"counter {kind}-{listener}" for kind in ("in", "out", "new"))
    for branch in datagrams.branches:
        yield f"map alive-{branch.name} {{ type mark : verdict; }}"
        if limit := _limit(branch):
            yield f"set {limit} {{ type inet_service; size 8; flags dynamic; }}"
        if branch.persistence:
            kind = f"type {_KEYS[branch.family]} : mark; size {REMEMBERED}; flags dynamic,timeout;"
            yield f"map {_memory(branch)} {{ {kind} timeout {branch.persistence.timeout_s}s; }}"


def _chains(datagrams: Datagrams) -> Iterator[str]:
    yield from (f"chain {name} {{ type {what} }}" for name, what in _BASES)
    yield from (f"chain told-{listener}" for listener in datagrams.listeners)
    for branch in datagrams.branches:
        yield from (f"chain {kind}-{branch.name}" for kind in ("arrive", "gate", "choose", "pick"))
        yield from (f"chain {target.chain}" for target in branch.targets)


def _rules(datagrams: Datagrams) -> Iterator[str]:
    # haproxy's connections are none of conntrack's business, and are to cost nothing more than before.
    yield "rule untracked-in meta l4proto tcp notrack"
    yield "rule untracked-out meta l4proto tcp notrack"
    for family in (4, 6):
        branches = [branch for branch in datagrams.branches if branch.family == family]
        if branches:
            yield f"rule arrive {_dispatch(branches, 'daddr . udp dport', lambda branch: f'arrive-{branch.name}')}"
            yield f"rule choose {_dispatch(branches, 'daddr . udp dport', lambda branch: f'choose-{branch.name}')}"
            yield f"rule told {_dispatch(branches, 'saddr . udp sport', lambda branch: f'told-{branch.listener}')}"
            yield f"rule steer ct direction reply ct mark != 0 meta mark set {_answers(branches, datagrams)}"
    yield f"rule steer ct direction original ct mark != 0 meta mark set ct mark and 0x{TABLE_MASK:08x}"
    yield "rule through ct status dnat ct mark != 0 accept"
    yield "rule leave ct mark != 0 masquerade"
    yield from (f"rule told-{listener} counter name out-{listener}" for listener in datagrams.listeners)
    for branch in datagrams.branches:
        yield from _arrive(branch)
        yield from _choose(branch)
        for target in branch.targets:
            yield from _to(branch, target)


def _dispatch(branches: list[Branch], key: str, chain: Callable[[Branch], str]) -> str:
    ways = [f"{vip} . {branch.port} : goto {chain(branch)}" for branch in branches for vip in branch.vips]
    return f"{_IP[branches[0].family]} {key} vmap {{ {', '.join(ways)} }}"


def _answers(branches: list[Branch], datagrams: Datagrams) -> str:
    tables = {vip: datagrams.vip_tables[vip] for branch in branches for vip in branch.vips}
    marks = ", ".join(f"{vip} : 0x{table << TABLE_SHIFT:08x}" for vip, table in tables.items())
    return f"ct original {_IP[branches[0].family]} daddr map {{ {marks} }}"


def _arrive(branch: Branch) -> Iterator[str]:
    chain, source = f"rule arrive-{branch.name}", f"{_IP[branch.family]} saddr"
    if branch.allowed is not None:
        yield f"{chain} {source} != {{ {', '.join(branch.allowed)} }} drop" if branch.allowed else f"{chain} drop"
    if limit := _limit(branch):
        yield f"{chain} ct state new add @{limit} {{ udp dport ct count over {branch.connection_limit} }} drop"
    yield f"{chain} ct state new jump gate-{branch.name}"
    yield f"{chain} counter name in-{branch.listener}"
    if branch.persistence:
        # With each datagram: a client must not be forgotten while it speaks.
        yield f"{chain} ct mark != 0 update @{_memory(branch)} {{ {source} & {branch.persistence.mask} : ct mark }}"


def _choose(branch: Branch) -> Iterator[str]:
    chain, source = f"rule choose-{branch.name}", f"{_IP[branch.family]} saddr"
    yield f"{chain} counter name new-{branch.listener}"
    if branch.persistence:
        client = f"{source} & {branch.persistence.mask}"
        yield f"{chain} meta mark set {client} map @{_memory(branch)}"
        yield f"{chain} meta mark vmap @alive-{branch.name}"
        # An update would only prolong what is known: the dead member has to be forgotten first.
        yield f"{chain} delete @{_memory(branch)} {{ {client} : ct mark }}"
    yield f"{chain} jump pick-{branch.name}"
    yield f"{chain} drop"


def _to(branch: Branch, target: Target) -> Iterator[str]:
    chain, ip = f"rule {target.chain}", _IP[branch.family]
    yield f"{chain} ct mark set 0x{target.mark:08x}"
    if branch.persistence:
        yield f"{chain} update @{_memory(branch)} {{ {ip} saddr & {branch.persistence.mask} : ct mark }}"
    address = f"[{target.address}]" if branch.family == 6 else target.address
    yield f"{chain} meta l4proto udp dnat {ip} to {address}:{target.port}"


def _limit(branch: Branch) -> str | None:
    return None if branch.connection_limit is None else f"limit-{branch.listener}-{branch.connection_limit}"


def _memory(branch: Branch) -> str:
    assert branch.persistence is not None
    mask = branch.persistence.mask.replace(":", ".")
    return f"sticky-{branch.name}-{branch.persistence.timeout_s}-{mask}"
