"""
The rows of one load balancer and its children, as the events of one commit change them: made, changed, pending, gone.

Provisioning statuses: an object is pending from the event that changed it, or something in it, until a round ends
that holds the event's generation; a removed one is gone then. Which event does what is in `load_balancer_events`.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from actium_api.read_model import pool_use, statements
from actium_api.read_model.rows import CHILDREN, RESOURCES, Rows, moment, pack, seconds
from actium_api.read_model.tables import (
    AMPHORAE,
    CARRIED,
    HEALTH_MONITORS,
    L7_POLICIES,
    L7_RULES,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    PROPOSALS,
    STATISTICS,
    TAGS,
)
from actium_shared.ids import L7PolicyId
from actium_shared.proposals import DELETED, KINDS, ObjectStatus
from actium_shared.provider_options import is_ours
from actium_shared.wishes import HealthMonitor, L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool

log = logging.getLogger(__name__)

ACTIVE, ERROR = "ACTIVE", "ERROR"
PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE = "PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE"
ONLINE, OFFLINE, NO_MONITOR = "ONLINE", "OFFLINE", "NO_MONITOR"

Wish = LoadBalancer | Listener | Pool | Member | HealthMonitor | L7Policy | L7Rule

UNMEASURED = (HEALTH_MONITORS, L7_POLICIES, L7_RULES)
"""Nothing measures these: one that runs is ONLINE."""

CONTAINED = (
    (MEMBERS.c.pool_id, POOLS),
    (HEALTH_MONITORS.c.pool_id, POOLS),
    (L7_POLICIES.c.listener_id, LISTENERS),
    (L7_RULES.c.l7_policy_id, L7_POLICIES),
)
"""What goes with what, the outer before the inner."""

BY_KIND: Mapping[str, sa.Table] = dict(
    zip(KINDS, (LOAD_BALANCERS, LISTENERS, POOLS, MEMBERS, HEALTH_MONITORS, L7_POLICIES, L7_RULES), strict=True)
)
"""What drivers call things."""

STRONGER = (PENDING_CREATE, PENDING_DELETE)
"""What an update does not turn into PENDING_UPDATE."""


@dataclass(frozen=True, slots=True)
class NewMember:
    pool_id: str
    member: Member
    generation: int


class LoadBalancerRows:
    """What the events of one decision share, and what is done once for all of them."""

    def __init__(self, rows: Rows, load_balancer_id: str, *, decided_at: datetime, sequence: int) -> None:
        self.rows, self.load_balancer_id = rows, load_balancer_id
        self.at, self.created_at, self.sequence = seconds(decided_at), moment(decided_at), sequence
        self._project_id: str | None = None
        self._generation = 0
        self._changed_pools: set[str] = set()
        self._new_members: list[NewMember] = []

    def finish(self) -> None:
        """Do what follows from all events together: members come last, as a monitor may come with them."""
        self._insert_members()
        if self._generation:
            pools = sorted(self._changed_pools)
            self._bump(POOLS, pools, self._generation)
            self._bump_listeners(pools, self._generation)
            self._bump(LOAD_BALANCERS, [self.load_balancer_id], self._generation)
        self._generation, self._changed_pools, self._new_members = 0, set(), []

    def _insert_members(self) -> None:
        monitored = {pool_id for pool_id in {new.pool_id for new in self._new_members} if self._has_monitor(pool_id)}
        free = self._clear(MEMBERS, [new.member.id for new in self._new_members])
        members = [new for new in self._new_members if new.member.id in free]
        values = [
            self._values(
                new.member, new.generation, OFFLINE if new.pool_id in monitored else NO_MONITOR, pool_id=new.pool_id
            )
            for new in members
        ]
        if values:
            self.rows.connection.execute(statements.insert(MEMBERS), values)
            for new in members:
                self._tag(new.member.id, new.member.tags)
            self.rows.touch(MEMBERS, free)

    def _has_monitor(self, pool_id: str) -> bool:
        return bool(self.rows.ids(HEALTH_MONITORS.c.pool_id, [pool_id]))

    def _values(
        self,
        wish: Wish,
        generation: int,
        operating_status: str,
        **own: object,
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
            "created_at": self.created_at,
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
        wish: Wish,
        generation: int,
        operating_status: str,
        **own: object,
    ) -> None:
        if not self._clear(table, [wish.id]):
            return
        self.rows.connection.execute(statements.insert(table), self._values(wish, generation, operating_status, **own))
        self._tag(wish.id, wish.tags)
        self._touch_around(table, [wish.id])

    def _clear(self, table: sa.Table, ids: list[str]) -> set[str]:
        """
        Make room, and give the ids that can be used: a create that is repeated very late may come after the removal.

        Ids of the driver API's callers may be in use on another load balancer, if two came at once: the first keeps it.
        """
        free = set(ids)
        for many, key in statements.named(ids):
            query = statements.select(table.c.id, many, table.c.id, table.c.load_balancer_id)
            for row_id, owner in self.rows.connection.execute(query, key):
                if owner != self.load_balancer_id:
                    log.error("id in use elsewhere", extra={"id": row_id, "owner": owner, "by": self.load_balancer_id})
                    free.discard(row_id)
        self.rows.delete(table.c.id, free)
        self.rows.delete(TAGS.c.resource_id, free)
        return free

    def _change(self, table: sa.Table, wish: Wish, generation: int, **own: object) -> None:
        # A change of words alone is part of an older wish: nothing below tells that it was changed just now.
        self.rows.update(table, wish.id, wish=pack(wish), changed_at=self.at, **own)
        self.rows.delete(TAGS.c.resource_id, [wish.id])
        self._tag(wish.id, wish.tags)
        self._bump(table, [wish.id], generation)

    def _change_listener(self, listener: Listener, generation: int) -> None:
        before = self.rows.wish(LISTENERS, listener.id)
        self._change(LISTENERS, listener, generation, default_pool_id=listener.default_pool_id)
        self.rows.touch(POOLS, [before and before.default_pool_id, listener.default_pool_id])

    def _change_policy(self, policy: L7Policy, generation: int) -> None:
        before = self.rows.wish(L7_POLICIES, policy.id)
        self._change(L7_POLICIES, policy, generation, **columns(policy))
        self._bump(LISTENERS, [policy.listener_id], generation)
        self.rows.touch(POOLS, [before and before.redirect_pool_id, policy.redirect_pool_id])

    def _bump_policy(self, policy_id: L7PolicyId, generation: int) -> None:
        self._bump(L7_POLICIES, [policy_id], generation)
        listener_ids = self.rows.ids(L7_POLICIES.c.id, [policy_id], wanted=L7_POLICIES.c.listener_id)
        self._bump(LISTENERS, listener_ids, generation)

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
        users = pool_use.listeners_of(self.rows.connection, pool_ids)
        self._bump(LISTENERS, sorted({each for ids in users.values() for each in ids}), generation)

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
            if table in UNMEASURED and status == ACTIVE:
                self._show_unmeasured(table, ids)
        self._set_status(status, unless=(PENDING_DELETE,))

    def _take_over(self, statuses: Iterable[ObjectStatus]) -> None:
        """Show what another vendor's driver says, object by object; who knows how a load balancer ends is the planner."""
        gone: dict[sa.Table, list[str]] = {table: [] for table in CHILDREN}
        for status in statuses:
            table = BY_KIND[status.kind]
            if status.provisioning_status == DELETED:
                if table in gone:
                    gone[table].append(status.id)
                continue
            said = {"provisioning_status": status.provisioning_status, "operating_status": status.operating_status}
            values: dict[str, object] = {name: word for name, word in said.items() if word is not None}
            if status.operating_status is not None:
                values |= {"operating_since": self.sequence, "operating_changed_at": self.at}
            if values:
                self.rows.update(table, status.id, **values)
                self.rows.touch(table, [status.id])
        if any(gone.values()):
            self._take_away(gone)

    def _leave_open(self, generation: int) -> None:
        """Show as ERROR what a driver was to do and has not told the end of; nothing is gone that it has not called so."""
        for table, found in self._pending(generation).items():
            for each, _ in found:
                self.rows.update(table, each, provisioning_status=ERROR)
                self.rows.touch(table, [each])
        self._set_status(ERROR)

    def _give_up(self) -> None:
        """Show as failed all that is under way; a driver elsewhere may still tell the end of it."""
        balancer = self.rows.wish(LOAD_BALANCERS, self.load_balancer_id)
        (generation,) = self.rows.connection.execute(
            statements.select(LOAD_BALANCERS.c.id, False, LOAD_BALANCERS.c.generation), {"key": self.load_balancer_id}
        ).one()
        if is_ours(balancer.provider):
            self._end_round(generation, ERROR)
            self._set_status(ERROR)
        else:
            self._leave_open(generation)

    def _pending(self, generation: int) -> dict[sa.Table, list[tuple[str, str]]]:
        """Give id and status of all children that this round ends."""
        query = statements.select_pending(CHILDREN, ended=ACTIVE)
        found = self.rows.connection.execute(query, {"key": self.load_balancer_id, "reached": generation}).all()
        return {table: [(each, was) for name, each, was in found if name == table.name] for table in CHILDREN}

    def _show_unmeasured(self, table: sa.Table, ids: list[str]) -> None:
        for each in ids:
            status = ONLINE if self.rows.wish(table, each).admin_state_up else OFFLINE
            self.rows.update(table, each, operating_status=status)

    def _take_away(self, gone: dict[sa.Table, list[str]]) -> None:
        """Remove these, with all that is in them, which is added to `gone`."""
        for inner, outer in CONTAINED:
            gone[inner.table] = sorted({*gone[inner.table], *self.rows.ids(inner, gone[outer])})
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
        if table is L7_POLICIES:
            self.rows.touch(LISTENERS, self.rows.ids(L7_POLICIES.c.id, ids, wanted=L7_POLICIES.c.listener_id))
            self.rows.touch(POOLS, self.rows.ids(L7_POLICIES.c.id, ids, wanted=L7_POLICIES.c.redirect_pool_id))
        if table is L7_RULES:
            policies = self.rows.ids(L7_RULES.c.id, ids, wanted=L7_RULES.c.l7_policy_id)
            self.rows.touch(L7_POLICIES, policies)
            self.rows.touch(POOLS, self.rows.ids(L7_POLICIES.c.id, policies, wanted=L7_POLICIES.c.redirect_pool_id))

    def _forget(self) -> None:
        """Remove everything of the load balancer: from here on it is not found."""
        for table in (*RESOURCES, TAGS, STATISTICS, PROPOSALS):
            self.rows.delete(table.c.load_balancer_id, [self.load_balancer_id])
        carriers = self.rows.ids(CARRIED.c.load_balancer_id, [self.load_balancer_id], wanted=CARRIED.c.appliance_id)
        self.rows.touch(AMPHORAE, self.rows.ids(AMPHORAE.c.appliance_id, carriers))


def columns(policy: L7Policy) -> dict[str, object]:
    """Give what is asked of policies' rows before they are rendered."""
    return {
        "listener_id": policy.listener_id,
        "redirect_pool_id": policy.redirect_pool_id,
        "position": policy.position,
        "admin_state_up": policy.admin_state_up,
    }
