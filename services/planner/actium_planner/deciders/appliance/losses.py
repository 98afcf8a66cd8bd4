"""Amphorae that do not come, do not do as they are told, or are lost: dismissed, so that others take their places."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from actium_planner.deciders.appliance import rounds
from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.evolve import fold
from actium_planner.deciders.appliance.membership import dismiss
from actium_planner.deciders.appliance.state import AmphoraState, ApplianceState, Outcome, Stage
from actium_shared.events import appliance as events
from actium_shared.events.amphora import AmphoraConfigurationRefused
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.network import PortFailed
from actium_shared.ids import AmphoraId, LoadBalancerId, SubnetId


def lost(state: ApplianceState, amphora_id: AmphoraId, reason: str, context: Context) -> Sequence[ApplianceEvent]:
    """Dismiss one that will not serve (again)."""
    amphora = state.amphorae.get(amphora_id)
    return dismiss(state, amphora, reason, context) if amphora is not None and amphora.serves else []


def refused(state: ApplianceState, context: Context, trigger: AmphoraConfigurationRefused) -> Sequence[ApplianceEvent]:
    """End the round that cannot succeed; one that alone refuses what others run is dismissed instead."""
    amphora, reason = state.amphorae.get(trigger.amphora_id), trigger.reason
    if amphora is None or not amphora.serves or trigger.bundle != state.bundle.number:
        return []
    if state.bundle.outcome is Outcome.FAILED:
        return []
    if amphora not in state.waited():
        return dismiss(state, amphora, reason, context)
    return rounds.refuse(state, context, reason, trigger.load_balancer_ids)


def port_failed(state: ApplianceState, context: Context, trigger: PortFailed) -> Sequence[ApplianceEvent]:
    """Give up on an amphora without its first ports, or on the round that needs a member port."""
    amphora, port_id, reason = state.amphorae.get(trigger.amphora_id), trigger.port_id, trigger.reason
    if amphora is None or not amphora.serves:
        return []
    if port_id in (amphora.management_port_id, amphora.vip_port_id):
        # One that runs a bundle has its first ports: this is old news. A spare joins without the second of them.
        incomplete = amphora.stage is Stage.APPOINTED or (amphora.spare and not amphora.settled)
        return dismiss(state, amphora, reason, context) if incomplete else []
    subnet_id = next((each for each in state.bundle.member_subnets if amphora.port_in(each) == port_id), None)
    if subnet_id is None:
        return []
    if amphora not in state.waited():
        return dismiss(state, amphora, reason, context)
    return rounds.refuse(state, context, reason, _who_need(state, subnet_id, context))


def _who_need(state: ApplianceState, subnet_id: SubnetId, context: Context) -> list[LoadBalancerId]:
    held = state.bundle.holds.items()
    wishes = {lb_id: context.wishes[lb_id].at(generation) for lb_id, generation in held if lb_id in context.wishes}
    return [lb_id for lb_id, wish in wishes.items() if subnet_id in wish.member_subnets()]


def lapse(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Dismiss those whose time to come into service is over."""
    limits = context.limits
    happened: list[ApplianceEvent] = []
    for amphora in state.serving():
        due = due_at(state, amphora, context.limits.bundle_s)
        if due is not None and due <= context.now:
            booted = amphora.stage is Stage.JOINED
            what = (
                f"take its first configuration within {limits.bundle_s:.0f}"
                if booted
                else f"boot within {limits.boot_s:.0f}"
            )
            happened += dismiss(state, amphora, f"the amphora did not {what} s", context)
    return happened


def due_at(state: ApplianceState, amphora: AmphoraState, bundle_s: float) -> datetime | None:
    """
    Give by when an amphora has to boot or, beside others who serve, to run its first bundle.

    Alone it is as late as the round is, and nobody gains by its going.
    """
    if amphora.stage is Stage.APPOINTED:
        return amphora.deadline_at
    bundle = state.bundle
    told = amphora.id in bundle.members and bundle.outcome is not Outcome.FAILED and not state.withheld(amphora)
    if amphora.stage is not Stage.JOINED or amphora.settled or not told or not state.carried:
        return None
    due = amphora.deadline_at + timedelta(seconds=bundle_s)
    return due if bundle.deadline_at is None else max(due, bundle.deadline_at)


def late(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """End a round whose time is over: without those who lag behind where one runs it, else without success."""
    assert state.id is not None
    bundle, now = state.bundle, context.now
    if bundle.outcome is not Outcome.IN_FLIGHT or bundle.deadline_at is None or bundle.deadline_at > now:
        return []
    reason = f"the amphora did not apply the configuration within {context.limits.bundle_s:.0f} s"
    waited = state.waited()
    laggards = [each for each in waited if each.stage is Stage.JOINED and not rounds.is_ready(state, each.id)]
    if len(laggards) == len(waited) or not laggards:
        return rounds.fail(state, context, _excuse(state) or reason, late=True)
    happened: list[ApplianceEvent] = []
    for amphora in laggards:
        happened += dismiss(fold(state, happened), amphora, reason, context)
    return happened


NOT_CUT_OFF = "the addresses cannot be taken over: the amphora that had them could not be cut off yet"


def _excuse(state: ApplianceState) -> str | None:
    """Say what a round waits for that those who apply it cannot help."""
    if state.is_routed and state.bundle.routing is None:
        return "routes to the VIPs could not be made yet"
    orphaned = not state.is_pair and state.bundle.holder is None
    return NOT_CUT_OFF if orphaned and any(each.at_large for each in state.amphorae.values()) else None


def fence_by(state: ApplianceState) -> datetime | None:
    """Give when a fence takes too long, if something waits for it that has no other deadline."""
    unserved = state.bundle.outcome is Outcome.APPLIED and bool(state.serving()) and not state.served
    if not unserved and not (state.exchanging and state.waiting):
        return None
    due = [each.fence_by for each in state.amphorae.values() if each.at_large and each.fence_by is not None]
    return min(due, default=None)


def not_fenced(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Have what waits for a fence that takes too long have failed; when it is there all goes on."""
    assert state.id is not None
    due = fence_by(state)
    if due is None or due > context.now:
        return []
    if not state.served:
        return rounds.fail(state, context, NOT_CUT_OFF, late=True)
    reason = "the amphora that shall leave could not be cut off yet"
    return [events.ExchangeFailed(appliance_id=state.id, holds=dict(state.waiting), reason=reason)]
