"""
Who shares tables of clients, so that neither a reload nor a switch forgets who is on which server.

A worker hands them to its successor within milliseconds, once it has run for five seconds: only then is it sure itself.
Alone that goes over a socket file, which nobody in any network can reach.
"""

from collections.abc import Mapping, Sequence

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import interfaces, words
from actium_compute.amphora_drivers.haproxy.model import Backend, Peers, bind
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId

PORT = 1025
"""On the VIPs' network, from partner to partner; the agent lets nobody else in."""

SOCKET = "/run/amphora/peers.sock"


def peers(order: ConfigureAmphora, ports: Mapping[PortId, Port], backends: Sequence[Backend]) -> Peers | None:
    """
    Give the peers of an amphora that remembers clients.

    Raises:
        RenderError: a member claims to be one of them.
    """
    if not any(backend.remembers for backend in backends):
        return None
    name = words.identifier(order.amphora_id, "amphora")
    if not interfaces.is_pair(order):
        return Peers(name=name, bind=f"unix@{SOCKET} mode 600", partners=())
    own = words.address(ports[order.vip_port_id].address, "port")
    partners = {words.identifier(peer.amphora_id, "peer"): _address(ports, peer.vip_port_id) for peer in order.peers}
    _see_no_member_among(frozenset((own, *partners.values())), backends)
    return Peers(
        name=name,
        bind=bind(own, PORT),
        partners=tuple((partner, bind(address, PORT)) for partner, address in partners.items()),
    )


def _address(ports: Mapping[PortId, Port], port_id: PortId) -> Word:
    if port_id not in ports:
        raise RenderError(f"peer: port {port_id} does not exist")
    return words.address(ports[port_id].address, "peer")


def _see_no_member_among(ours: frozenset[Word], backends: Sequence[Backend]) -> None:
    # Who balances load to these could speak to a partner in our name.
    for server in (server for backend in backends for server in backend.servers):
        if server.port == PORT and server.address in ours:
            raise RenderError(f"member {server.name}: {server.address} port {PORT} is the load balancer's own")
