"""
What the events of load balancers do to rows, commit by commit.

Provisioning statuses: an object is pending from the event that changed it, or something in it, until a round ends
that holds the event's generation; a removed one is gone then. An ACTIVE load balancer is one whose last round ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from actium_api.read_model.rows import CHILDREN, RESOURCES, Rows, pack, seconds
from actium_api.read_model.tables import (
    AMPHORAE,
    CARRIED,
    HEALTH_MONITORS,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    STATISTICS,
    TAGS,
)
from actium_shared.event_store import Recorded
from actium_shared.events.load_balancer import (
    HealthMonitorCreated,
    HealthMonitorRemoved,
    HealthMonitorUpdated,
    ListenerCreated,
    ListenerRemoved,
    ListenerUpdated,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    LoadBalancerDeletionDelayed,
    LoadBalancerDeletionRequested,
    LoadBalancerEvent,
    LoadBalancerUpdated,
    MemberCreated,
    MemberRemoved,
    MemberUpdated,
    PoolCreated,
    PoolRemoved,
    PoolUpdated,
    RoundBegun,
    RoundEnded,
    RoundFailed,
)
from actium_shared.wishes import HealthMonitor, Listener, LoadBalancer, Member, Pool

ACTIVE, ERROR = "ACTIVE", "ERROR"
PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE = "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE"
ONLINE, OFFLINE, NO_MONITOR = "ONLINE", "OFFLINE", "NO_MONITOR"

STRONGER = (PENDING_CREATE, PENDING_DELETE)
"""What an update does not turn into PENDING_UPDATE."""


def apply(rows: Rows, recorded: Recorded) -> None:
    """Change the rows as this commit of one load balancer says."""
    events = [event for event in recorded.commit.events if isinstance(event, LoadBalancerEvent)]
    if not events:
        return
    commit = _Commit(
        rows, events[0].load_balancer_id, at=seconds(recorded.commit.decided_at), sequence=recorded.position.sequence
    )
    for event in events:
        commit.apply(event)
    commit.finish()


@dataclass(frozen=True, slots=True)
class _New:
    pool_id: str
    member: Member
    generation: int


class _Commit:
    """The events of one decision: what they share, and what is done once for all of them."""

    def __init__(self, rows: Rows, load_balancer_id: str, *, at: str, sequence: int) -> None:
        self.rows, self.load_balancer_id = rows, load_balancer_id
        self.at, self.sequence = at, sequence
        self._generation = 0
        self._changed_pools: set[str] = set()
        self._new_members: list[_New] = []

    def apply(self, event: LoadBalancerEvent) -> None:
        match event:
            case LoadBalancerCreated(load_balancer=wish):
                self._insert(LOAD_BALANCERS, wish, event.generation, OFFLINE, project_id=wish.project_id)
            case LoadBalancerUpdated(load_balancer=wish):
                self._change(LOAD_BALANCERS, wish, event.generation)
            case LoadBalancerDeletionRequested():
                self._remove(LOAD_BALANCERS, self.load_balancer_id, event.generation)
            case LoadBalancerDeletionDelayed():
                self._set_status(LOAD_BALANCERS, [self.load_balancer_id], ERROR)
            case LoadBalancerDeleted():
                self._forget()
            case RoundBegun():
                self._set_status(LOAD_BALANCERS, [self.load_balancer_id], PENDING_UPDATE, unless=STRONGER)
            case RoundEnded():
                self._end_round(event.generation, ACTIVE)
            case RoundFailed():
                self._end_round(event.generation, ERROR)
            case _:
                self._apply_to_child(event)

    def _apply_to_child(self, event: LoadBalancerEvent) -> None:
        match event:
            case ListenerCreated(listener=listener):
                self._insert(LISTENERS, listener, event.generation, OFFLINE, default_pool_id=listener.default_pool_id)
                self.rows.touch(POOLS, [listener.default_pool_id])
            case ListenerUpdated(listener=listener):
                self._change_listener(listener, event.generation)
            case ListenerRemoved(listener_id=listener_id):
                self._remove(LISTENERS, listener_id, event.generation)
            case PoolCreated(pool=pool):
                self._insert(POOLS, pool, event.generation, OFFLINE)
            case PoolUpdated(pool=pool):
                self._change(POOLS, pool, event.generation)
                self._bump_listeners([pool.id], event.generation)
            case PoolRemoved(pool_id=pool_id):
                self._bump_listeners([pool_id], event.generation)
                self._remove(POOLS, pool_id, event.generation)
            case MemberCreated(pool_id=pool_id, member=member):
                self._new_members.append(_New(pool_id, member, event.generation))
                self._changed_pools.add(pool_id)
            case MemberUpdated(pool_id=pool_id, member=member):
                self._change(MEMBERS, member, event.generation)
                self._changed_pools.add(pool_id)
            case MemberRemoved(pool_id=pool_id, member_id=member_id):
                self._remove(MEMBERS, member_id, event.generation)
                self._changed_pools.add(pool_id)
            case HealthMonitorCreated(pool_id=pool_id, health_monitor=monitor):
                self._insert(HEALTH_MONITORS, monitor, event.generation, OFFLINE, pool_id=pool_id)
                self._changed_pools.add(pool_id)
            case HealthMonitorUpdated(pool_id=pool_id, health_monitor=monitor):
                self._change(HEALTH_MONITORS, monitor, event.generation)
                self._changed_pools.add(pool_id)
            case HealthMonitorRemoved(pool_id=pool_id, health_monitor_id=monitor_id):
                self._remove(HEALTH_MONITORS, monitor_id, event.generation)
                self._changed_pools.add(pool_id)
            case _:  # placed and withdrawn show nowhere
                return

    def finish(self) -> None:
        """Do what follows from all events together: members come last, as a monitor may come with them."""
        self._insert_members()
        if self._generation:
            pools = sorted(self._changed_pools)
            self._bump(POOLS, pools, self._generation)
            self._bump_listeners(pools, self._generation)
            self._bump(LOAD_BALANCERS, [self.load_balancer_id], self._generation)

    def _insert_members(self) -> None:
        monitored = {pool_id for pool_id in {new.pool_id for new in self._new_members} if self._has_monitor(pool_id)}
        values = [
            self._values(
                new.member, new.generation, OFFLINE if new.pool_id in monitored else NO_MONITOR, pool_id=new.pool_id
            )
            for new in self._new_members
        ]
        if values:
            self._clear(MEMBERS, [new.member.id for new in self._new_members])
            self.rows.connection.execute(sa.insert(MEMBERS), values)
            for new in self._new_members:
                self._tag(new.member.id, new.member.tags)
            self.rows.touch(MEMBERS, [new.member.id for new in self._new_members])

    def _has_monitor(self, pool_id: str) -> bool:
        return bool(self.rows.ids(HEALTH_MONITORS, HEALTH_MONITORS.c.pool_id == pool_id))

    def _values(
        self,
        wish: LoadBalancer | Listener | Pool | Member | HealthMonitor,
        generation: int,
        operating_status: str,
        **own: str | None,
    ) -> dict[str, object]:
        self._generation = max(generation, self._generation)
        return {
            "id": wish.id,
            "load_balancer_id": self.load_balancer_id,
            "project_id": own.pop("project_id", None) or self._project_id(),
            "wish": pack(wish),
            "generation": generation,
            "provisioning_status": PENDING_CREATE,
            "operating_status": operating_status,
            "operating_since": self.sequence,
            "created_at": self.at,
            **own,
        }

    def _project_id(self) -> str | None:
        query = sa.select(LOAD_BALANCERS.c.project_id).where(LOAD_BALANCERS.c.id == self.load_balancer_id)
        return self.rows.connection.scalar(query)

    def _insert(
        self,
        table: sa.Table,
        wish: LoadBalancer | Listener | Pool | HealthMonitor,
        generation: int,
        operating_status: str,
        **own: str | None,
    ) -> None:
        self._clear(table, [wish.id])
        self.rows.connection.execute(sa.insert(table), [self._values(wish, generation, operating_status, **own)])
        self._tag(wish.id, wish.tags)
        self._touch_around(table, [wish.id])

    def _clear(self, table: sa.Table, ids: list[str]) -> None:
        """Make room: a create that is repeated very late may come again after the removal."""
        self.rows.delete(table, ids)
        self.rows.delete_tags(ids)

    def _change(
        self,
        table: sa.Table,
        wish: LoadBalancer | Listener | Pool | Member | HealthMonitor,
        generation: int,
        **own: str | None,
    ) -> None:
        self.rows.connection.execute(sa.update(table).where(table.c.id == wish.id).values(wish=pack(wish), **own))
        self.rows.delete_tags([wish.id])
        self._tag(wish.id, wish.tags)
        self._bump(table, [wish.id], generation)

    def _change_listener(self, listener: Listener, generation: int) -> None:
        before = self.rows.wish(LISTENERS, listener.id)
        self._change(LISTENERS, listener, generation, default_pool_id=listener.default_pool_id)
        self.rows.touch(POOLS, [before and before.default_pool_id, listener.default_pool_id])

    def _tag(self, resource_id: str, tags: Iterable[str]) -> None:
        values = [
            {"resource_id": resource_id, "tag": tag, "load_balancer_id": self.load_balancer_id}
            for tag in sorted({*tags})
        ]
        if values:
            self.rows.connection.execute(sa.insert(TAGS), values)

    def _remove(self, table: sa.Table, row_id: str, generation: int) -> None:
        self._generation = max(generation, self._generation)
        self.rows.connection.execute(
            sa.update(table)
            .where(table.c.id == row_id)
            .values(provisioning_status=PENDING_DELETE, generation=generation, changed_at=self.at)
        )
        self.rows.touch(table, [row_id])

    def _bump_listeners(self, pool_ids: list[str], generation: int) -> None:
        if pool_ids:
            self._bump(LISTENERS, self.rows.ids(LISTENERS, LISTENERS.c.default_pool_id.in_(pool_ids)), generation)

    def _bump(self, table: sa.Table, ids: list[str], generation: int) -> None:
        """Make these pending for `generation`; what this commit made pending already stays as it is."""
        self._generation = max(generation, self._generation)
        if not ids:
            return
        status = table.c.provisioning_status
        self.rows.connection.execute(
            sa.update(table)
            .where(table.c.id.in_(ids), table.c.generation < generation)
            .values(
                provisioning_status=sa.case((status.in_(STRONGER), status), else_=PENDING_UPDATE),
                generation=generation,
                changed_at=self.at,
            )
        )
        self.rows.touch(table, ids)

    def _set_status(self, table: sa.Table, ids: list[str], status: str, *, unless: tuple[str, ...] = ()) -> None:
        if not ids:
            return
        query = sa.update(table).where(table.c.id.in_(ids), table.c.provisioning_status.not_in((*unless, status)))
        done = self.rows.connection.execute(query.values(provisioning_status=status, changed_at=self.at))
        if done.rowcount:
            self.rows.touch(table, ids)

    def _end_round(self, generation: int, status: str) -> None:
        self._take_away(generation)
        for table in CHILDREN:
            pending = self.rows.ids(
                table,
                table.c.load_balancer_id == self.load_balancer_id,
                table.c.generation <= generation,
                table.c.provisioning_status != ACTIVE,
            )
            self._set_status(table, pending, status)
            if table is HEALTH_MONITORS and status == ACTIVE:
                self._show_monitors(pending)
        self._set_status(LOAD_BALANCERS, [self.load_balancer_id], status, unless=(PENDING_DELETE,))

    def _show_monitors(self, ids: list[str]) -> None:
        """Nothing measures a monitor: one that runs is ONLINE."""
        for monitor_id in ids:
            status = ONLINE if self.rows.wish(HEALTH_MONITORS, monitor_id).admin_state_up else OFFLINE
            query = sa.update(HEALTH_MONITORS).where(HEALTH_MONITORS.c.id == monitor_id)
            self.rows.connection.execute(query.values(operating_status=status))

    def _take_away(self, generation: int) -> None:
        """Remove what is to be deleted up to `generation`, pools with all that is in them."""
        gone = {
            table: self.rows.ids(
                table,
                table.c.load_balancer_id == self.load_balancer_id,
                table.c.generation <= generation,
                table.c.provisioning_status == PENDING_DELETE,
            )
            for table in CHILDREN
        }
        if not any(gone.values()):
            return  # as in most rounds
        for table in (MEMBERS, HEALTH_MONITORS):
            gone[table] += self.rows.ids(table, table.c.pool_id.in_(gone[POOLS]))
        unmonitored = self._pools_of(HEALTH_MONITORS, gone[HEALTH_MONITORS])
        for table, ids in gone.items():
            self._touch_around(table, ids)
        for table, ids in gone.items():
            self.rows.delete(table, ids)
            self.rows.delete_tags(ids)
        self._unmonitor(unmonitored)

    def _unmonitor(self, pool_ids: list[str]) -> None:
        members = self.rows.ids(MEMBERS, MEMBERS.c.pool_id.in_(pool_ids))
        if members:
            self.rows.connection.execute(
                sa.update(MEMBERS)
                .where(MEMBERS.c.pool_id.in_(pool_ids))
                .values(operating_status=NO_MONITOR, operating_since=self.sequence, operating_changed_at=None)
            )
            self.rows.touch(MEMBERS, members)

    def _pools_of(self, table: sa.Table, ids: list[str]) -> list[str]:
        return [
            str(each) for each in self.rows.connection.scalars(sa.select(table.c.pool_id).where(table.c.id.in_(ids)))
        ]

    def _touch_around(self, table: sa.Table, ids: list[str]) -> None:
        """Have these rendered again, and what names them."""
        if not ids:
            return
        self.rows.touch(table, ids)
        if table in (LISTENERS, POOLS):
            self.rows.touch(LOAD_BALANCERS, [self.load_balancer_id])
        if table in (MEMBERS, HEALTH_MONITORS):
            self.rows.touch(POOLS, self._pools_of(table, ids))
        if table is LISTENERS:
            query = sa.select(LISTENERS.c.default_pool_id).where(LISTENERS.c.id.in_(ids))
            self.rows.touch(POOLS, self.rows.connection.scalars(query))

    def _forget(self) -> None:
        """Remove everything of the load balancer: from here on it is not found."""
        for table in (*RESOURCES, TAGS, STATISTICS):
            self.rows.connection.execute(sa.delete(table).where(table.c.load_balancer_id == self.load_balancer_id))
        carriers = sa.select(CARRIED.c.appliance_id).where(CARRIED.c.load_balancer_id == self.load_balancer_id)
        self.rows.touch(AMPHORAE, self.rows.ids(AMPHORAE, AMPHORAE.c.appliance_id.in_(carriers)))
