"""
What happens to an appliance on a load balancer's wish, on another aggregate's event, and when time is over.

Each tells first what is new by itself, and then what follows from the state that this leads to (`onward`), whatever led there.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from actium_planner.deciders.appliance import (
    exchange,
    filling,
    losses,
    membership,
    refusals,
    renewal,
    roles,
    rounds,
    routes,
    searches,
)
from actium_planner.deciders.appliance.context import Context, Limits, Wishes
from actium_planner.deciders.appliance.evolve import fold
from actium_planner.deciders.appliance.filling import NOT_CLEARED
from actium_planner.deciders.appliance.state import ApplianceState, Outcome
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.validation.refusals import missing
from actium_shared.commands.planner import ApplianceCommand, FailOverAmphora, ReconfigureAmphora, RemoveAmphora
from actium_shared.events import amphora as amphorae
from actium_shared.events import appliance as events
from actium_shared.events import health, network, rollout, spares
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.load_balancer import (
    LoadBalancerDeletionRequested,
    LoadBalancerFailoverRequested,
    LoadBalancerSettled,
)
from actium_shared.events.secret import SecretStored
from actium_shared.ids import ApplianceId
from actium_shared.message import Event, Rejected

Happened = Sequence[ApplianceEvent]


def take_in(appliance_id: ApplianceId, state: ApplianceState, wish: LoadBalancerState, context: Context) -> Happened:
    """Give what happens when a load balancer comes here: the appliance is made with its first, and a round begins."""
    assert wish.load_balancer is not None
    lb = wish.load_balancer
    created = events.ApplianceCreated(
        appliance_id=appliance_id,
        project_id=lb.project_id,
        topology=str(lb.flavor.get("loadbalancer_topology", context.limits.topology)),
        image_tag=str(lb.flavor.get("amp_image_tag", context.limits.image_tag)),
        flavor=lb.flavor,
    )
    admitted = events.LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=lb.id)
    return _with_what_follows(state, [admitted] if state.id else [created, admitted], context)


def decide(command: ApplianceCommand, state: ApplianceState, context: Context) -> Happened | Rejected:
    """Give what happens on an operator's word about one amphora; nothing to one that is going anyway."""
    amphora = state.amphorae.get(command.amphora_id)
    if state.id is None or amphora is None:
        return missing("Amphora", command.amphora_id)
    if not amphora.serves:
        return []
    match command:
        case FailOverAmphora() if amphora.leaving:
            return []
        case FailOverAmphora():
            happened = exchange.leave(state, amphora, "failover of the amphora", context)
        case RemoveAmphora():
            happened = exchange.removed(state, amphora, context)
        case ReconfigureAmphora():
            return rounds.cut(state, context, newest=True)
        case _:
            raise AssertionError(f"{command.TYPE} is not known here")
    return _with_what_follows(state, happened, context, afresh=True)


def follow(trigger: Event, state: ApplianceState, context: Context) -> Happened:
    """Give what another aggregate's event means for the appliance; nothing when it says nothing new."""
    if state.id is None or state.retired:
        return []
    return _with_what_follows(state, _news(trigger, state, context), context, reason=getattr(trigger, "reason", ""))


def _news(trigger: Event, state: ApplianceState, context: Context) -> Happened:
    match trigger:
        case amphorae.AmphoraBooted(amphora_id=amphora_id, host=host):
            return membership.join(state, amphora_id, host, context)
        case amphorae.AmphoraConfigured(amphora_id=amphora_id, bundle=bundle, epoch=epoch):
            return rounds.in_force(state, amphora_id, bundle, epoch)
        case amphorae.AmphoraConfigurationRefused():
            return losses.refused(state, context, trigger)
        case amphorae.AmphoraBootFailed(amphora_id=amphora_id, reason=reason):
            return losses.lost(state, amphora_id, reason, context)
        case amphorae.AmphoraFenced(amphora_id=amphora_id):
            return membership.fenced(state, amphora_id)
        case amphorae.AmphoraDeleted(amphora_id=amphora_id):
            return membership.shut_down(state, amphora_id, context)
        case health.AmphoraLost(amphora_id=amphora_id, reason=reason):
            return losses.lost(state, amphora_id, reason, context)
        case health.AmphoraRoleChanged():
            return roles.changed(trigger, state, context)
        case network.PortFailed():
            return losses.port_failed(state, context, trigger)
        case network.PortsSettled(amphora_id=amphora_id, revision=revision):
            return membership.ports_settled(state, amphora_id, revision)
        case network.RoutesSettled():
            return routes.laid(trigger, state)
        case network.RoutesFailed(reason=reason):
            missing_now = routes.missing(trigger, state)
            waits = missing_now and state.bundle.routing is None and state.bundle.routes <= trigger.revision
            return [*missing_now, *(rounds.refuse(state, context, reason, routes.not_led(state)) if waits else ())]
        case spares.SpareHandedOut():
            return searches.handed_out(trigger, state, context)
        case spares.HandedOutSpareLost(amphora_id=amphora_id, reason=reason):
            return losses.lost(state, amphora_id, reason, context)
        case spares.SpareDenied():
            return searches.denied(trigger, state)
        case SecretStored(project_id=project_id):
            return rounds.try_again(state, context, project_id)
        case rollout.ReplacementsOrdered():
            return renewal.ordered(trigger, state, context)
        case rollout.ReplacementFailed():
            return renewal.dropped(trigger, state, context)
        case LoadBalancerFailoverRequested():
            return exchange.requested(trigger, state, context)
        case LoadBalancerSettled(load_balancer_id=lb_id, reason=reason):
            return rounds.settle(state, context, lb_id, reason)
        case LoadBalancerDeletionRequested(load_balancer_id=lb_id) if rounds.is_left_behind(state, lb_id):
            return rounds.cut(state, context) if rounds.living(state, context) else []
        case _:
            return []  # a load balancer's wish, which stands in the context


