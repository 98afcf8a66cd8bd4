"""Events to rows. No IO but the connection. Late or repeated news of what is deleted changes nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from actium_health.liveness import Verdict
from actium_health.operating_status import Kind
from actium_health.read_model import tables
from actium_shared import rows, streams
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import AmphoraBooted, AmphoraCertificateRenewed, AmphoraDeleted
from actium_shared.events.appliance import (
    AmphoraAppointed,
    AmphoraDismissed,
    ApplianceRetired,
    BundleApplied,
    BundleCut,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
)
from actium_shared.events.health import (
    AmphoraHeardAgain,
    AmphoraLossHeldBack,
    AmphoraLost,
    AmphoraRoleChanged,
    LivenessEvent,
    OperatingStatusChanged,
)
from actium_shared.events.load_balancer import (
    HealthMonitorCreated,
    HealthMonitorRemoved,
    HealthMonitorUpdated,
    ListenerCreated,
    ListenerRemoved,
    ListenerUpdated,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    LoadBalancerDeletionRequested,
    LoadBalancerUpdated,
    MemberCreated,
    MemberRemoved,
    MemberUpdated,
    PoolCreated,
    PoolRemoved,
    PoolUpdated,
)
from actium_shared.events.spares import SpareAppointed, SpareDismissed, SpareHandedOut
from actium_shared.message import Event

OWN = streams.events_of("health")
PLANNER = streams.events_of("planner")
COMPUTE = streams.events_of("compute")

LOSSES_KEPT_S = 3_600.0
"""Longer than any limit looks back."""

Row = Mapping[str, Any]

_OVERTAKEN = sa.delete(tables.bundles).where(
    tables.bundles.c.appliance_id == sa.bindparam("appliance"), tables.bundles.c.bundle < sa.bindparam("newest")
)


def project(connection: sa.Connection, item: Recorded) -> None:
    """Apply one commit."""
    for event in item.commit.events:
        if (apply := _PROJECTIONS.get(type(event))) is not None:
            apply(connection, event)
    if item.position.stream == OWN:
        _recorded(connection, item)


# -- the tree


def _load_balancer_created(connection: sa.Connection, event: LoadBalancerCreated) -> None:
    value = event.load_balancer
    _put_object(connection, event, Kind.LOAD_BALANCER, value.id, enabled=value.admin_state_up)


def _load_balancer_updated(connection: sa.Connection, event: LoadBalancerUpdated) -> None:
    value = event.load_balancer
    _change_object(connection, Kind.LOAD_BALANCER, value.id, enabled=value.admin_state_up, generation=event.generation)


def _deletion_requested(connection: sa.Connection, event: LoadBalancerDeletionRequested) -> None:
    """Forget one that amphorae of ours carry; of another vendor's the driver may tell figures until it is gone."""
    if rows.find(connection, tables.placements, load_balancer_id=event.load_balancer_id).first() is not None:
        _load_balancer_gone(connection, event)


def _load_balancer_gone(connection: sa.Connection, event: LoadBalancerDeletionRequested | LoadBalancerDeleted) -> None:
    for table in (tables.objects, tables.statuses, tables.records, tables.totals, tables.placements, tables.bundles):
        rows.delete(connection, table, load_balancer_id=event.load_balancer_id)


def _listener_created(connection: sa.Connection, event: ListenerCreated) -> None:
    value = event.listener
    _put_object(connection, event, Kind.LISTENER, value.id, enabled=value.admin_state_up)


def _listener_updated(connection: sa.Connection, event: ListenerUpdated) -> None:
    value = event.listener
    _change_object(connection, Kind.LISTENER, value.id, enabled=value.admin_state_up, generation=event.generation)


def _listener_removed(connection: sa.Connection, event: ListenerRemoved) -> None:
    _remove_object(connection, Kind.LISTENER, event.listener_id)
    connection.execute(sa.delete(tables.totals).where(tables.totals.c.listener_id == event.listener_id))


def _pool_created(connection: sa.Connection, event: PoolCreated) -> None:
    _put_object(connection, event, Kind.POOL, event.pool.id, enabled=event.pool.admin_state_up)


def _pool_updated(connection: sa.Connection, event: PoolUpdated) -> None:
    value = event.pool
    _change_object(connection, Kind.POOL, value.id, enabled=value.admin_state_up, generation=event.generation)


def _pool_removed(connection: sa.Connection, event: PoolRemoved) -> None:
    members = sa.select(tables.objects.c.id).where(
        tables.objects.c.kind == Kind.MEMBER, tables.objects.c.parent_id == event.pool_id
    )
    for member_id in connection.scalars(members).all():
        _remove_object(connection, Kind.MEMBER, member_id)
    _remove_object(connection, Kind.POOL, event.pool_id)


def _member_created(connection: sa.Connection, event: MemberCreated) -> None:
    value = event.member
    _put_object(connection, event, Kind.MEMBER, value.id, enabled=value.admin_state_up, parent_id=event.pool_id)


