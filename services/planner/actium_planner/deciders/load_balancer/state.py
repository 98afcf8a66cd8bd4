"""What is true of one load balancer, and how events change it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from immutables import Map

from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import ApplianceId, ListenerId, MemberId, PoolId, SubnetId
from actium_shared.wishes import (
    HealthMonitor,
    Listener,
    LoadBalancer,
    LoadBalancerWish,
    Member,
    Pool,
    PoolWish,
)


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool as it is wished for."""

    pool: Pool
    members: Map[MemberId, Member] = field(default_factory=Map)
    health_monitor: HealthMonitor | None = None


@dataclass(frozen=True, slots=True)
class LoadBalancerState:
    """
    One load balancer as it is wished for, and how far the wish has come.

    `generation` counts wishes; `ended` is the newest one that a round has applied; `failed` the one that failed, 0 once
    a round has ended well again. `delete_by` is set while a deletion may still be in time.
    """

    load_balancer: LoadBalancer | None = None
    listeners: Map[ListenerId, Listener] = field(default_factory=Map)
    pools: Map[PoolId, PoolState] = field(default_factory=Map)
    generation: int = 0
    ended: int = 0
    failed: int = 0
    pending: bool = False
    appliance_id: ApplianceId | None = None
    deleting: bool = False
    delete_by: datetime | None = None
    withdrawn: bool = False
    deleted: bool = False

    def wish(self) -> LoadBalancerWish:
        """Give the newest wish, whole, in an order that is the same everywhere: maps are iterated by hash."""
        assert self.load_balancer is not None
        return LoadBalancerWish(
            generation=self.generation,
            load_balancer=self.load_balancer,
            listeners=tuple(sorted(self.listeners.values(), key=lambda listener: listener.id)),
            pools=tuple(
                PoolWish(
                    pool=state.pool,
                    members=tuple(sorted(state.members.values(), key=lambda member: member.id)),
                    health_monitor=state.health_monitor,
                )
                for state in sorted(self.pools.values(), key=lambda state: state.pool.id)
            ),
        )

    def member_subnets(self) -> frozenset[SubnetId]:
        """Give the subnets that need an interface of their own: those of members that are not on the VIP's."""
        if self.load_balancer is None:
            return frozenset()
        named = {
            member.subnet_id for pool in self.pools.values() for member in pool.members.values() if member.subnet_id
        }
        return frozenset(named - {self.load_balancer.vip.subnet_id})


def fold(state: LoadBalancerState, happened: Iterable[LoadBalancerEvent]) -> LoadBalancerState:
    """Give the state after all these events."""
    for event in happened:
        state = evolve(state, event)
    return state


def evolve(state: LoadBalancerState, event: LoadBalancerEvent) -> LoadBalancerState:
    """Give the state after one event."""
    match event:
        case events.LoadBalancerPlaced(appliance_id=appliance_id):
            return replace(state, appliance_id=appliance_id)
        case events.RoundBegun():
            return replace(state, pending=True)
        case events.RoundEnded(generation=generation):
            return replace(state, pending=False, ended=max(state.ended, generation), failed=0)
        case events.RoundFailed(generation=generation):
            return replace(state, pending=False, failed=generation)
        case events.LoadBalancerWithdrawn():
            return replace(state, withdrawn=True)
        case events.LoadBalancerDeletionDelayed(generation=generation):
            return replace(state, pending=False, failed=generation, delete_by=None)
        case events.LoadBalancerDeleted():
            return LoadBalancerState(generation=state.generation, deleted=True)
        case _:
            return replace(_evolve_wish(state, event), pending=True)


def _evolve_wish(state: LoadBalancerState, event: LoadBalancerEvent) -> LoadBalancerState:
    generation = getattr(event, "generation", state.generation)
    match event:
        case events.LoadBalancerCreated(load_balancer=value) | events.LoadBalancerUpdated(load_balancer=value):
            return replace(state, generation=generation, load_balancer=value)
        case events.LoadBalancerDeletionRequested(deadline_at=deadline_at):
            return replace(state, generation=generation, deleting=True, delete_by=deadline_at)
        case events.ListenerCreated(listener=listener) | events.ListenerUpdated(listener=listener):
            return replace(state, generation=generation, listeners=state.listeners.set(listener.id, listener))
        case events.ListenerRemoved(listener_id=listener_id):
            return replace(state, generation=generation, listeners=state.listeners.delete(listener_id))
        case events.PoolCreated(pool=pool):
            return replace(state, generation=generation, pools=state.pools.set(pool.id, PoolState(pool)))
        case events.PoolRemoved(pool_id=pool_id):
            return replace(state, generation=generation, pools=state.pools.delete(pool_id))
        case _:
            return replace(state, generation=generation, pools=_evolve_pools(state.pools, event))


def _evolve_pools(held: Map[PoolId, PoolState], event: LoadBalancerEvent) -> Map[PoolId, PoolState]:
    match event:
        case events.PoolUpdated(pool=pool):
            return held.set(pool.id, replace(held[pool.id], pool=pool))
        case (
            events.MemberCreated(pool_id=pool_id, member=member) | events.MemberUpdated(pool_id=pool_id, member=member)
        ):
            pool_state = held[pool_id]
            return held.set(pool_id, replace(pool_state, members=pool_state.members.set(member.id, member)))
        case events.MemberRemoved(pool_id=pool_id, member_id=member_id):
            pool_state = held[pool_id]
            return held.set(pool_id, replace(pool_state, members=pool_state.members.delete(member_id)))
        case (
            events.HealthMonitorCreated(pool_id=pool_id, health_monitor=monitor)
            | events.HealthMonitorUpdated(pool_id=pool_id, health_monitor=monitor)
        ):
            return held.set(pool_id, replace(held[pool_id], health_monitor=monitor))
        case events.HealthMonitorRemoved(pool_id=pool_id):
            return held.set(pool_id, replace(held[pool_id], health_monitor=None))
        case _:
            raise AssertionError(f"{event.TYPE} is not known here")
