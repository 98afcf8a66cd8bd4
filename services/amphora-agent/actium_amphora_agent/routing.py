"""
Which way packets go: the ways that each card leads to, in tables of their own where ranges overlap. Pure: lines for `ip -batch`.

Ranges of tenants may overlap, also with a client's: an answer must leave by the card that the question came by, and a flow to a
member by that member's card. An answer is known by its source, a VIP; a flow that the kernel balances by its mark.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actium_amphora_agent.desired import Interface

BY_SOURCE, BY_MARK = 1000, 1001
"""Priorities; all rules that have them are ours."""

TABLE_SHIFT, TABLE_MASK = 20, 0xFFF0_0000
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}

_Rule = tuple[int, str, int]
"""Priority, source or mark, table."""


@dataclass(frozen=True, slots=True)
class Way:
    """A range behind a card, by a gateway or at once; in a table of its own, or in the main one."""

    range: str
    gateway: str | None = None
    table: int | None = None

    def words(self, card: str) -> str:
        via = f" via {self.gateway}" if self.gateway else ""
        table = f" table {self.table}" if self.table else ""
        return f"{self.range}{via} dev {card}{table}"


def ways(interface: Interface) -> list[Way]:
    """All ways that the card shall lead, less those that the kernel adds by itself with each address."""
    connected = {str(ipaddress.ip_interface(address).network) for address in interface.addresses}
    return [*_gateways(interface), *(way for way in _routes(interface) if way.table or way.range not in connected)]


def _gateways(interface: Interface) -> Iterator[Way]:
    """The way to everywhere else, one in each family: the card's own, or the first that its routes name."""
    named = [interface.gateway, *(route.gateway for route in interface.routes)]
    by_family: dict[int, str] = {}
    for gateway in named:
        if gateway:
            by_family.setdefault(ipaddress.ip_address(gateway).version, gateway)
    return (Way(_EVERYWHERE[version], gateway) for version, gateway in by_family.items())


def _routes(interface: Interface) -> Iterator[Way]:
    for route in interface.routes:
        yield Way(route.range)
        yield Way(route.range, table=route.table)
        if route.gateway:
            yield Way(_EVERYWHERE[_version(route.gateway)], route.gateway, route.table)


def plan_routes(interface: Interface) -> list[str]:
    """Always all of them: a card that was down or changed its address has lost its routes by now."""
    return [
        f"route replace {way.words(interface.name)}"
        + ("" if way.table else f" metric {interface.metric}")
        + (" onlink" if way.gateway else "")
        for way in ways(interface)
    ]


def plan_rules(
    wanted: Sequence[Interface], shown: Iterable[Mapping[str, Any]], family: str, *, only_add: bool
) -> list[str]:
    """From what `ip -json rule show` tells of one family (-4 or -6) to what is wanted in it."""
    version = int(family[-1])
    routes = [route for interface in wanted for route in interface.routes if _version(route.range) == version]
    rules = {(BY_SOURCE, source, route.table) for route in routes for source in route.sources}
    rules |= {(BY_MARK, f"0x{route.table << TABLE_SHIFT:x}", route.table) for route in routes}
    there = {_rule(row) for row in shown if row["priority"] in (BY_SOURCE, BY_MARK)}
    surplus = set() if only_add else there - rules
    return [f"rule del {_words(rule)}" for rule in sorted(surplus)] + [
        f"rule add {_words(rule)}" for rule in sorted(rules - there)
    ]


def _rule(row: Mapping[str, Any]) -> _Rule:
    by = row["src"] if row["priority"] == BY_SOURCE else row.get("fwmark", "")
    return row["priority"], by, int(row["table"])


def _words(rule: _Rule) -> str:
    priority, by, table = rule
    what = f"from {by}" if priority == BY_SOURCE else f"fwmark {by}/0x{TABLE_MASK:x}"
    return f"priority {priority} {what} lookup {table}"


def _version(behind: str) -> int:
    return ipaddress.ip_network(behind).version
