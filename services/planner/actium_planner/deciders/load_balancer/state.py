"""What is true of one load balancer; how events change it is in `evolve`."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec
from immutables import Map
from msgspec.structs import replace

from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import (
    ApplianceId,
    L7PolicyId,
    L7RuleId,
    ListenerId,
    LoadBalancerId,
    MemberId,
    PoolId,
    ProjectId,
    SubnetId,
)
from actium_shared.proposals import ObjectStatus, PackedCommand
from actium_shared.provider_options import is_ours
from actium_shared.wishes import (
    HealthMonitor,
    L7Policy,
    L7PolicyWish,
    L7Rule,
    Listener,
    LoadBalancer,
    LoadBalancerWish,
    Member,
    Pool,
    PoolWish,
)


class PoolState(msgspec.Struct, frozen=True):
    """A pool as it is wished for."""

    pool: Pool
    members: Map[MemberId, Member] = msgspec.field(default_factory=Map)
    health_monitor: HealthMonitor | None = None

    def wish(self) -> PoolWish:
        return PoolWish(
            pool=self.pool,
            members=tuple(sorted(self.members.values(), key=lambda member: member.id)),
            health_monitor=self.health_monitor,
        )


class L7PolicyState(msgspec.Struct, frozen=True):
    """A policy as it is wished for; its place is in the load balancer's `l7_order`, `policy.position` may be an old one."""

    policy: L7Policy
    rules: Map[L7RuleId, L7Rule] = msgspec.field(default_factory=Map)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A wish that another vendor's driver is asked about. `reported` is what that driver says meanwhile, for later."""

    id: str
    load_balancer_id: LoadBalancerId
    provider: str
    project_id: ProjectId
    command: PackedCommand
    deadline_at: datetime
    growth: Mapping[str, int]
    flavor_id: str | None = None
    availability_zone: str | None = None
    reported: tuple[ObjectStatus, ...] = ()


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """
    What another vendor's driver has said of its objects, by id, since the last wish (of traffic: ever).

    `leaving` are objects that shall go and that it has not called gone yet; `due_at` is when it should have spoken.
    """

    provisioning: Map[str, str] = msgspec.field(default_factory=Map)
    operating: Map[str, str] = msgspec.field(default_factory=Map)
    leaving: Map[str, LoadBalancerEvent] = msgspec.field(default_factory=Map)
    due_at: datetime | None = None


class LoadBalancerState(msgspec.Struct, frozen=True):
    """
    One load balancer as it is wished for, and how far the wish has come.

    `generation` counts wishes; `ended` is the newest one that a round has applied; `failed` the one that failed, 0 once
    a round has ended well again. `delete_by` is set while a deletion may still be in time. `history` has the wishes that
    amphorae may still run, or fall back to: those before the newest, back to the last that a round has applied.
    """

    load_balancer: LoadBalancer | None = None
    listeners: Map[ListenerId, Listener] = msgspec.field(default_factory=Map)
    pools: Map[PoolId, PoolState] = msgspec.field(default_factory=Map)
    l7_policies: Map[L7PolicyId, L7PolicyState] = msgspec.field(default_factory=Map)
    l7_order: Map[ListenerId, tuple[L7PolicyId, ...]] = msgspec.field(default_factory=Map)
    generation: int = 0
    ended: int = 0
    failed: int = 0
    pending: bool = False
    appliance_id: ApplianceId | None = None
    meant_for: ApplianceId | None = None
    """The appliance that it was to share when it was created, if any; where it is, that appliance's admission says."""
    deleting: bool = False
    delete_by: datetime | None = None
    withdrawn: bool = False
    deleted: bool = False
    proposal: Proposal | None = None
    lapsed: Map[str, Proposal] = msgspec.field(default_factory=Map)
    """Proposals that nobody settled in time, until what their driver may have made of them is undone."""
    settled: str = ""
    """The last proposal that was settled, so that a repeated settlement is recognised."""
    reported: Reported = msgspec.field(default_factory=Reported)
    history: Map[int, "LoadBalancerState"] = msgspec.field(default_factory=Map)

    @property
    def is_ours(self) -> bool:
        """Whether amphorae of ours carry it."""
        return self.load_balancer is None or is_ours(self.load_balancer.provider)

    @property
    def next_generation(self) -> int:
        """The number of a wish that is accepted now."""
        return self.generation + 1

    def at(self, generation: int) -> "LoadBalancerState":
        """Give it as it was wished for then."""
        return self.history.get(generation, self)

    def is_ended_by(self, held: int) -> bool:
        """Say whether a bundle that is applied with the wish of this generation is news: not what it fell back to."""
        return held >= self.failed and (held > self.ended or self.failed > 0)

    def l7_policy(self, policy_id: L7PolicyId) -> L7Policy | None:
        """Give the policy with its position."""
        held = self.l7_policies.get(policy_id)
        if held is None:
            return None
        place = self.l7_order[held.policy.listener_id].index(policy_id) + 1
        return held.policy if held.policy.position == place else replace(held.policy, position=place)

    def wish(self) -> LoadBalancerWish:
        """Give the newest wish, whole, in an order that is the same everywhere: maps are iterated by hash."""
        assert self.load_balancer is not None
        return LoadBalancerWish(
            generation=self.generation,
            load_balancer=self.load_balancer,
            listeners=tuple(sorted(self.listeners.values(), key=lambda listener: listener.id)),
            pools=tuple(held.wish() for held in sorted(self.pools.values(), key=lambda held: held.pool.id)),
            l7_policies=tuple(self._l7_wishes()),
        )

    def _l7_wishes(self) -> Iterator[L7PolicyWish]:
        for listener_id in sorted(self.l7_order):
            for place, policy_id in enumerate(self.l7_order[listener_id], start=1):
                held = self.l7_policies[policy_id]
                rules = tuple(sorted(held.rules.values(), key=lambda rule: rule.id))
                yield L7PolicyWish(policy=replace(held.policy, position=place), rules=rules)

    def member_subnets(self) -> frozenset[SubnetId]:
        """Give the subnets that need an interface of their own: those of members that are not on the VIP's."""
        if self.load_balancer is None:
            return frozenset()
        named = {
            member.subnet_id for pool in self.pools.values() for member in pool.members.values() if member.subnet_id
        }
        return frozenset(named - {self.load_balancer.vip.subnet_id})

    def holdings(self) -> Mapping[str, int]:
        """Give what quotas count, by resource; what is proposed counts, too."""
        own = {} if self.load_balancer is None else self._own_holdings()
        growth = self.proposal.growth if self.proposal is not None else {}
        return {resource: own.get(resource, 0) + growth.get(resource, 0) for resource in {**own, **growth}}

    def _own_holdings(self) -> Mapping[str, int]:
        pools = self.pools.values()
        return {
            "loadbalancer": 1,
            "listener": len(self.listeners),
            "pool": len(self.pools),
            "member": sum(len(pool.members) for pool in pools),
            "healthmonitor": sum(pool.health_monitor is not None for pool in pools),
            "l7policy": len(self.l7_policies),
            "l7rule": sum(len(policy.rules) for policy in self.l7_policies.values()),
        }
