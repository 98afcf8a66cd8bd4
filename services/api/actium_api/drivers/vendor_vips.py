"""VIPs in octavia-lib's dicts, to a driver that makes ports itself and back. Pure."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from actium_shared import streams
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.ids import NetworkId, PortId, SubnetId
from actium_shared.message import Position
from actium_shared.wishes import Vip


def wished(wish: ReserveVip) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give the VIP and the additional VIPs as a driver takes them."""
    own = {
        "vip_address": wish.address,
        "vip_network_id": wish.network_id,
        "vip_port_id": wish.port_id,
        "vip_subnet_id": wish.subnet_id,
    }
    more = [
        {
            "ip_address": each.address,
            "network_id": wish.network_id,
            "port_id": each.port_id,
            "subnet_id": each.subnet_id,
        }
        for each in wish.additional
    ]
    return own, more


def reservation(made: Any, wish: ReserveVip) -> VipReservation:
    """
    Read what a driver made.

    Raises:
        KeyError, TypeError, ValueError: it is not a pair of a VIP dict and a list of additional VIP dicts.
    """
    own, more = made
    return VipReservation(
        vip=_vip(own, "vip_address", "vip_", wish),
        additional_vips=tuple(_vip(each, "ip_address", "", wish) for each in more or ()),
        position=Position(streams.events_of("network"), 0),
    )


def _vip(made: Mapping[str, Any], address: str, prefix: str, wish: ReserveVip) -> Vip:
    parsed = ipaddress.ip_address(made[address])
    return Vip(
        address=str(parsed),
        prefix_length=parsed.max_prefixlen,  # nobody of ours configures it
        port_id=PortId(made[f"{prefix}port_id"] or ""),
        subnet_id=SubnetId(made.get(f"{prefix}subnet_id") or wish.subnet_id or ""),
        network_id=NetworkId(made.get(f"{prefix}network_id") or wish.network_id or ""),
    )
