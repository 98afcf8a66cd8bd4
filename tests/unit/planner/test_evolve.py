"""Every event of the planner's aggregates is known to the function that folds it."""

from typing import Any

import msgspec
import pytest

import builders as a
from actium_planner.deciders import appliance, load_balancer
from actium_shared.events import appliance as appliance_events
from actium_shared.events import load_balancer as events
from actium_shared.ids import L7PolicyId
from actium_shared.message import Event
from contract.samples import sample

IDS = {
    "pool_id": a.POOL,
    "member_id": a.MEMBER,
    "listener_id": a.LISTENER,
    "l7_policy_id": a.POLICY,
    "l7_rule_id": a.RULE,
}
OTHER = L7PolicyId(a.an_id("other"))
VALUES = {
    "pool": a.pool(),
    "l7_policy": a.l7_policy(position=1, name="another"),
    "l7_policy_ids": (OTHER, a.POLICY),
}


def about_what_is_there(event: type[Event]) -> Any:
    """Give a sample of the event that names what is in the state."""
    made = sample(event)
    changes: dict[str, Any] = {name: value for name, value in IDS.items() if name in event.__struct_fields__}
    changes |= {name: value for name, value in VALUES.items() if name in event.__struct_fields__}
    return msgspec.structs.replace(made, **changes)


ABOUT_PROPOSALS = (events.ProposalSettled, events.ProposalLapsed, events.ReportKept)
CHANGE_NOTHING = (events.RoundEnded, events.LoadBalancerDrilled)
"""Where this wish is served already; and a drill is only told of."""


@pytest.mark.parametrize("event", events.EVENTS, ids=lambda event: event.TYPE)
def test_a_load_balancer_knows_all_its_events(event: type[Event]) -> None:
    common = {"load_balancer_id": a.LB, "generation": 1}
    given = [
        a.created(),
        events.PoolCreated(pool=a.pool(), **common),
        events.MemberCreated(pool_id=a.POOL, member=a.member(), **common),
        events.ListenerCreated(listener=a.listener(), **common),
        events.L7PolicyCreated(l7_policy=a.l7_policy(position=1), **common),
        events.L7PolicyCreated(l7_policy=a.l7_policy(id=OTHER, position=2), **common),
        events.L7RuleCreated(l7_policy_id=a.POLICY, l7_rule=a.l7_rule(), **common),
        events.RoundEnded(**common),
        *([sample(events.ChangeProposed)] if event in ABOUT_PROPOSALS else []),
    ]
    before = load_balancer.fold(load_balancer.LoadBalancerState(), given)
    assert load_balancer.evolve(before, about_what_is_there(event)) != before or event in CHANGE_NOTHING


@pytest.mark.parametrize("event", appliance_events.EVENTS, ids=lambda event: event.TYPE)
def test_an_appliance_knows_all_its_events(event: type[Event]) -> None:
    state = appliance.fold(appliance.ApplianceState(), [sample(appliance_events.AmphoraAppointed)])
    assert appliance.evolve(state, sample(event)) is not None
