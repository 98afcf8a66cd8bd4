"""What the service asks of its tables about routes, and what it puts there; the rest is in `queries`."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from actium_network.read_model import queries
from actium_network.read_model.tables import ROUTED_VIPS, ROUTINGS
from actium_shared import rows
from actium_shared.events.network import RoutingAddress
from actium_shared.ids import ApplianceId, LoadBalancerId
from actium_shared.wishes import Vip


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRouting:
    """What is, or may be, routed to an appliance, and by which addresses; `revision` is the newest on the log."""

    revision: int = 0
    addresses: tuple[RoutingAddress, ...] = ()
    vips: tuple[Vip, ...] = ()


def routing(connection: sa.Connection, appliance_id: ApplianceId) -> StoredRouting:
    """Give what is known of an appliance's routes."""
    row = rows.find(connection, ROUTINGS, appliance_id=appliance_id).one_or_none()
    if row is None:
        return StoredRouting()
    bodies = rows.find(connection, ROUTED_VIPS, ROUTED_VIPS.c.body, appliance_id=appliance_id).scalars()
    return StoredRouting(
        revision=row.revision,
        addresses=msgspec.msgpack.decode(row.addresses, type=tuple[RoutingAddress, ...]),
        vips=tuple(sorted((msgspec.msgpack.decode(body, type=Vip) for body in bodies), key=lambda vip: vip.address)),
    )


def all_routings(connection: sa.Connection) -> list[StoredRouting]:
    """Give all of them."""
    ids = connection.scalars(sa.select(ROUTINGS.c.appliance_id).order_by(ROUTINGS.c.appliance_id))
    return [routing(connection, ApplianceId(appliance_id)) for appliance_id in list(ids)]


def put_routing(
    connection: sa.Connection,
    appliance_id: ApplianceId,
    addresses: Iterable[RoutingAddress],
    vips: Iterable[Vip],
    *,
    revision: int,
) -> None:
    """Note addresses, which are nobody else's from now on, and VIPs; those that were known and are not named are given back."""
    kept = tuple(addresses)
    for before in routing(connection, appliance_id).addresses:
        if before.port_id not in {address.port_id for address in kept}:
            queries.free_address(connection, before.port_id)
    for address in kept:
        queries.take_address(connection, address.subnet_id, address.address, port_id=address.port_id)
    values = {"revision": revision, "addresses": msgspec.msgpack.encode(kept)}
    rows.put(connection, ROUTINGS, values, appliance_id=appliance_id)
    rows.delete(connection, ROUTED_VIPS, appliance_id=appliance_id)
    for vip in vips:
        # One that was another appliance's is led here from now on.
        values = {"appliance_id": appliance_id, "body": msgspec.msgpack.encode(vip)}
        rows.put(connection, ROUTED_VIPS, values, subnet_id=vip.subnet_id, address=vip.address)


def put_revision(connection: sa.Connection, appliance_id: ApplianceId, revision: int) -> None:
    """Note which order is answered, whatever became of it."""
    known = routing(connection, appliance_id)
    put_routing(connection, appliance_id, known.addresses, known.vips, revision=max(revision, known.revision))


def is_routed(connection: sa.Connection, load_balancer_id: LoadBalancerId) -> bool:
    """Tell whether a route may still lead to one of a load balancer's VIPs."""
    known = queries.reservation(connection, load_balancer_id)
    if known is None or known.vip is None:
        return False
    return any(
        rows.find(connection, ROUTED_VIPS, subnet_id=vip.subnet_id, address=vip.address).one_or_none() is not None
        for vip in (known.vip, *known.additional_vips)
    )
