"""What the service asks of its tables, and the promises that it puts there before they are on the log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address

import msgspec
import sqlalchemy as sa

from actium_network.allocation import MANAGEMENT, Reservation, Space, contains
from actium_network.read_model.tables import (
    ADDRESSES,
    AGGREGATES,
    LOAD_BALANCERS,
    NETWORKS,
    ORDERS,
    PORTS,
    PROPOSALS,
    SETTLEMENTS,
    SUBNETS,
    VIPS,
)
from actium_shared import rows, streams
from actium_shared.codec import CODEC
from actium_shared.errors import UnreadableError
from actium_shared.events.network import Network, Port, VipReserved
from actium_shared.ids import LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.message import Order, Position
from actium_shared.wishes import Vip

Kept = Mapping[SubnetId, frozenset[str]]
"""Addresses of the world's own, by subnet: the services', the host's."""

FREE_FROM = "free_from"
"""In a connection's `info`: by subnet, below which number no address is free. Rather too low than too high: it saves looking."""

_IN_USE = sa.select(sa.literal(1)).where(
    ADDRESSES.c.subnet_id == sa.bindparam("subnet"), ADDRESSES.c.address == sa.bindparam("address")
)
_OF_SUBNET = (
    sa.select(NETWORKS.c.body)
    .join(SUBNETS, SUBNETS.c.network_id == NETWORKS.c.network_id)
    .where(SUBNETS.c.subnet_id == sa.bindparam("subnet"))
)