def _with_what_follows(
    state: ApplianceState, happened: Happened, context: Context, *, reason: str = "", afresh: bool = False
) -> Happened:
    grown = fold(state, happened)
    return [*happened, *onward(grown, context, reason or NOT_CLEARED, afresh=afresh)]


def onward(state: ApplianceState, context: Context, reason: str = NOT_CLEARED, *, afresh: bool = False) -> Happened:
    """Give what follows from what is true, nothing where the appliance is at rest."""
    if not rounds.living(state, context):
        return membership.dissolve(state, context)
    happened: list[ApplianceEvent] = [*membership.vacate(state, context)]
    if rounds.has_to_be_vacated(fold(state, happened), context):
        return happened
    happened += rounds.finish(fold(state, happened))
    happened += exchange.advance(fold(state, happened), context)
    happened += filling.fill(fold(state, happened), context, reason, afresh=afresh)
    happened += rounds.cut_if_due(fold(state, happened), context)
    happened += rounds.release(fold(state, happened), context)
    return happened


def lapse(state: ApplianceState, context: Context) -> Happened:
    """Give what follows from deadlines that are over at `context.now`."""
    if state.id is None or state.retired:
        return []
    happened: list[ApplianceEvent] = [*searches.lapse(state, context)]
    happened += losses.lapse(fold(state, happened), context)
    happened += exchange.lapse(fold(state, happened), context)
    happened += _end_split(fold(state, happened), context)
    happened += losses.late(fold(state, happened), context)
    happened += losses.not_fenced(fold(state, happened), context)
    reason = next((event.reason for event in happened if isinstance(event, events.AmphoraDismissed)), "")
    return _with_what_follows(state, happened, context, reason=reason)


def _end_split(state: ApplianceState, context: Context) -> Happened:
    if not roles.is_split(state) or state.split_by is None or state.split_by > context.now:
        return []
    dismissed = roles.end_split(state, context)
    return [*dismissed, *rounds.cut(fold(state, dismissed), context, new_epoch=True)]


def deadlines(state: ApplianceState, wishes: Wishes, limits: Limits) -> Iterator[datetime]:
    """Give the times at which `lapse` may have something to say."""
    if state.retired:
        return
    not_fenced_at = losses.fence_by(state)
    if not_fenced_at is not None:
        yield not_fenced_at
    yield from exchange.deadlines(state)
    for amphora in state.serving():
        for due in (losses.due_at(state, amphora, limits.bundle_s), amphora.yield_by):
            if due is not None:
                yield due
    if state.bundle.outcome is Outcome.IN_FLIGHT and state.bundle.deadline_at is not None:
        yield state.bundle.deadline_at
    if state.bundle.retry_at is not None and state.serving():
        yield state.bundle.retry_at
    if state.bundle.outcome is Outcome.APPLIED and state.serving():
        yield from state.bundle.draining.values()
    if state.search is not None and state.search.deadline_at is not None:
        yield state.search.deadline_at
    if state.split_by is not None and roles.is_split(state):
        yield state.split_by
    alive = [lb_id for lb_id in state.load_balancers if not wishes[lb_id].deleting]
    if state.serving():
        yield from refusals.deadlines(state, alive)
    if state.retry_at is not None and alive and filling.vacancies(state):
        yield state.retry_at
