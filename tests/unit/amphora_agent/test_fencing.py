"""Whom the guard lets through."""

from dataclasses import replace

from actium_amphora_agent.desired import Interface
from actium_amphora_agent.fencing import guard

CARD = Interface(
    mac="02:00:00:00:00:01",
    name="vip0",
    mtu=1500,
    addresses=("203.0.113.20/24",),
    floating=("203.0.113.10/32",),
    partners=("203.0.113.21",),
)


def test_alone_nothing_needs_a_guard() -> None:
    assert guard([replace(CARD, floating=(), partners=())]) == ""
    assert guard([]) == ""


def test_only_the_partner_is_heard() -> None:
    said = [line.strip() for line in guard([CARD]).splitlines()]
    assert 'iifname "vip0" ip daddr 203.0.113.20 tcp dport 1025 ip saddr != { 203.0.113.21 } drop' in said
    accept = said.index('iifname "vip0" ip saddr 203.0.113.21 meta l4proto vrrp accept')
    assert accept < said.index('iifname "vip0" meta l4proto vrrp drop')


def test_without_a_partner_nobody_is() -> None:
    said = guard([replace(CARD, partners=())])
    assert 'iifname "vip0" ip daddr 203.0.113.20 tcp dport 1025 drop' in said
    assert "accept;" in said  # the chain's own word
    assert "vrrp accept" not in said


def test_a_partner_of_the_other_family_is_another_rule() -> None:
    six = replace(CARD, addresses=("2001:db8::20/64",), partners=("2001:db8::21",))
    assert 'iifname "vip0" ip6 daddr 2001:db8::20 tcp dport 1025 ip6 saddr != { 2001:db8::21 } drop' in guard([six])