_ANSWERED = sa.delete(ORDERS).where(
    ORDERS.c.type == sa.bindparam("order_type"),
    ORDERS.c.target == sa.bindparam("order_target"),
    ORDERS.c.number <= sa.bindparam("up_to"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order that waits for its answer, and what it belongs to."""

    order: Order
    correlation_id: str
    traceparent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPort:
    """A port's row; `port` is None when it failed."""

    port_id: PortId
    state: str
    port: Port | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed:
    """A VIP whose load balancer does not exist (yet)."""

    load_balancer_id: LoadBalancerId
    state: str
    asked_at: datetime


def sequence(connection: sa.Connection, subject: str) -> int:
    """Give the sequence of an aggregate's last commit, 0 when it has none."""
    return int(rows.find(connection, AGGREGATES, AGGREGATES.c.sequence, subject=subject).scalar() or 0)


def position_of(connection: sa.Connection, network_id: NetworkId) -> Position:
    """Give the place of the newest event about a network."""
    subject = streams.event_subject("network", "network", network_id)
    return Position(streams.events_of("network"), sequence(connection, subject))


def networks(connection: sa.Connection) -> dict[NetworkId, Network]:
    """Give all networks that are known."""
    bodies = connection.scalars(sa.select(NETWORKS.c.body))
    return {network.id: network for network in map(_network, bodies)}


def network_of(connection: sa.Connection, network_id: NetworkId | None, subnet_id: SubnetId | None) -> NetworkId | None:
    """Give the network that is meant, None where it or that subnet is not known; a subnet says it by itself."""
    if subnet_id is not None:
        found = rows.find(connection, SUBNETS, SUBNETS.c.network_id, subnet_id=subnet_id).scalar()
    else:
        found = rows.find(connection, NETWORKS, NETWORKS.c.network_id, network_id=network_id).scalar()
    return None if found is None else NetworkId(found)


def network_for(connection: sa.Connection, network_id: NetworkId | None, address: str) -> NetworkId | None:
    """Give the network that is meant, None where it is not known, or no subnet of it contains the address."""
    body = rows.find(connection, NETWORKS, NETWORKS.c.body, network_id=network_id).scalar()
    subnets = _network(body).subnets if body is not None else ()
    return network_id if any(contains(subnet, address) for subnet in subnets) else None


def space(
    connection: sa.Connection,
    *,
    kept: Kept,
    network_id: NetworkId | None = None,
    subnet_ids: Iterable[SubnetId | None] = (),
    management: bool = False,
) -> Space:
    """Give the networks that are named, directly or by subnet, and which of their addresses are taken."""
    subnets = {*subnet_ids} - {None}
    bodies = [connection.scalar(_OF_SUBNET, {"subnet": each}) for each in subnets]
    if network_id is not None:
        bodies.append(rows.find(connection, NETWORKS, NETWORKS.c.body, network_id=network_id).scalar())
    if management:
        bodies += rows.find(connection, NETWORKS, NETWORKS.c.body, role=MANAGEMENT).scalars()
    by_id = {network.id: network for network in map(_network, filter(None, bodies))}
    found = tuple(by_id[each] for each in sorted(by_id))

    def is_taken(subnet_id: SubnetId, address: str) -> bool:
        if address in kept.get(subnet_id, ()):
            return True
        return connection.scalar(_IN_USE, {"subnet": subnet_id, "address": address}) is not None

    return Space(networks=found, is_taken=is_taken, free_from=_free_from(connection))


def _free_from(connection: sa.Connection) -> dict[SubnetId, int]:
    known: dict[SubnetId, int] = connection.info.setdefault(FREE_FROM, {})
    return known


def reservation(connection: sa.Connection, load_balancer_id: LoadBalancerId) -> Reservation | None:
    """Give what is known of a load balancer's VIP."""
    row = rows.find(connection, VIPS, load_balancer_id=load_balancer_id).one_or_none()
    if row is None:
        return None
    return Reservation(
        state=row.state,
        project_id=row.project_id,
        vip=None if row.body is None else msgspec.msgpack.decode(row.body, type=Vip),
        additional_vips=msgspec.msgpack.decode(row.additional, type=tuple[Vip, ...]) if row.additional else (),
    )


def claim_vip(
    connection: sa.Connection,
    load_balancer_id: LoadBalancerId,
    vips: Sequence[Vip],
    *,
    project_id: ProjectId,
    now: datetime,
) -> None:
    """Promise addresses before they are on the log: whatever becomes of the append, nobody else gets them meanwhile."""
    first, *additional = vips
    forget_vip(connection, load_balancer_id)
    values = {
        "load_balancer_id": load_balancer_id,
        "state": "claimed",
        "project_id": project_id,
        "body": msgspec.msgpack.encode(first),
        "additional": msgspec.msgpack.encode(additional),
        "asked_at_epoch_s": now.timestamp(),
    }
    rows.insert(connection, VIPS, values)
    for vip in vips:
        take_address(connection, vip.subnet_id, vip.address, port_id=vip.port_id)


def confirm_vip(connection: sa.Connection, event: VipReserved, *, at_epoch_s: float) -> None:
    """Note what is on the log: mostly just what was claimed."""
    body, additional = msgspec.msgpack.encode(event.vip), msgspec.msgpack.encode(event.additional_vips)
    values = {"state": "reserved", "asked_at_epoch_s": at_epoch_s}
    claimed = {"load_balancer_id": event.load_balancer_id, "state": "claimed", "body": body, "additional": additional}
    if rows.update(connection, VIPS, values, **claimed):
        return
    values |= {"project_id": event.project_id, "body": body, "additional": additional}
    rows.put(connection, VIPS, values, load_balancer_id=event.load_balancer_id)
    for vip in (event.vip, *event.additional_vips):
        take_address(connection, vip.subnet_id, vip.address, port_id=vip.port_id)


def touch_vip(connection: sa.Connection, load_balancer_id: LoadBalancerId, *, now: datetime) -> None:
    """Note that the reservation was asked for again: its time begins anew."""
    rows.update(connection, VIPS, {"asked_at_epoch_s": now.timestamp()}, load_balancer_id=load_balancer_id)


def forget_vip(connection: sa.Connection, load_balancer_id: LoadBalancerId) -> None:
    """Take a load balancer's row and the addresses of all its VIPs away."""
    known = reservation(connection, load_balancer_id)
    if known is None:
        return
    rows.delete(connection, VIPS, load_balancer_id=load_balancer_id)
    if known.vip is not None:
        for vip in (known.vip, *known.additional_vips):
            free_address(connection, vip.port_id)


def unclaimed_vips(connection: sa.Connection, *, asked_before: datetime) -> list[Unclaimed]:
    """Give the VIPs that were asked for before that time and whose load balancer neither exists nor is proposed."""
    exists = sa.exists().where(LOAD_BALANCERS.c.load_balancer_id == VIPS.c.load_balancer_id)
    proposed = sa.exists().where(PROPOSALS.c.load_balancer_id == VIPS.c.load_balancer_id)
    query = sa.select(VIPS).where(
        VIPS.c.state.in_(("claimed", "reserved")),
        VIPS.c.asked_at_epoch_s <= asked_before.timestamp(),
        ~exists,
        ~proposed,
    )
    return [
        Unclaimed(
            load_balancer_id=row.load_balancer_id,
            state=row.state,
            asked_at=datetime.fromtimestamp(row.asked_at_epoch_s, UTC),
        )
        for row in connection.execute(query)
    ]


def ports_of(connection: sa.Connection, amphora_id: str) -> dict[PortId, StoredPort]:
    """Give all ports of one amphora, whatever their state."""
    return {row.port_id: row for row in _ports(connection, amphora_id=amphora_id)}


def all_ports(connection: sa.Connection) -> list[StoredPort]:
    """Give every port that is known."""
    return _ports(connection)


def put_port(connection: sa.Connection, amphora_id: str, port: Port, *, state: str) -> None:
    """Note a port with its address: `wanted` before it is made, so that a repeat makes the same, `created` after."""
    values = {"amphora_id": amphora_id, "state": state, "body": msgspec.msgpack.encode(port)}
    if state == "created" and rows.update(connection, PORTS, {"state": state}, port_id=port.id, body=values["body"]):
        return  # as it was promised, with its address
    rows.put(connection, PORTS, values, port_id=port.id)
    take_address(connection, port.subnet_id, port.address, port_id=port.id)


def forget_port(connection: sa.Connection, port_id: PortId) -> None:
    """Take a port's row and address away."""
    rows.delete(connection, PORTS, port_id=port_id)
    free_address(connection, port_id)


def take_address(connection: sa.Connection, subnet_id: SubnetId, address: str, *, port_id: PortId) -> None:
    """
    Note whose an address is; the port gives back what it had.

    Raises:
        sqlalchemy.exc.IntegrityError: it is somebody else's.
    """
    has = rows.find(connection, ADDRESSES, ADDRESSES.c.subnet_id, ADDRESSES.c.address, port_id=port_id).first()
    if has is not None:
        if (has.subnet_id, has.address) == (subnet_id, address):
            return
        free_address(connection, port_id)
    rows.insert(connection, ADDRESSES, {"subnet_id": subnet_id, "address": address, "port_id": port_id})
    lowest = _free_from(connection)
    if lowest.get(subnet_id) == int(ip_address(address)):
        lowest[subnet_id] += 1


def free_address(connection: sa.Connection, port_id: PortId) -> None:
    """Note that a port has no address any more."""
    for has in rows.find(connection, ADDRESSES, ADDRESSES.c.subnet_id, ADDRESSES.c.address, port_id=port_id).all():
        lowest = _free_from(connection)
        if has.subnet_id in lowest:
            lowest[has.subnet_id] = min(lowest[has.subnet_id], int(ip_address(has.address)))
        rows.delete(connection, ADDRESSES, port_id=port_id)


def settled_revision(connection: sa.Connection, amphora_id: str) -> int:
    """Give the newest revision of an amphora's ports that is on the log, 0 when there is none."""
    return int(rows.find(connection, SETTLEMENTS, SETTLEMENTS.c.revision, amphora_id=amphora_id).scalar() or 0)


def store_order(
    connection: sa.Connection, order: Order, *, number: int, correlation_id: str, traceparent: str | None
) -> None:
    """Keep an order until it is answered on the log; an older one of its target is replaced, a newer one stays."""
    key = {"type": order.TYPE, "target": order.target}
    stored = rows.find(connection, ORDERS, ORDERS.c.number, **key).scalar()
    if stored is not None and stored >= number:
        return
    values = {
        "number": number,
        "version": order.VERSION,
        "body": CODEC.encode(order),
        "correlation_id": correlation_id,
        "traceparent": traceparent,
    }
    rows.put(connection, ORDERS, values, **key)


def stored_order(connection: sa.Connection, order_type: str, target: str) -> StoredOrder | None:
    """Give the order of that type that waits for its answer."""
    row = rows.find(connection, ORDERS, type=order_type, target=target).one_or_none()
    if row is None:
        return None
    order = CODEC.decode(row.type, row.version, row.body)
    if not isinstance(order, Order):
        raise UnreadableError(f"{row.type} is not an order")
    return StoredOrder(order=order, correlation_id=row.correlation_id, traceparent=row.traceparent)


def order_targets(connection: sa.Connection, order_type: str) -> list[str]:
    """Give the targets for which an order waits."""
    return list(rows.find(connection, ORDERS, ORDERS.c.target, type=order_type).scalars())


def forget_order(connection: sa.Connection, order_type: str, target: str, *, up_to: int) -> None:
    """Take away the order that is answered."""
    connection.execute(_ANSWERED, {"order_type": order_type, "order_target": target, "up_to": up_to})


@lru_cache(maxsize=256)
def _network(body: bytes) -> Network:
    return msgspec.msgpack.decode(body, type=Network)


def _ports(connection: sa.Connection, **of: str) -> list[StoredPort]:
    found = rows.find(connection, PORTS, PORTS.c.port_id, PORTS.c.state, PORTS.c.body, **of)
    return [
        StoredPort(
            port_id=PortId(port_id),
            state=state,
            port=None if body is None else msgspec.msgpack.decode(body, type=Port),
        )
        for port_id, state, body in found
    ]
