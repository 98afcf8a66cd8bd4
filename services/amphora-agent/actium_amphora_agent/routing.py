"""
Routing tables of their own for each range, and the rules that lead to them. Pure: lines for `ip -batch`.

Ranges of tenants may overlap, also with a client's: an answer must leave by the card that the question came by, and a flow to a
member by that member's card. An answer is known by its source, a VIP; a flow that the kernel balances by its mark.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actium_amphora_agent.desired import Interface, Route

BY_SOURCE, BY_MARK = 1000, 1001
"""Priorities; all rules that have them are ours."""

TABLE_SHIFT, TABLE_MASK = 20, 0xFFF0_0000

_Rule = tuple[int, str, int]
"""Priority, source or mark, table."""


def default_gateways(interface: Interface) -> list[str]:
    """The way to everywhere else, one in each family: the card's own, or the first that its routes name."""
    named = [interface.gateway, *(route.gateway for route in interface.routes)]
    by_family: dict[int, str] = {}
    for gateway in named:
        if gateway:
            by_family.setdefault(ipaddress.ip_address(gateway).version, gateway)
    return list(by_family.values())


def plan_routes(interface: Interface) -> list[str]:
    """Always all of them: a card that was down or changed its address has lost its routes by now."""
    connected = {str(ipaddress.ip_interface(address).network) for address in interface.addresses}
    return [line for route in interface.routes for line in _routes(interface, route, connected)]


def _routes(interface: Interface, route: Route, connected: Iterable[str]) -> Iterable[str]:
    if route.range not in connected:
        yield f"route replace {route.range} dev {interface.name} metric {interface.metric}"
    yield f"route replace {route.range} dev {interface.name} table {route.table}"
    if route.gateway:
        yield f"route replace default via {route.gateway} dev {interface.name} table {route.table} onlink"


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