def _member_updated(connection: sa.Connection, event: MemberUpdated) -> None:
    value = event.member
    _change_object(connection, Kind.MEMBER, value.id, enabled=value.admin_state_up, generation=event.generation)


def _member_removed(connection: sa.Connection, event: MemberRemoved) -> None:
    _remove_object(connection, Kind.MEMBER, event.member_id)


def _monitor_wished(connection: sa.Connection, event: HealthMonitorCreated | HealthMonitorUpdated) -> None:
    monitored = event.health_monitor.admin_state_up
    _change_object(connection, Kind.POOL, event.pool_id, monitored=monitored, generation=event.generation)


def _monitor_removed(connection: sa.Connection, event: HealthMonitorRemoved) -> None:
    _change_object(connection, Kind.POOL, event.pool_id, monitored=False, generation=event.generation)


# -- who runs it


def _admitted(connection: sa.Connection, event: LoadBalancerAdmitted) -> None:
    key = {"load_balancer_id": event.load_balancer_id}
    _upsert(connection, tables.placements, key, {"appliance_id": event.appliance_id})


def _released(connection: sa.Connection, event: LoadBalancerReleased) -> None:
    key = {"load_balancer_id": event.load_balancer_id, "appliance_id": event.appliance_id}
    rows.delete(connection, tables.placements, **key)


def _bundle_cut(connection: sa.Connection, event: BundleCut) -> None:
    for load_balancer_id, generation in event.holds.items():
        key = {
            "appliance_id": event.appliance_id,
            "bundle": event.bundle,
            "load_balancer_id": load_balancer_id,
        }
        _upsert(connection, tables.bundles, key, {"generation": generation})


def _bundle_applied(connection: sa.Connection, event: BundleApplied) -> None:
    connection.execute(_OVERTAKEN, {"appliance": event.appliance_id, "newest": event.bundle})


def _appliance_retired(connection: sa.Connection, event: ApplianceRetired) -> None:
    for table in (tables.bundles, tables.placements):
        rows.delete(connection, table, appliance_id=event.appliance_id)


def _appointed(connection: sa.Connection, event: AmphoraAppointed) -> None:
    _put_amphora(connection, event.amphora_id, appliance_id=event.appliance_id, spare=False)


def _dismissed(connection: sa.Connection, event: AmphoraDismissed) -> None:
    _put_amphora(connection, event.amphora_id, appliance_id=event.appliance_id, dismissed=True)


def _spare_appointed(connection: sa.Connection, event: SpareAppointed) -> None:
    _put_amphora(connection, event.amphora_id, appliance_id=event.spares_id, spare=True)


def _spare_handed_out(connection: sa.Connection, event: SpareHandedOut) -> None:
    _put_amphora(connection, event.amphora_id, appliance_id=event.appliance_id, spare=False)


def _spare_dismissed(connection: sa.Connection, event: SpareDismissed) -> None:
    _put_amphora(connection, event.amphora_id, appliance_id=event.spares_id, dismissed=True)


def _booted(connection: sa.Connection, event: AmphoraBooted) -> None:
    _put_machine(connection, event, key_version=event.heartbeat_key_version, host=event.host)


def _renewed(connection: sa.Connection, event: AmphoraCertificateRenewed) -> None:
    if event.heartbeat_key_version:  # otherwise it kept its key
        _put_machine(connection, event, key_version=event.heartbeat_key_version)


def _deleted(connection: sa.Connection, event: AmphoraDeleted) -> None:
    _put_machine(connection, event, deleted=True)
    rows.update(connection, tables.totals, {"active_connections": 0}, amphora_id=event.amphora_id)
    rows.delete(connection, tables.liveness, amphora_id=event.amphora_id)


# -- what was recorded


def _recorded(connection: sa.Connection, item: Recorded) -> None:
    """Note where the aggregate's last commit stands, and what it says of an amphora's life."""
    if item.aggregate == "health" and _lives(connection, item.aggregate_id):
        key = {"load_balancer_id": item.aggregate_id}
        _upsert(connection, tables.records, key, {"sequence": item.position.sequence})
    for event in item.commit.events:
        if isinstance(event, LivenessEvent):
            _said_of_life(connection, event, item)


def _said_of_life(connection: sa.Connection, event: LivenessEvent, item: Recorded) -> None:
    if isinstance(event, AmphoraLost):
        at = item.stored_at.timestamp()
        values = {"host": event.host, "at": at}
        _upsert(connection, tables.losses, {"sequence": item.position.sequence, "amphora_id": event.amphora_id}, values)
        connection.execute(sa.delete(tables.losses).where(tables.losses.c.at < at - LOSSES_KEPT_S))
    if rows.find(connection, tables.amphorae, tables.amphorae.c.id, id=event.amphora_id, deleted=True).first():
        return
    said = {"sequence": item.position.sequence, **_SAID[type(event)](event)}
    if not rows.update(connection, tables.liveness, said, amphora_id=event.amphora_id):
        rows.insert(
            connection, tables.liveness, {"amphora_id": event.amphora_id, "verdict": "", "role": "", "epoch": 0, **said}
        )


