"""What an appliance does for a rollout: has amphorae replaced by others that boot from another image, or keeps them after all."""

from collections.abc import Sequence

from actium_planner.deciders.appliance import exchange
from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.membership import dismiss
from actium_planner.deciders.appliance.state import AmphoraState, ApplianceState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.rollout import ReplacementFailed, ReplacementsOrdered


def ordered(trigger: ReplacementsOrdered, state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Have those leave that a wave is about; who comes in their places, now or later, boots from the image that it names."""
    happened: list[ApplianceEvent] = []
    for replacement in trigger.replacements:
        amphora = state.amphorae.get(replacement.amphora_id)
        if replacement.appliance_id != state.id or amphora is None or not amphora.serves:
            continue
        reason = f"rollout {trigger.rollout_id}"
        happened += _moved(state, replacement.image_tag, reason)
        if amphora.yield_by is None:
            happened += exchange.leave(state, amphora, reason, context)
    return happened


def dropped(trigger: ReplacementFailed, state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """
    Keep the one that could not be replaced, and go back to its image unless another here runs the new one.

    What a load balancer's failover waits for goes on, also once it is late, as does an exchange whose newcomer serves already.
    """
    amphora = state.amphorae.get(trigger.amphora_id)
    if trigger.appliance_id != state.id:
        return []
    happened: list[ApplianceEvent] = []
    if amphora is not None and _can_stay(state, amphora):
        happened += _kept(state, amphora, trigger.reason, context)
    renewed = any(each.image_tag == state.image_tag for each in state.settled())
    if not renewed:
        happened += _moved(state, trigger.image_tag, "a rollout could not bring the other image")
    return happened


def _can_stay(state: ApplianceState, amphora: AmphoraState) -> bool:
    heirs = [each for each in state.settled() if each.replaces == amphora.id]
    asked_for = amphora.failed_over or bool(state.waiting)
    return amphora.serves and amphora.leaving and amphora.yield_by is None and not asked_for and not heirs


def _kept(state: ApplianceState, amphora: AmphoraState, why: str, context: Context) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    reason = f"the rollout gave it up: {why}"
    happened: list[ApplianceEvent] = [
        events.AmphoraStaying(appliance_id=state.id, amphora_id=amphora.id, reason=reason)
    ]
    search = state.search
    if search is not None and search.replaces == amphora.id:
        ended = events.SpareSearchEnded(appliance_id=state.id, search=search.number, answered=False, reason=reason)
        happened.append(ended)
    for newcomer in state.serving():
        if newcomer.replaces == amphora.id:
            happened += dismiss(state, newcomer, reason, context)
    return happened


def _moved(state: ApplianceState, image_tag: str, reason: str) -> Sequence[ApplianceEvent]:
    assert state.id is not None
    if image_tag in ("", state.image_tag):
        return []
    return [events.ImageMoved(appliance_id=state.id, image_tag=image_tag, reason=reason)]
