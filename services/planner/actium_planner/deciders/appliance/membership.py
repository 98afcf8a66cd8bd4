"""Which amphorae belong to an appliance: joined, shut down, cleared away; and how an appliance ends."""

from collections.abc import Sequence
from datetime import timedelta

from actium_planner.deciders.appliance import rounds
from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.evolve import fold
from actium_planner.deciders.appliance.state import AmphoraState, ApplianceState, Stage
from actium_shared.commands.network import FINAL_REVISION
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId


def join(state: ApplianceState, amphora_id: AmphoraId, host: str, context: Context) -> Sequence[ApplianceEvent]:
    """Take an amphora into service that has booted for the first time, unless others have come to its host meanwhile."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.APPOINTED:
        return []
    if host in context.shunned_hosts:
        return dismiss(state, amphora, met_on(host), context)
    return [events.AmphoraJoined(appliance_id=state.id, amphora_id=amphora_id, host=host)]


def met_on(host: str) -> str:
    """Say why an amphora does not stay where others have come meanwhile."""
    return f"out of resources: a load balancer that it shall be apart from is on {host}, too"


def dismiss(state: ApplianceState, amphora: AmphoraState, reason: str, context: Context) -> Sequence[ApplianceEvent]:
    """Have an amphora go."""
    assert state.id is not None
    fence_by = context.now + timedelta(seconds=context.limits.bundle_s) if amphora.joined else None
    return [events.AmphoraDismissed(appliance_id=state.id, amphora_id=amphora.id, reason=reason, fence_by=fence_by)]


def fenced(state: ApplianceState, amphora_id: AmphoraId) -> Sequence[ApplianceEvent]:
    """Note that a dismissed amphora answers nobody any more."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.DISMISSED or amphora.fenced:
        return []
    return [events.AmphoraFenced(appliance_id=state.id, amphora_id=amphora_id)]


def shut_down(state: ApplianceState, amphora_id: AmphoraId, context: Context) -> Sequence[ApplianceEvent]:
    """Note that an amphora's machine is gone; where nobody asked for that, it was lost."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is Stage.SHUT_DOWN:
        return []
    dismissed = dismiss(state, amphora, "its machine was deleted", context) if amphora.serves else []
    return [*dismissed, events.AmphoraShutDown(appliance_id=state.id, amphora_id=amphora_id)]


def ports_settled(state: ApplianceState, amphora_id: AmphoraId, revision: int) -> Sequence[ApplianceEvent]:
    """Note that ports are as wished, where something waits for it: a trimming, or the last trace of an amphora."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None:
        return []
    if amphora.stage is Stage.SHUT_DOWN and revision >= FINAL_REVISION:
        return [events.AmphoraCleared(appliance_id=state.id, amphora_id=amphora_id)]
    if amphora.trimming and revision == amphora.ports_revision:
        return [events.PortsTrimmed(appliance_id=state.id, amphora_id=amphora_id, revision=revision)]
    return []


def dissolve(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """End the appliance, as its last load balancer is deleted: at once what serves, and itself when nothing is left of it."""
    assert state.id is not None
    dismissed = [
        event
        for amphora in state.serving()
        for event in dismiss(state, amphora, "its last load balancer is deleted", context)
    ]
    return [*dismissed, *_retire_if_empty(fold(state, dismissed), context)]


def vacate(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Let load balancers go that no bundle can be had without: all amphorae first, as one that runs nothing there is not."""
    assert state.id is not None
    if not rounds.has_to_be_vacated(state, context):
        return []
    reason = "its last load balancer that can be served is deleted"
    dismissed = [event for amphora in state.serving() for event in dismiss(state, amphora, reason, context)]
    if dismissed or any(amphora.at_large for amphora in state.amphorae.values()):
        return dismissed
    return [
        events.LoadBalancerReleased(appliance_id=state.id, load_balancer_id=lb_id)
        for lb_id in state.load_balancers
        if context.wishes[lb_id].deleting
    ]


def _retire_if_empty(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    if state.amphorae or state.unanswered or rounds.living(state, context):
        return []
    released = [
        events.LoadBalancerReleased(appliance_id=state.id, load_balancer_id=lb_id) for lb_id in state.load_balancers
    ]
    if state.is_routed and (released or not state.routing.settled):
        return released  # its routes go with the last of them, and it with its routes
    return [*released, events.ApplianceRetired(appliance_id=state.id)]
