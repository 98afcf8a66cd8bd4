"""What amphorae are told whose VIPs a router leads to them."""

from typing import Any

import pytest

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.bundle import Interface
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import SubnetId
from builders import vip
from unit.compute.test_pairs import THERE, VIP_6, keepalived, paired, rendered
from unit.compute.wishes import PORTS, order

ROUTED: dict[str, Any] = {"front_end": "L3", "routing_addresses": ("203.0.113.77/24",)}
VIPS = ("203.0.113.10/32",)


def card(wish: ConfigureAmphora) -> Interface:
    return rendered(wish).interfaces[0]


def test_alone_the_card_has_the_routing_address_and_the_vips_are_on_no_card() -> None:
    told = card(order(**ROUTED, balancer={"vip": vip(address="203.0.113.10")}))
    assert (told.vips, told.routed, told.floating) == (("203.0.113.77/32",), VIPS, ())
    assert told.routes[0].sources == ("203.0.113.10",)


def test_one_that_waits_for_its_turn_has_the_vips_and_not_the_routing_address() -> None:
    told = card(order(**ROUTED, balancer={"vip": vip(address="203.0.113.10")}, holds_vips=False))
    assert (told.vips, told.routed) == ((), VIPS)


def test_in_a_pair_keepalived_moves_nothing_but_the_routing_address() -> None:
    wish = paired(**ROUTED, balancer={"vip": vip(address="203.0.113.10")})
    told, said = card(wish), keepalived(wish)
    assert (told.vips, told.routed, told.floating) == ((), VIPS, ("203.0.113.77/32",))
    excluded = said.index("virtual_ipaddress_excluded {")
    assert said[excluded + 1 : excluded + 3] == ["203.0.113.77/32 dev vip0", "}"]


def test_haproxy_is_told_the_same_as_ever() -> None:
    routed, plain = (rendered(order(**fields)).files["haproxy.cfg"] for fields in (ROUTED, {}))
    assert routed == plain


def test_ipv6_neighbours_are_asked_for_from_an_address_of_the_link() -> None:
    both = ("203.0.113.77/24", "2001:db8::77/64")
    balancer = {"vip": vip(address="203.0.113.10"), "additional_vips": (VIP_6,)}
    told = card(order(front_end="L3", routing_addresses=both, balancer=balancer))
    assert told.vips == ("2001:db8::77/128", "203.0.113.77/32")
    assert told.addresses == ("203.0.113.101/24", "fe80::f816:3eff:fe00:1/64")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"front_end": "L3"}, "none is of IPv4"),
        ({**ROUTED, "balancer": {"vip": VIP_6}}, "none is of IPv6"),
        ({"front_end": "L4"}, "front_end: 'L4' is not supported"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(RenderError, match=words):
        rendered(order(**fields))


def test_another_way_to_the_vips_is_no_change_that_haproxy_makes_while_it_runs() -> None:
    driver = HaproxyDriver()
    before, after = order(), order(**ROUTED)
    assert driver.runtime_commands(before, after, PORTS) is None
    assert driver.runtime_commands(after, after, THERE) == ()


def test_a_vip_of_another_subnet_is_routed_to_the_same_address() -> None:
    other = vip(address="198.51.100.10", subnet_id=SubnetId("other"), gateway="198.51.100.1")
    told = card(order(**ROUTED, balancer={"vip": vip(address="203.0.113.10"), "additional_vips": (other,)}))
    assert told.routed == ("198.51.100.10/32", "203.0.113.10/32")
    assert told.vips == ("203.0.113.77/32",)
