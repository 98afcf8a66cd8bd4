"""Which ports become which interfaces of the amphora's traffic side, and which subnet each leads to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.bundle import Interface
from actium_compute.amphora_drivers.haproxy import words
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId, SubnetId

VIP_INTERFACE = "vip0"
VIP_METRIC = 100
MEMBER_METRIC = 200
"""Where ranges overlap, what is bound to no interface goes by the VIP network."""

NAME_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Plumbing:
    """All interfaces, and the name of the one that leads to each subnet."""

    interfaces: tuple[Interface, ...]
    names: Mapping[SubnetId, str]


def plumb(order: ConfigureAmphora, ports: Mapping[PortId, Port]) -> Plumbing:
    """
    Give the interfaces of the wish.

    Raises:
        RenderError: a port that it names is unknown.
    """
    vip_port = _port(ports, order.vip_port_id)
    members = {subnet: _port(ports, port) for subnet, port in sorted(order.member_ports.items())}
    names = {wish.load_balancer.vip.subnet_id: VIP_INTERFACE for wish in order.load_balancers}
    names |= {subnet: _name(port.id) for subnet, port in members.items()}
    return Plumbing(
        interfaces=(_vip_interface(order, vip_port), *(_member_interface(port) for port in members.values())),
        names=names,
    )


def _port(ports: Mapping[PortId, Port], port_id: PortId) -> Port:
    if port_id not in ports:
        raise RenderError(f"port {port_id} does not exist")
    return ports[port_id]


def _vip_interface(order: ConfigureAmphora, port: Port) -> Interface:
    balancers = [wish.load_balancer for wish in order.load_balancers]
    vips = [vip.address for balancer in balancers for vip in (balancer.vip, *balancer.additional_vips)]
    return Interface(
        mac=port.mac,
        name=VIP_INTERFACE,
        mtu=port.mtu,
        addresses=(f"{port.address}/{port.prefix_length}",),
        vips=tuple(sorted(_host_route(vip) for vip in vips)),
        gateway=port.gateway,
        metric=VIP_METRIC,
    )


def _member_interface(port: Port) -> Interface:
    return Interface(
        mac=port.mac,
        name=_name(port.id),
        mtu=port.mtu,
        addresses=(f"{port.address}/{port.prefix_length}",),
        metric=MEMBER_METRIC,
    )


def _host_route(vip: str) -> str:
    address = words.address(vip, "VIP")
    return f"{address}/{128 if ':' in address else 32}"


def _name(port_id: PortId) -> str:
    # From the port alone, not counted: another subnet that comes or goes must not rename a link that carries traffic.
    return "net" + hashlib.sha256(port_id.encode()).hexdigest()[:NAME_DIGITS]
