"""
What the events of load balancers do to rows, commit by commit: which event does what.

How it is done, and what the statuses mean, is in `load_balancer_rows`.
"""

from actium_api.read_model import proposals
from actium_api.read_model.load_balancer_rows import (
    ACTIVE,
    ERROR,
    OFFLINE,
    PENDING_UPDATE,
    STRONGER,
    LoadBalancerRows,
    NewMember,
    columns,
)
from actium_api.read_model.rows import Rows
from actium_api.read_model.tables import (
    HEALTH_MONITORS,
    L7_POLICIES,
    L7_RULES,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
)
from actium_shared.event_store import Recorded
from actium_shared.events.load_balancer import (
    ChangeProposed,
    HealthMonitorCreated,
    HealthMonitorRemoved,
    HealthMonitorUpdated,
    L7PoliciesOrdered,
    L7PolicyCreated,
    L7PolicyRemoved,
    L7PolicyUpdated,
    L7RuleCreated,
    L7RuleRemoved,
    L7RuleUpdated,
    ListenerCreated,
    ListenerRemoved,
    ListenerUpdated,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    LoadBalancerDeletionDelayed,
    LoadBalancerDeletionRequested,
    LoadBalancerEvent,
    LoadBalancerFailoverRequested,
    LoadBalancerSettled,
    LoadBalancerUpdated,
    MemberCreated,
    MemberRemoved,
    MemberUpdated,
    PoolCreated,
    PoolRemoved,
    PoolUpdated,
    ProposalLapsed,
    ProposalSettled,
    ProviderFailed,
    RoundBegun,
    RoundEnded,
    RoundFailed,
    StatusReported,
)


def apply(rows: Rows, recorded: Recorded) -> None:
    """Change the rows as this commit of one load balancer says."""
    events = [event for event in recorded.commit.events if isinstance(event, LoadBalancerEvent)]
    if not events:
        return
    commit = _Commit(
        rows, events[0].load_balancer_id, decided_at=recorded.commit.decided_at, sequence=recorded.position.sequence
    )
    for event in events:
        commit.apply(event)
    commit.finish()


class _Commit(LoadBalancerRows):
    """The events of one decision."""

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
            case LoadBalancerSettled():
                self._give_up()
            case LoadBalancerFailoverRequested():
                self._bump(LOAD_BALANCERS, [self.load_balancer_id], event.generation)
            case ChangeProposed() | ProposalSettled() | ProposalLapsed():
                proposals.apply(self.rows, event)
            case StatusReported(statuses=statuses):
                self.finish()  # the driver speaks of what it has done: that comes first
                self._take_over(statuses)
            case ProviderFailed(generation=generation):
                self._leave_open(generation)
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
                self._new_members.append(NewMember(pool_id, member, event.generation))
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
            case _:
                self._apply_to_l7(event)

    def _apply_to_l7(self, event: LoadBalancerEvent) -> None:
        match event:
            case L7PolicyCreated(l7_policy=policy):
                self._insert(L7_POLICIES, policy, event.generation, OFFLINE, **columns(policy))
                self._bump(LISTENERS, [policy.listener_id], event.generation)
            case L7PolicyUpdated(l7_policy=policy):
                self._change_policy(policy, event.generation)
            case L7PolicyRemoved(l7_policy_id=policy_id, listener_id=listener_id):
                self._remove(L7_POLICIES, policy_id, event.generation)
                self._bump(LISTENERS, [listener_id], event.generation)
            case L7PoliciesOrdered(listener_id=listener_id, l7_policy_ids=policy_ids):
                for place, each in enumerate(policy_ids, start=1):
                    self.rows.update(L7_POLICIES, each, position=place)
                self.rows.touch(L7_POLICIES, policy_ids)
                self.rows.touch(LISTENERS, [listener_id])
            case L7RuleCreated(l7_policy_id=policy_id, l7_rule=rule):
                own = {"l7_policy_id": policy_id, "rule_key": rule.key}
                self._insert(L7_RULES, rule, event.generation, OFFLINE, **own)
                self._bump_policy(policy_id, event.generation)
            case L7RuleUpdated(l7_policy_id=policy_id, l7_rule=rule):
                self._change(L7_RULES, rule, event.generation, rule_key=rule.key)
                self._bump_policy(policy_id, event.generation)
            case L7RuleRemoved(l7_policy_id=policy_id, l7_rule_id=rule_id):
                self._remove(L7_RULES, rule_id, event.generation)
                self._bump_policy(policy_id, event.generation)
            case _:  # placed and withdrawn show nowhere
                return
