"""
What the events of load balancers do to rows, commit by commit.

Provisioning statuses: an object is pending from the event that changed it, or something in it, until a round ends
that holds the event's generation; a removed one is gone then. An ACTIVE load balancer is one whose last round ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from actium_api.read_model import statements
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
        self._project_id: str | None = None
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
                self._set_status(ERROR)
            case LoadBalancerDeleted():
                self._forget()
            case RoundBegun():
                self._set_status(PENDING_UPDATE, unless=STRONGER)
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
            self.rows.connection.execute(statements.insert(MEMBERS), values)
            for new in self._new_members:
                self._tag(new.member.id, new.member.tags)
            self.rows.touch(MEMBERS, [new.member.id for new in self._new_members])

    def _has_monitor(self, pool_id: str) -> bool:
        return bool(self.rows.ids(HEALTH_MONITORS.c.pool_id, [pool_id]))

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
            "project_id": own.pop("project_id", None) or self._project(),
            "wish": pack(wish),
            "generation": generation,
            "provisioning_status": PENDING_CREATE,
            "operating_status": operating_status,
            "operating_since": self.sequence,
            "created_at": self.at,
            **own,
        }

    def _project(self) -> str | None:
        if self._project_id is None:
            query = statements.select(LOAD_BALANCERS.c.id, False, LOAD_BALANCERS.c.project_id)
            self._project_id = self.rows.connection.scalar(query, {"key": self.load_balancer_id})
        return self._project_id

    def _insert(
        self,
        table: sa.Table,
        wish: LoadBalancer | Listener | Pool | HealthMonitor,
        generation: int,
        operating_status: str,
        **own: str | None,
    ) -> None:
        self._clear(table, [wish.id])
        self.rows.connection.execute(statements.insert(table), self._values(wish, generation, operating_status, **own))
        self._tag(wish.id, wish.tags)
        self._touch_around(table, [wish.id])

    def _clear(self, table: sa.Table, ids: list[str]) -> None:
        """Make room: a create that is repeated very late may come again after the removal."""
        self.rows.delete(table.c.id, ids)
        self.rows.delete(TAGS.c.resource_id, ids)

    def _change(
        self,
        table: sa.Table,
        wish: LoadBalancer | Listener | Pool | Member | HealthMonitor,
        generation: int,
        **own: str | None,
    ) -> None:
        self.rows.update(table, wish.id, wish=pack(wish), **own)
        self.rows.delete(TAGS.c.resource_id, [wish.id])
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
            self.rows.connection.execute(statements.insert(TAGS), values)

    def _remove(self, table: sa.Table, row_id: str, generation: int) -> None:
        self._generation = max(generation, self._generation)
        self.rows.update(table, row_id, provisioning_status=PENDING_DELETE, generation=generation, changed_at=self.at)
        self.rows.touch(table, [row_id])

    def _bump_listeners(self, pool_ids: list[str], generation: int) -> None:
        self._bump(LISTENERS, self.rows.ids(LISTENERS.c.default_pool_id, pool_ids), generation)

    def _bump(self, table: sa.Table, ids: list[str], generation: int) -> None:
        """Make these pending for `generation`; what this commit made pending already stays as it is."""
        self._generation = max(generation, self._generation)
        for many, key in statements.named(ids):
            query = statements.bump(table, many, unless=STRONGER, status=PENDING_UPDATE)
            self.rows.connection.execute(query, key | {"reached": generation, "at": self.at})
        self.rows.touch(table, ids)

    def _set_status(self, status: str, *, unless: tuple[str, ...] = ()) -> None:
        """Set the load balancer's own status."""
        query = statements.set_status(LOAD_BALANCERS, unless=unless)
        values = {"key": self.load_balancer_id, "status": status, "at": self.at}
        if self.rows.connection.execute(query, values).rowcount:
            self.rows.touch(LOAD_BALANCERS, [self.load_balancer_id])

    def _end_round(self, generation: int, status: str) -> None:
        pending = self._pending(generation)
        gone = {table: [each for each, was in pending[table] if was == PENDING_DELETE] for table in CHILDREN}
        if any(gone.values()):
            self._take_away(gone)
        for table in CHILDREN:
            ids = [each for each, was in pending[table] if each not in gone[table]]
            if not ids:
                continue
            values = {"key": self.load_balancer_id, "reached": generation, "status": status, "at": self.at}
            self.rows.connection.execute(statements.end_pending(table, ended=ACTIVE), values)
            self.rows.touch(table, ids)
            if table is HEALTH_MONITORS and status == ACTIVE:
                self._show_monitors(ids)
        self._set_status(status, unless=(PENDING_DELETE,))

    def _pending(self, generation: int) -> dict[sa.Table, list[tuple[str, str]]]:
        """Give id and status of all children that this round ends."""
        query = statements.select_pending(CHILDREN, ended=ACTIVE)
        found = self.rows.connection.execute(query, {"key": self.load_balancer_id, "reached": generation}).all()
        return {table: [(each, was) for name, each, was in found if name == table.name] for table in CHILDREN}

    def _show_monitors(self, ids: list[str]) -> None:
        """Nothing measures a monitor: one that runs is ONLINE."""
        for monitor_id in ids:
            status = ONLINE if self.rows.wish(HEALTH_MONITORS, monitor_id).admin_state_up else OFFLINE
            self.rows.update(HEALTH_MONITORS, monitor_id, operating_status=status)

    def _take_away(self, gone: dict[sa.Table, list[str]]) -> None:
        """Remove these, pools with all that is in them, which is added to `gone`."""
        for table in (MEMBERS, HEALTH_MONITORS):
            gone[table] = sorted({*gone[table], *self.rows.ids(table.c.pool_id, gone[POOLS])})
        unmonitored = self._pools_of(HEALTH_MONITORS, gone[HEALTH_MONITORS])
        for table, ids in gone.items():
            self._touch_around(table, ids)
        for table, ids in gone.items():
            self.rows.delete(table.c.id, ids)
            self.rows.delete(TAGS.c.resource_id, ids)
        self._unmonitor(unmonitored)

    def _unmonitor(self, pool_ids: list[str]) -> None:
        values = {"operating_status": NO_MONITOR, "operating_since": self.sequence, "operating_changed_at": None}
        for pool_id in pool_ids:
            self.rows.connection.execute(statements.update(MEMBERS.c.pool_id), {"key": pool_id, **values})
        self.rows.touch(MEMBERS, self.rows.ids(MEMBERS.c.pool_id, pool_ids))

    def _pools_of(self, table: sa.Table, ids: list[str]) -> list[str]:
        return self.rows.ids(table.c.id, ids, wanted=table.c.pool_id)

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
            self.rows.touch(POOLS, self.rows.ids(LISTENERS.c.id, ids, wanted=LISTENERS.c.default_pool_id))

    def _forget(self) -> None:
        """Remove everything of the load balancer: from here on it is not found."""
        for table in (*RESOURCES, TAGS, STATISTICS):
            self.rows.delete(table.c.load_balancer_id, [self.load_balancer_id])
        carriers = self.rows.ids(CARRIED.c.load_balancer_id, [self.load_balancer_id], wanted=CARRIED.c.appliance_id)
        self.rows.touch(AMPHORAE, self.rows.ids(AMPHORAE.c.appliance_id, carriers))
