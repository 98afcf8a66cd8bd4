"""What the world has: its networks told on the log, its ports made to be those of the tables. Done once, at start."""

import logging
from collections.abc import Sequence
from functools import partial

from actium_network import ports
from actium_network.journal import Journal, network_subject
from actium_network.making import PortMaker
from actium_network.read_model import queries
from actium_network.read_model.queries import Kept
from actium_shared.events.network import Network, NetworkDiscovered, NetworkVanished, Subnet
from actium_shared.ids import NetworkId, SubnetId
from actium_shared.message import Event, WorkCause
from actium_shared.read_model import Database

log = logging.getLogger(__name__)


async def discover(seen: Sequence[ports.Network], database: Database, journal: Journal) -> None:
    """Put on the log which networks are new, changed or gone."""
    known = await database.read(queries.networks)
    found = {network.id: network for network in map(as_event_value, seen)}
    changes: list[tuple[NetworkId, Event]] = [
        (network.id, NetworkDiscovered(network=network))
        for network in found.values()
        if known.get(network.id) != network
    ]
    changes += [(gone, NetworkVanished(network_id=gone)) for gone in known if gone not in found]
    for network_id, event in changes:
        subject = network_subject(network_id)
        expected = await database.read(partial(queries.sequence, subject=subject))
        await journal.append(subject, [event], cause=WorkCause(order_id="network.discover"), expected=expected)
        log.info("network", extra={"event": event.TYPE, "network_id": network_id})


async def restore_ports(maker: PortMaker, database: Database) -> None:
    """
    Make again what the world lost (a reboot).

    Ports that are wanted and not on the log yet are left to their workers, who run later. One that cannot be made is
    named in the logs: what uses it fails by itself, and the others must be served.
    """
    standing = await maker.standing()
    for row in await database.read(queries.all_ports):
        if row.port is not None and row.state == "created" and row.port_id not in standing:
            await maker.make(row.port)


def kept_addresses(seen: Sequence[ports.Network]) -> Kept:
    """Give the addresses that the world itself uses: they are nobody's to have."""
    return {
        SubnetId(subnet.id): frozenset(address for address in (subnet.controller, subnet.host) if address)
        for network in seen
        for subnet in network.subnets
    }


def as_event_value(network: ports.Network) -> Network:
    """Give a network as the log tells it."""
    return Network(
        id=NetworkId(network.id),
        name=network.name,
        role=network.role,
        mtu=network.mtu,
        subnets=tuple(
            Subnet(
                id=SubnetId(subnet.id),
                name=subnet.name,
                network_id=NetworkId(subnet.network_id),
                cidr=subnet.cidr,
                gateway=subnet.gateway,
                pool_start=subnet.pool_start,
                pool_end=subnet.pool_end,
            )
            for subnet in network.subnets
        ),
        routed=any(subnet.routed for subnet in network.subnets),
    )
