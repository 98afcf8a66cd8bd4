"""Which ports become which interfaces of the amphora's traffic side, which subnet each leads to, and by which routing table."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.bundle import Interface, Route
from actium_compute.amphora_drivers.haproxy import words
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SubnetId
from actium_shared.wishes import Vip

STANDALONE = "STANDALONE"
L3 = "L3"
FRONT_ENDS = {"L2": "L2", L3: L3}
VIP_INTERFACE = "vip0"
VIP_METRIC = 100
MEMBER_METRIC = 200
"""Where ranges overlap, what is bound to no interface goes by the VIP network."""

NAME_DIGITS = 8
FIRST_TABLE, LAST_TABLE = 256, 4095
"""Beyond the kernel's own; they have to fit twelve bits of a packet's mark."""


@dataclass(frozen=True, slots=True)
class Plumbing:
    """All interfaces; for each subnet the name of the one that leads there, and its table; for each VIP the table of its subnet."""

    interfaces: tuple[Interface, ...]
    names: Mapping[SubnetId, str]
    tables: Mapping[SubnetId, int]
    vip_tables: Mapping[str, int]


def plumb(order: ConfigureAmphora, ports: Mapping[PortId, Port]) -> Plumbing:
    """
    Give the interfaces of the wish.

    Raises:
        RenderError: a port that it names is unknown.
    """
    vip_port = _port(ports, order.vip_port_id)
    members = {subnet: _port(ports, port) for subnet, port in sorted(order.member_ports.items())}
    vips = _vips(order)
    vip_subnets = {vip.subnet_id: VIP_INTERFACE for vip in vips}
    tables = _numbers([*(f"vip/{subnet}" for subnet in sorted(vip_subnets)), *members])
    vip_routes = _vip_routes(vips, vip_port, tables)
    return Plumbing(
        interfaces=(
            _vip_interface(order, _partners(order, ports), vip_port, vip_routes),
            *(_member_interface(port, tables[subnet]) for subnet, port in members.items()),
        ),
        names=vip_subnets | {subnet: _name(port.id) for subnet, port in members.items()},
        tables={subnet: tables[f"vip/{subnet}"] for subnet in vip_subnets}
        | {subnet: tables[subnet] for subnet in members},
        vip_tables={words.address(vip.address, "VIP"): tables[f"vip/{vip.subnet_id}"] for vip in vips},
    )


def _port(ports: Mapping[PortId, Port], port_id: PortId) -> Port:
    if port_id not in ports:
        raise RenderError(f"port {port_id} does not exist")
    return ports[port_id]


def _vips(order: ConfigureAmphora) -> list[Vip]:
    balancers = [wish.load_balancer for wish in order.load_balancers]
    return [vip for balancer in balancers for vip in (balancer.vip, *balancer.additional_vips)]


def is_pair(order: ConfigureAmphora) -> bool:
    """Tell whether keepalived decides who holds the VIPs."""
    return order.role != STANDALONE


def vip_addresses(order: ConfigureAmphora) -> tuple[str, ...]:
    """Give all VIPs with their prefix, each as a host of its own."""
    return tuple(sorted({_host_route(vip.address) for vip in _vips(order)}))


def _partners(order: ConfigureAmphora, ports: Mapping[PortId, Port]) -> tuple[str, ...]:
    return tuple(words.address(_port(ports, peer.vip_port_id).address, "peer") for peer in order.peers)


def _vip_interface(
    order: ConfigureAmphora, partners: tuple[str, ...], port: Port, routes: tuple[Route, ...]
) -> Interface:
    vips = vip_addresses(order)
    addresses, routed = (_routing_addresses(order), vips) if _is_routed(order) else (vips, ())
    own = (f"{port.address}/{port.prefix_length}",)
    return Interface(
        mac=port.mac,
        name=VIP_INTERFACE,
        mtu=port.mtu,
        # Neighbours cannot be asked for from an address that is on no link, and IPv6 asks from nothing but it and this one.
        addresses=(*own, _link_local(port.mac)) if any(":" in vip for vip in routed) else own,
        vips=addresses if order.holds_vips and not is_pair(order) else (),
        gateway=port.gateway,
        metric=VIP_METRIC,
        routes=routes,
        floating=addresses if is_pair(order) else (),
        partners=partners if is_pair(order) else (),
        routed=routed,
    )


def _is_routed(order: ConfigureAmphora) -> bool:
    """Tell whether a router leads to the VIPs."""
    return words.one_of(order.front_end, FRONT_ENDS, "front_end") == L3


def _routing_addresses(order: ConfigureAmphora) -> tuple[str, ...]:
    found = tuple(sorted({_host_route(address.partition("/")[0]) for address in order.routing_addresses}))
    if missing := {":" in vip for vip in vip_addresses(order)} - {":" in address for address in found}:
        raise RenderError(f"routing_addresses: none is of IPv{6 if missing.pop() else 4}, and some VIPs are")
    return found


def _link_local(mac: str) -> str:
    first, *others = bytes.fromhex(mac.replace(":", ""))
    digits = bytes((first ^ 2, *others[:2], 0xFF, 0xFE, *others[2:])).hex()
    return f"{ip_address(f'fe80::{digits[:4]}:{digits[4:8]}:{digits[8:12]}:{digits[12:]}')}/64"


def _vip_routes(vips: Iterable[Vip], port: Port, tables: Mapping[str, int]) -> tuple[Route, ...]:
    """One for each subnet that has a VIP, the port's own first: its gateway is the way to everywhere else."""
    by_subnet: dict[SubnetId, list[Vip]] = {}
    for vip in vips:
        by_subnet.setdefault(vip.subnet_id, []).append(vip)
    return tuple(
        Route(
            table=tables[f"vip/{subnet_id}"],
            range=str(ip_interface(f"{words.address(some[0].address, 'VIP')}/{some[0].prefix_length}").network),
            gateway=some[0].gateway,
            sources=tuple(sorted(words.address(vip.address, "VIP") for vip in some)),
        )
        for subnet_id, some in sorted(by_subnet.items(), key=lambda item: (item[0] != port.subnet_id, item[0]))
    )


def _member_interface(port: Port, table: int) -> Interface:
    address = f"{port.address}/{port.prefix_length}"
    return Interface(
        mac=port.mac,
        name=_name(port.id),
        mtu=port.mtu,
        addresses=(address,),
        metric=MEMBER_METRIC,
        routes=(Route(table=table, range=str(ip_interface(address).network)),),
    )


def _host_route(vip: str) -> str:
    address = words.address(vip, "VIP")
    return f"{address}/{128 if ':' in address else 32}"


def _name(port_id: PortId) -> str:
    # From the port alone, not counted: another subnet that comes or goes must not rename a link that carries traffic.
    return "net" + hashlib.sha256(port_id.encode()).hexdigest()[:NAME_DIGITS]


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """Give each its table, for the same reason by its own name alone, unless another one has that number already."""
    found: dict[str, int] = {}
    for name in names:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % (LAST_TABLE - FIRST_TABLE)
        while number + FIRST_TABLE in found.values():
            number = (number + 1) % (LAST_TABLE - FIRST_TABLE)
        found[name] = number + FIRST_TABLE
    return found
