"""Events to rows: own ones, and those of the planner that say which load balancers exist. No IO but the connection."""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from actium_network.read_model import queries, route_queries
from actium_network.read_model.tables import (
    AGGREGATES,
    LOAD_BALANCERS,
    NETWORKS,
    PORTS,
    PROPOSALS,
    SETTLEMENTS,
    SUBNETS,
    VIPS,
)
from actium_shared import rows, streams
from actium_shared.commands.network import ReleaseVip, SettlePorts, SettleRoutes
from actium_shared.commands.planner import CreateLoadBalancer
from actium_shared.event_store import Recorded
from actium_shared.events.load_balancer import (
    ChangeProposed,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    ProposalSettled,
)
from actium_shared.events.network import (
    NetworkDiscovered,
    NetworkVanished,
    PortCreated,
    PortDeleted,
    PortFailed,
    PortsSettled,
    RoutesFailed,
    RoutesSettled,
    VipReleased,
    VipReserved,
)
from actium_shared.message import Event

OWN = streams.events_of("network")
PLANNER = streams.events_of("planner")
PLANNER_SUBJECTS = (streams.event_subjects("planner", "loadbalancer"),)
"""What of it is read."""

READS: tuple[type[Event], ...] = (
    NetworkDiscovered,
    NetworkVanished,
    VipReserved,
    VipReleased,
    PortCreated,
    PortFailed,
    PortDeleted,
    PortsSettled,
    RoutesSettled,
    RoutesFailed,
    ChangeProposed,
    ProposalSettled,
    LoadBalancerCreated,
    LoadBalancerDeleted,
)
"""The events that this service understands; all others pass by."""


def project(connection: sa.Connection, item: Recorded) -> None:
    """Apply one commit."""
    if item.position.stream == OWN:
        _upsert(connection, AGGREGATES, {"subject": item.subject}, {"sequence": item.position.sequence})
    for event in item.commit.events:
        _project(connection, event, item)


def _project(connection: sa.Connection, event: Event, item: Recorded) -> None:
    match event:
        case NetworkDiscovered():
            _network_discovered(connection, event)
        case NetworkVanished(network_id=network_id):
            connection.execute(sa.delete(NETWORKS).where(NETWORKS.c.network_id == network_id))
            connection.execute(sa.delete(SUBNETS).where(SUBNETS.c.network_id == network_id))
        case VipReserved():
            queries.confirm_vip(connection, event, at_epoch_s=item.commit.decided_at.timestamp())
        case VipReleased():
            _vip_released(connection, event, at_epoch_s=item.commit.decided_at.timestamp())
        case PortCreated(amphora_id=amphora_id, port=port):
            queries.put_port(connection, amphora_id, port, state="created")
        case PortFailed(amphora_id=amphora_id, port_id=port_id):
            values = {"amphora_id": amphora_id, "state": "failed", "body": None}
            _upsert(connection, PORTS, {"port_id": port_id}, values)
            queries.free_address(connection, port_id)
        case PortDeleted(port_id=port_id):
            queries.forget_port(connection, port_id)
        case PortsSettled():
            _ports_settled(connection, event, item)
        case RoutesSettled(appliance_id=appliance_id, revision=revision, vips=vips, routing_addresses=addresses):
            route_queries.put_routing(connection, appliance_id, addresses, vips, revision=revision)
            queries.forget_order(connection, SettleRoutes.TYPE, appliance_id, up_to=revision)
        case RoutesFailed(appliance_id=appliance_id, revision=revision):
            route_queries.put_revision(connection, appliance_id, revision)
            queries.forget_order(connection, SettleRoutes.TYPE, appliance_id, up_to=revision)
        case ChangeProposed() if event.command.type == CreateLoadBalancer.TYPE:
            values = {"load_balancer_id": event.load_balancer_id}
            _upsert(connection, PROPOSALS, {"proposal_id": event.proposal_id}, values)
        case ProposalSettled(proposal_id=proposal_id):
            # Also a refusal: nothing of it is left with its driver. One that only lapsed may still use the address.
            rows.delete(connection, PROPOSALS, proposal_id=proposal_id)
        case LoadBalancerCreated(load_balancer_id=load_balancer_id):
            _upsert(connection, LOAD_BALANCERS, {"load_balancer_id": load_balancer_id}, {})
        case LoadBalancerDeleted(load_balancer_id=load_balancer_id):
            rows.delete(connection, LOAD_BALANCERS, load_balancer_id=load_balancer_id)
        case _:
            pass  # the planner's stream tells much that does not matter here


def _network_discovered(connection: sa.Connection, event: NetworkDiscovered) -> None:
    network = event.network
    values = {"role": network.role, "body": msgspec.msgpack.encode(network)}
    _upsert(connection, NETWORKS, {"network_id": network.id}, values)
    connection.execute(sa.delete(SUBNETS).where(SUBNETS.c.network_id == network.id))
    for subnet in network.subnets:
        connection.execute(sa.insert(SUBNETS).values(subnet_id=subnet.id, network_id=network.id))


def _vip_released(connection: sa.Connection, event: VipReleased, *, at_epoch_s: float) -> None:
    queries.forget_vip(connection, event.load_balancer_id)
    if event.reason != "deleted":
        return  # as if it had never been
    values = {"state": "deleted", "project_id": "", "body": None, "additional": None, "asked_at_epoch_s": at_epoch_s}
    _upsert(connection, VIPS, {"load_balancer_id": event.load_balancer_id}, values)
    queries.forget_order(connection, ReleaseVip.TYPE, event.load_balancer_id, up_to=1)


def _ports_settled(connection: sa.Connection, event: PortsSettled, item: Recorded) -> None:
    # Ports that failed earlier and not in this commit are wished for no more, or stand now.
    still = [told.port_id for told in item.commit.events if isinstance(told, PortFailed)]
    failed = rows.find(connection, PORTS, PORTS.c.port_id, amphora_id=event.amphora_id, state="failed").scalars()
    for port_id in set(failed).difference(still):
        rows.delete(connection, PORTS, port_id=port_id)
    _upsert(connection, SETTLEMENTS, {"amphora_id": event.amphora_id}, {"revision": event.revision})
    queries.forget_order(connection, SettlePorts.TYPE, event.amphora_id, up_to=event.revision)


def _upsert(connection: sa.Connection, table: sa.Table, key: Mapping[str, str], values: Mapping[str, object]) -> None:
    rows.put(connection, table, values, **key)