_SAID: Mapping[type[LivenessEvent], Callable[[Any], Row]] = {
    AmphoraLost: lambda _: {"verdict": Verdict.LOST},
    AmphoraLossHeldBack: lambda _: {"verdict": Verdict.HELD_BACK},
    AmphoraHeardAgain: lambda _: {"verdict": Verdict.NONE},
    AmphoraRoleChanged: lambda event: {"role": event.role, "epoch": event.epoch},
}


def _statuses_changed(connection: sa.Connection, event: OperatingStatusChanged) -> None:
    table = tables.objects
    found = rows.find(connection, table, table.c.kind, table.c.id, load_balancer_id=event.load_balancer_id)
    exist = {(row.kind, row.id) for row in found}
    for change in event.changes:
        if (change.kind, change.id) in exist:
            values = {"load_balancer_id": event.load_balancer_id, "operating_status": change.operating_status}
            _upsert(connection, tables.statuses, {"kind": change.kind, "id": change.id}, values)


# -- rows


def _put_object(
    connection: sa.Connection,
    event: LoadBalancerCreated | ListenerCreated | PoolCreated | MemberCreated,
    kind: Kind,
    about: str,
    *,
    enabled: bool,
    parent_id: str = "",
) -> None:
    values = {
        "load_balancer_id": event.load_balancer_id,
        "parent_id": parent_id,
        "enabled": enabled,
        "monitored": False,
        "generation": event.generation,
    }
    _upsert(connection, tables.objects, {"kind": kind, "id": about}, values)


def _change_object(connection: sa.Connection, kind: Kind, about: str, **values: object) -> None:
    rows.update(connection, tables.objects, values, kind=kind, id=about)


def _remove_object(connection: sa.Connection, kind: Kind, about: str) -> None:
    for table in (tables.objects, tables.statuses):
        rows.delete(connection, table, kind=kind, id=about)


def _put_machine(
    connection: sa.Connection, event: AmphoraBooted | AmphoraCertificateRenewed | AmphoraDeleted, **known: object
) -> None:
    """Whose it is the planner decides, and its word may have come before: a spare is handed out, a machine is not asked."""
    if not rows.update(connection, tables.amphorae, known, id=event.amphora_id):
        _put_amphora(connection, event.amphora_id, appliance_id=event.appliance_id, **known)


def _put_amphora(connection: sa.Connection, amphora_id: str, **known: object) -> None:
    if not rows.update(connection, tables.amphorae, known, id=amphora_id):
        new = {"dismissed": False, "deleted": False, "key_version": 0, "host": "", "spare": False}
        rows.insert(connection, tables.amphorae, {"id": amphora_id, **new, **known})


def _lives(connection: sa.Connection, load_balancer_id: str) -> bool:
    found = rows.find(connection, tables.objects, kind=Kind.LOAD_BALANCER, id=load_balancer_id)
    return found.first() is not None


def _upsert(connection: sa.Connection, table: sa.Table, key: Row, values: Row) -> None:
    rows.put(connection, table, values, **key)


_PROJECTIONS: Mapping[type[Event], Callable[[sa.Connection, Any], None]] = {
    LoadBalancerCreated: _load_balancer_created,
    LoadBalancerUpdated: _load_balancer_updated,
    LoadBalancerDeletionRequested: _deletion_requested,
    LoadBalancerDeleted: _load_balancer_gone,
    ListenerCreated: _listener_created,
    ListenerUpdated: _listener_updated,
    ListenerRemoved: _listener_removed,
    PoolCreated: _pool_created,
    PoolUpdated: _pool_updated,
    PoolRemoved: _pool_removed,
    MemberCreated: _member_created,
    MemberUpdated: _member_updated,
    MemberRemoved: _member_removed,
    HealthMonitorCreated: _monitor_wished,
    HealthMonitorUpdated: _monitor_wished,
    HealthMonitorRemoved: _monitor_removed,
    LoadBalancerAdmitted: _admitted,
    LoadBalancerReleased: _released,
    BundleCut: _bundle_cut,
    BundleApplied: _bundle_applied,
    ApplianceRetired: _appliance_retired,
    AmphoraAppointed: _appointed,
    AmphoraDismissed: _dismissed,
    SpareAppointed: _spare_appointed,
    SpareHandedOut: _spare_handed_out,
    SpareDismissed: _spare_dismissed,
    AmphoraBooted: _booted,
    AmphoraCertificateRenewed: _renewed,
    AmphoraDeleted: _deleted,
    OperatingStatusChanged: _statuses_changed,
}

READS: tuple[type[Event], ...] = (*_PROJECTIONS, *_SAID)
"""The events that this service understands; all others pass by."""
