"""What happens to an appliance on a load balancer's wish, on another aggregate's event, and when time is over."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from actium_planner.deciders.appliance import membership, rounds
from actium_planner.deciders.appliance.context import Context, Wishes
from actium_planner.deciders.appliance.state import ApplianceState, Outcome, Stage, fold
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.events import amphora as amphorae
from actium_shared.events import appliance as events
from actium_shared.events import network
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import ApplianceId
from actium_shared.message import Event


def admit(
    appliance_id: ApplianceId, state: ApplianceState, wish: LoadBalancerState, context: Context
) -> Sequence[ApplianceEvent]:
    """Give what happens when a load balancer is placed here: the appliance is made with it, and its round begins."""
    assert wish.load_balancer is not None
    lb = wish.load_balancer
    if lb.id in state.load_balancers or state.retired:
        return []
    admitted = events.LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=lb.id)
    created = events.ApplianceCreated(
        appliance_id=appliance_id,
        project_id=lb.project_id,
        topology=str(lb.flavor.get("loadbalancer_topology", "SINGLE")),
        image_tag=str(lb.flavor.get("amp_image_tag", context.limits.image_tag)),
        flavor=lb.flavor,
    )
    opening = [admitted] if state.id else [created, admitted]
    grown = fold(state, opening)
    if wish.deleting:
        return [*opening, *membership.retire_if_empty(grown, context)]
    appointed = [] if grown.serving() else membership.appoint(grown, context)
    return [*opening, *appointed, *rounds.cut(fold(grown, appointed), context)]


def follow(trigger: Event, state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give what another aggregate's event means for the appliance; nothing when it says nothing new."""
    if state.id is None or state.retired:
        return []
    match trigger:
        case amphorae.AmphoraBooted(amphora_id=amphora_id):
            return membership.join(state, amphora_id)
        case amphorae.AmphoraConfigured(amphora_id=amphora_id, bundle=bundle):
            return rounds.in_force(state, context, amphora_id, bundle)
        case amphorae.AmphoraConfigurationRefused(amphora_id=amphora_id, bundle=bundle, reason=reason):
            refused = bundle == state.bundle.number and amphora_id in state.amphorae
            return rounds.fail(state, reason) if refused else []
        case amphorae.AmphoraBootFailed(amphora_id=amphora_id, reason=reason):
            return membership.replace(state, amphora_id, reason, context)
        case amphorae.AmphoraDeleted(amphora_id=amphora_id):
            return membership.shut_down(state, amphora_id)
        case network.PortFailed(amphora_id=amphora_id, port_id=port_id, reason=reason):
            return membership.port_failed(state, amphora_id, port_id, reason, context)
        case network.PortsSettled(amphora_id=amphora_id, revision=revision):
            return membership.ports_settled(state, amphora_id, revision, context)
        case _:
            return follow_wishes(state, context)


def follow_wishes(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give what the load balancers' newest wishes ask for: another round, another try, or the end."""
    if state.id is None or state.retired:
        return []
    if not rounds.living(state, context):
        return membership.dissolve(state, context)
    if state.bundle.outcome is Outcome.IN_FLIGHT or not rounds.has_newer_wishes(state, context):
        return []
    return _begin(state, context)


def lapse(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give what follows from deadlines that are over at `context.now`."""
    if state.id is None or state.retired:
        return []
    limits, now = context.limits, context.now
    happened: list[ApplianceEvent] = []
    for amphora in state.ordered():
        if amphora.stage is Stage.APPOINTED and amphora.deadline_at <= now:
            reason = f"the amphora did not boot within {limits.boot_s:.0f} s"
            happened += membership.replace(fold(state, happened), amphora.id, reason, context)
    bundle = fold(state, happened).bundle
    if bundle.outcome is Outcome.IN_FLIGHT and bundle.deadline_at is not None and bundle.deadline_at <= now:
        reason = f"the amphora did not apply the configuration within {limits.bundle_s:.0f} s"
        happened += rounds.fail(fold(state, happened), reason)
    grown = fold(state, happened)
    if grown.retry_at is not None and grown.retry_at <= now and rounds.living(grown, context):
        happened += _begin(grown, context)
    return happened


def _begin(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Begin a round, with a new amphora where none serves; it fails at once where none may be appointed."""
    if state.serving():
        return rounds.cut(state, context)
    if membership.has_room(state):
        appointed = membership.appoint(state, context)
        return [*appointed, *rounds.cut(fold(state, appointed), context)]
    begun = rounds.cut(state, context) if rounds.has_newer_wishes(state, context) else []
    reason = "out of resources: amphorae that did not come have not been cleared away yet"
    return [*begun, *membership.give_up(fold(state, begun), reason, context)]


def deadlines(state: ApplianceState, wishes: Wishes) -> Iterable[datetime]:
    """Give the times at which `lapse` may have something to say."""
    if state.retired:
        return
    for amphora in state.amphorae.values():
        if amphora.stage is Stage.APPOINTED:
            yield amphora.deadline_at
    if state.bundle.outcome is Outcome.IN_FLIGHT and state.bundle.deadline_at is not None:
        yield state.bundle.deadline_at
    if state.retry_at is not None and any(not wishes[lb_id].deleting for lb_id in state.load_balancers):
        yield state.retry_at
