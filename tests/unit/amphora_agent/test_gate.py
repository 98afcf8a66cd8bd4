"""Who lets traffic for routed VIPs in, and what the kernel is told of it."""

from dataclasses import replace

from actium_amphora_agent.desired import Interface
from actium_amphora_agent.gate import is_open, table

CARD = Interface(
    mac="02:00:00:00:00:01",
    name="vip0",
    mtu=1500,
    addresses=("203.0.113.20/24",),
    floating=("203.0.113.77/32",),
    routed=("203.0.113.10/32", "2001:db8::10/128"),
)
ALONE = replace(CARD, floating=(), vips=("203.0.113.77/32",))


def test_of_a_pair_only_the_master_is_open() -> None:
    assert is_open(CARD, "MASTER")
    assert not any(is_open(CARD, role) for role in ("BACKUP", "FAULT", None))


def test_alone_it_is_open_as_long_as_it_has_the_routing_address() -> None:
    assert is_open(ALONE, None)
    assert not is_open(replace(ALONE, vips=()), None)
    assert not is_open(replace(ALONE, vips=()), "MASTER")


def test_the_table_is_replaced_and_says_which_cards_are_shut() -> None:
    said = table([CARD], ["vip0"])
    assert said.startswith("add table inet actium_gate\ndelete table inet actium_gate\ntable inet actium_gate {")
    assert 'set shut { type ifname; elements = { "vip0" }; }' in said
    assert "set vips4 { type ipv4_addr; elements = { 203.0.113.10 }; }" in said
    assert "set vips6 { type ipv6_addr; elements = { 2001:db8::10 }; }" in said
    assert "iifname @shut ip daddr @vips4 drop" in said
    assert "oifname @shut ip6 saddr @vips6 drop" in said


def test_a_family_without_vips_and_nobody_shut_are_empty_sets() -> None:
    said = table([replace(CARD, routed=("203.0.113.10/32",))], [])
    assert "set shut { type ifname; }" in said
    assert "set vips6 { type ipv6_addr; }" in said


def test_without_routed_vips_there_is_no_table() -> None:
    assert table([], []) == "add table inet actium_gate\ndelete table inet actium_gate\n"
