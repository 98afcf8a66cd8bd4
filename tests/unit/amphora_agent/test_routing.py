"""Which lines lead packets to the table of their card, and which rules go again."""

from dataclasses import replace
from typing import Any

from actium_amphora_agent.desired import Interface, Route
from actium_amphora_agent.neighbours import advertisement, gratuitous_arp
from actium_amphora_agent.routing import plan_routes, plan_rules

FOUR = Route(table=300, range="203.0.113.0/24", gateway="203.0.113.1", sources=("203.0.113.10",))
SIX = Route(table=301, range="2001:db8::/64", gateway="2001:db8::1", sources=("2001:db8::10",))
CARD = Interface(
    mac="02:00:00:00:00:01",
    name="vip0",
    mtu=1500,
    addresses=("203.0.113.20/24",),
    gateway="203.0.113.1",
    metric=100,
    routes=(FOUR, SIX),
)


def shown(priority: int, source: str, table: int, mark: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {"priority": priority, "src": source, "table": str(table)}
    return row | ({"fwmark": mark, "fwmask": "0xfff00000"} if mark else {})


def test_a_range_of_the_cards_own_is_the_kernels_and_others_get_a_route() -> None:
    assert plan_routes(CARD)[2:] == [
        "route replace 203.0.113.0/24 dev vip0 table 300",
        "route replace 0.0.0.0/0 via 203.0.113.1 dev vip0 table 300 onlink",
        "route replace 2001:db8::/64 dev vip0 metric 100",
        "route replace 2001:db8::/64 dev vip0 table 301",
        "route replace ::/0 via 2001:db8::1 dev vip0 table 301 onlink",
    ]


def test_each_family_has_one_way_to_everywhere_else() -> None:
    assert plan_routes(CARD)[:2] == [
        "route replace 0.0.0.0/0 via 203.0.113.1 dev vip0 metric 100 onlink",
        "route replace ::/0 via 2001:db8::1 dev vip0 metric 100 onlink",
    ]
    assert plan_routes(replace(CARD, gateway=None, routes=())) == []


def test_what_comes_from_a_vip_or_carries_the_mark_goes_by_the_table() -> None:
    assert plan_rules([CARD], [], "-4", only_add=False) == [
        "rule add priority 1000 from 203.0.113.10 lookup 300",
        "rule add priority 1001 fwmark 0x12c00000/0xfff00000 lookup 300",
    ]
    assert all("2001:db8" in line or "301" in line for line in plan_rules([CARD], [], "-6", only_add=False))


def test_rules_that_are_there_stay_and_those_of_nobody_go_unless_only_adding() -> None:
    there = [
        shown(0, "all", 255) | {"table": "local"},
        shown(1000, "203.0.113.10", 300),
        shown(1001, "all", 300, "0x12c00000"),
        shown(1000, "203.0.113.99", 400),
        shown(32766, "all", 254) | {"table": "main"},
    ]
    assert plan_rules([CARD], there, "-4", only_add=False) == ["rule del priority 1000 from 203.0.113.99 lookup 400"]
    assert plan_rules([CARD], there, "-4", only_add=True) == []


def test_an_advertisement_overrides_what_neighbours_believe() -> None:
    said = advertisement("2001:db8::10", "02:00:00:00:00:01")
    assert (said[0], said[4], said[-8:]) == (136, 0x20, bytes.fromhex("0201020000000001"))
    assert len(said) == 32


def test_a_gratuitous_arp_asks_everybody_for_the_vip_in_its_own_name() -> None:
    said = gratuitous_arp("203.0.113.10", "02:00:00:00:00:01")
    mac, vip = bytes.fromhex("020000000001"), bytes((203, 0, 113, 10))
    assert (said[:6], said[6:12], said[12:14]) == (b"\xff" * 6, mac, b"\x08\x06")
    assert (said[22:28], said[28:32], said[38:42]) == (mac, vip, vip)
