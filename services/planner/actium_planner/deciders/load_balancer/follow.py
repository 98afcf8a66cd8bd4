"""What an appliance's or the network's event means for a load balancer."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from actium_planner.deciders.load_balancer import proposals
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_shared.events import appliance as appliances
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.events.network import VipReleased
from actium_shared.ids import ApplianceId, LoadBalancerId
from actium_shared.message import Event


def follow(event: Event, state: LoadBalancerState) -> Sequence[LoadBalancerEvent]:
    """Give what happens to the load balancer; nothing when the event says nothing new."""
    if state.load_balancer is None:
        return []
    lb_id = state.load_balancer.id
    match event:
        case appliances.BundleCut(holds=holds):
            return _begin_round(state, lb_id, holds.get(lb_id, 0))
        case appliances.BundleApplied(holds=holds, appliance_id=appliance_id):
            return _end_round(state, lb_id, holds.get(lb_id, 0), appliance_id)
        case appliances.BundleFailed():
            return _fail_round(state, lb_id, event)
        case appliances.ExchangeFailed(appliance_id=appliance_id, holds=holds, reason=reason):
            unexchanged = appliances.BundleFailed(
                appliance_id=appliance_id, bundle=0, holds=holds, reason=reason, still_serves=True
            )
            return _fail_round(state, lb_id, unexchanged)
        case appliances.LoadBalancerReleased(load_balancer_id=released) if released == lb_id:
            withdrawn = state.deleting and not state.withdrawn
            return [events.LoadBalancerWithdrawn(load_balancer_id=lb_id)] if withdrawn else []
        case VipReleased(load_balancer_id=released) if released == lb_id and state.withdrawn:
            return [events.LoadBalancerDeleted(load_balancer_id=lb_id)]
        case _:
            return []


def _begin_round(state: LoadBalancerState, lb_id: LoadBalancerId, held: int) -> Sequence[LoadBalancerEvent]:
    if state.deleting or state.pending or held <= state.ended or held == state.failed:
        return []
    return [events.RoundBegun(load_balancer_id=lb_id, generation=held)]


def _end_round(
    state: LoadBalancerState, lb_id: LoadBalancerId, held: int, appliance_id: ApplianceId
) -> Sequence[LoadBalancerEvent]:
    if state.deleting or held == 0 or not state.is_ended_by(held):
        return []
    happened: list[LoadBalancerEvent] = []
    if state.appliance_id is None:
        happened.append(events.LoadBalancerPlaced(load_balancer_id=lb_id, appliance_id=appliance_id))
    return [*happened, events.RoundEnded(load_balancer_id=lb_id, generation=held)]


def _fail_round(
    state: LoadBalancerState, lb_id: LoadBalancerId, failed: appliances.BundleFailed
) -> Sequence[LoadBalancerEvent]:
    held = failed.holds.get(lb_id, 0)
    known = held <= state.failed and not state.pending
    # What it wishes for is served as before: the round failed for another one's sake.
    unharmed = failed.still_serves and held <= state.ended
    if state.deleting or held == 0 or held < state.ended or known or unharmed:
        return []
    return [events.RoundFailed(load_balancer_id=lb_id, generation=held, reason=failed.reason)]


def deadlines(state: LoadBalancerState) -> Iterator[datetime]:
    """Give the times at which `lapse` may have something to say."""
    if state.proposal is not None:
        yield state.proposal.deadline_at
    if state.delete_by is not None:
        yield state.delete_by
    if state.reported.due_at is not None:
        yield state.reported.due_at


def lapse(state: LoadBalancerState, now: datetime) -> Sequence[LoadBalancerEvent]:
    """Give what follows from deadlines that are over at `now`."""
    return [*_late_deletion(state, now), *proposals.lapse(state, now)]


def _late_deletion(state: LoadBalancerState, now: datetime) -> Sequence[LoadBalancerEvent]:
    if state.load_balancer is None or state.delete_by is None or state.delete_by > now:
        return []
    return [
        events.LoadBalancerDeletionDelayed(
            load_balancer_id=state.load_balancer.id,
            generation=state.generation,
            reason=f"the deletion is not done in time and goes on: it waits for {_waited_for(state)}",
        )
    ]


def _waited_for(state: LoadBalancerState) -> str:
    if state.withdrawn:
        return "its addresses to be given back"
    if state.load_balancer is not None and not state.is_ours:
        return f"provider '{state.load_balancer.provider}' to report it gone"
    return "its amphorae to be cleared away"
