"""What a pool of spares answers to a search, and what follows when it does not."""

from collections.abc import Sequence
from datetime import timedelta

from actium_planner.deciders.appliance import rounds
from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.filling import Counts, next_counts, resident, vip_port
from actium_planner.deciders.appliance.membership import met_on
from actium_planner.deciders.appliance.state import ApplianceState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.spares import SpareDenied, SpareHandedOut


def handed_out(trigger: SpareHandedOut, state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Take a spare into service; one that nobody waits for any more is ours all the same, and goes at once."""
    assert state.id is not None
    if trigger.appliance_id != state.id or trigger.search not in state.unanswered:
        return []
    ended = events.SpareSearchEnded(appliance_id=state.id, search=trigger.search, answered=True)
    reason = _not_wanted(trigger, state, context)
    search = state.search if reason is None else None
    counts = Counts(attempt=0) if search is None else next_counts(state, search.role, context)
    appointed = events.AmphoraAppointed(
        appliance_id=state.id,
        amphora_id=trigger.amphora_id,
        role=state.roles[0] if search is None else search.role,
        attempt=counts.attempt,
        losses=counts.losses,
        management_port_id=trigger.management_port_id,
        vip_port_id=vip_port(trigger.amphora_id),
        vip_subnet_id=resident(state, context).vip.subnet_id,
        deadline_at=context.now + timedelta(seconds=context.limits.boot_s),
        spare=True,
        image_tag=trigger.image_tag,
        host=trigger.host,
        replaces=None if search is None else search.replaces,
    )
    if reason is None:
        joined = events.AmphoraJoined(appliance_id=state.id, amphora_id=trigger.amphora_id, host=trigger.host)
        return [ended, appointed, joined]
    dismissed = events.AmphoraDismissed(appliance_id=state.id, amphora_id=trigger.amphora_id, reason=reason)
    return [ended, appointed, dismissed]


def _not_wanted(trigger: SpareHandedOut, state: ApplianceState, context: Context) -> str | None:
    """Say why a spare cannot be taken into service, if it cannot: meanwhile others may have come to its host, too."""
    if state.search is None or state.search.number != trigger.search or not rounds.living(state, context):
        return "the search that it was handed out for is over"
    return met_on(trigger.host) if trigger.host in context.shunned_hosts else None


def denied(trigger: SpareDenied, state: ApplianceState) -> Sequence[ApplianceEvent]:
    """Note that the pool has none."""
    assert state.id is not None
    if trigger.appliance_id != state.id or trigger.search not in state.unanswered:
        return []
    return [events.SpareSearchEnded(appliance_id=state.id, search=trigger.search, answered=True, reason=trigger.reason)]


def lapse(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Wait for the pool no longer."""
    assert state.id is not None
    search = state.search
    if search is None or search.deadline_at is None or search.deadline_at > context.now:
        return []
    reason = "the pool of spares did not answer in time"
    return [events.SpareSearchEnded(appliance_id=state.id, search=search.number, answered=False, reason=reason)]
