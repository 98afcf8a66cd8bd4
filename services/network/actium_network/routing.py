"""Which addresses an appliance's VIPs are routed to. Pure: nothing is read or written here."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from actium_network.allocation import Space
from actium_network.ports import Routing
from actium_shared.events.network import RoutingAddress
from actium_shared.ids import ApplianceId, NetworkId, PortId, derived_id
from actium_shared.wishes import Vip

Way = tuple[NetworkId, int]
"""A network and a family of addresses: nobody can be routed to by an address of the other one."""


def choose(
    appliance_id: ApplianceId, vips: Sequence[Vip], held: Iterable[RoutingAddress], space: Space
) -> tuple[RoutingAddress, ...] | str:
    """
    Give an address for each way that VIPs come by, as long as there are any; or, for people, why there is none.

    One that is held stays, whoever goes: it is what all the others are routed to.
    """
    if not vips:
        return ()
    found = {_way(address): address for address in held}
    for vip in vips:
        if _way(vip) in found:
            continue
        chosen = _choose(appliance_id, vip, space)
        if isinstance(chosen, str):
            return chosen
        found[_way(vip)] = chosen
    return tuple(found[way] for way in sorted(found))


def routings(addresses: Iterable[RoutingAddress], vips: Iterable[Vip]) -> list[Routing]:
    """Give what the router is to be told for each of the addresses."""
    led: dict[Way, list[str]] = {}
    for vip in vips:
        led.setdefault(_way(vip), []).append(vip.address)
    return [
        Routing(network_id=each.network_id, via=each.address, addresses=tuple(sorted(led.get(_way(each), ()))))
        for each in addresses
    ]


def _choose(appliance_id: ApplianceId, vip: Vip, space: Space) -> RoutingAddress | str:
    if (found := space.find(vip.subnet_id)) is None:
        return f"there is no subnet {vip.subnet_id}"
    network, subnet = found
    if (address := next(space.free(subnet), None)) is None:
        return f"out of addresses in subnet {subnet.name} ({subnet.id})"
    return RoutingAddress(
        address=address,
        prefix_length=vip.prefix_length,
        port_id=PortId(derived_id("routing-address", appliance_id, network.id, str(_way(vip)[1]))),
        subnet_id=subnet.id,
        network_id=network.id,
    )


def _way(of: Vip | RoutingAddress) -> Way:
    return of.network_id, ip_address(of.address).version
