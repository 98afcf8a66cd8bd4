"""What happens to a pool of spares: on a new size, an operator's word, another aggregate's event, and when time is over."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from actium_planner.deciders.spares.filling import Context, failed, kept, missing
from actium_planner.deciders.spares.sizing import Sizing
from actium_planner.deciders.spares.state import SparesState, SpareState, Stage, fold
from actium_planner.validation.refusals import missing as not_found
from actium_shared.commands.network import FINAL_REVISION
from actium_shared.commands.planner import ApplianceCommand, FailOverAmphora, ReconfigureAmphora
from actium_shared.events import amphora as amphorae
from actium_shared.events import appliance as appliances
from actium_shared.events import health, network
from actium_shared.events import spares as events
from actium_shared.events.rollout import ReplacementsOrdered
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import AmphoraId, SparesId
from actium_shared.message import Event, Rejected

Happened = Sequence[SparesEvent]
DELETED = "its machine was deleted"


def resize(spares_id: SparesId, state: SparesState, wanted: Sizing, context: Context) -> Happened:
    """Have the pool be as it is wanted; what boots from something else now is replaced."""
    if is_as_wanted(state, wanted):
        return []
    sized = events.SparesSized(
        spares_id=spares_id,
        size=wanted.size,
        image_tag=wanted.image_tag,
        flavor_id=wanted.flavor_id,
        flavor=wanted.flavor,
        availability_zone=wanted.availability_zone,
        availability_zone_data=wanted.availability_zone_data,
    )
    grown = fold(state, [sized])
    changed = _boots_from(grown) != _boots_from(state)
    reason = f"out of date: spares boot from image {wanted.image_tag} now"
    outdated = [
        events.SpareDismissed(spares_id=spares_id, amphora_id=spare.id, reason=reason)
        for spare in (grown.waiting() if changed else [])
    ]
    return kept(state, [sized, *outdated], context)


def is_as_wanted(state: SparesState, wanted: Sizing) -> bool:
    """Say whether there is nothing to change; a pool of none need not exist."""
    if state.id is None or not state.size:
        return not wanted.size
    return state.size == wanted.size and _boots_from(state) == _boots_from(wanted)


def _boots_from(what: SparesState | Sizing) -> tuple[object, ...]:
    return what.image_tag, what.flavor, what.availability_zone_data


def decide(command: ApplianceCommand, state: SparesState, context: Context) -> Happened | Rejected:
    """Give what happens on an operator's word about one spare; to be configured it carries nothing."""
    spare = state.spares.get(command.amphora_id)
    if state.id is None or spare is None:
        return not_found("Amphora", command.amphora_id)
    if isinstance(command, ReconfigureAmphora) or spare not in state.waiting():
        return []
    reason = "replaced on an operator's word" if isinstance(command, FailOverAmphora) else "removed by an operator"
    return kept(state, [_dismissed(state.id, spare, reason)], context)


def follow(trigger: Event, state: SparesState, context: Context) -> Happened:
    """Give what another aggregate's event means for the pool; nothing when it says nothing new."""
    if isinstance(trigger, appliances.SpareSought):
        return _answer(trigger, state, context)
    if state.id is None:
        return []
    match trigger:
        case ReplacementsOrdered():
            return _renewed(state, trigger, context)
        case amphorae.AmphoraBooted(amphora_id=amphora_id, host=host):
            return _booted(state, amphora_id, host, context)
        case amphorae.AmphoraBootFailed(amphora_id=amphora_id, reason=reason):
            return _gone(state, amphora_id, reason, context)
        case health.AmphoraLost(amphora_id=amphora_id, reason=reason):
            return _gone(state, amphora_id, reason, context)
        case network.PortFailed(amphora_id=amphora_id, reason=reason):
            spare = state.spares.get(amphora_id)
            came = spare is None or spare.stage is not Stage.APPOINTED  # then it has its port: this is old news
            return [] if came else _gone(state, amphora_id, reason, context)
        case amphorae.AmphoraDeleted(amphora_id=amphora_id):
            return _shut_down(state, amphora_id, context)
        case network.PortsSettled(amphora_id=amphora_id, revision=revision) if revision >= FINAL_REVISION:
            return _cleared(state, amphora_id, context)
        case _:
            return []


def _answer(sought: appliances.SpareSought, state: SparesState, context: Context) -> Happened:
    amphora_id = state.ready(sought.avoid_hosts, sought.image_tag)
    if state.id is None or amphora_id is None:
        image = f" of image {sought.image_tag}" if sought.image_tag else ""
        others = f" outside {', '.join(sought.avoid_hosts)}" if state.ready((), sought.image_tag) else image
        return [
            events.SpareDenied(
                spares_id=sought.spares_id,
                appliance_id=sought.appliance_id,
                search=sought.search,
                reason=f"no spare is ready{others}",
            )
        ]
    spare = state.spares[amphora_id]
    handed_out = events.SpareHandedOut(
        spares_id=state.id,
        amphora_id=amphora_id,
        appliance_id=sought.appliance_id,
        search=sought.search,
        host=spare.host,
        management_port_id=spare.management_port_id,
        image_tag=spare.image_tag,
    )
    return kept(state, [handed_out], context)


def _renewed(state: SparesState, trigger: ReplacementsOrdered, context: Context) -> Happened:
    assert state.id is not None
    named = {replacement.amphora_id for replacement in trigger.replacements}
    reason = f"replaced by rollout {trigger.rollout_id}"
    going = [
        events.SpareDismissed(spares_id=state.id, amphora_id=spare.id, reason=reason)
        for spare in state.waiting()
        if spare.id in named
    ]
    return kept(state, going, context) if going else []


def _booted(state: SparesState, amphora_id: AmphoraId, host: str, context: Context) -> Happened:
    assert state.id is not None
    spare = state.spares.get(amphora_id)
    if spare is None or spare.stage is not Stage.APPOINTED:
        return []
    return kept(state, [events.SpareReady(spares_id=state.id, amphora_id=amphora_id, host=host)], context)


def _gone(state: SparesState, amphora_id: AmphoraId, reason: str, context: Context) -> Happened:
    """Replace one that is not coming, or not there any more."""
    assert state.id is not None
    spare = state.spares.get(amphora_id)
    if spare is None:
        return _forwarded(state, amphora_id, reason)
    if spare not in state.waiting():
        return []
    if spare.stage is Stage.APPOINTED:
        return kept(state, failed(state, spare, reason, context), context)
    return kept(state, [_dismissed(state.id, spare, reason)], context)


def _forwarded(state: SparesState, amphora_id: AmphoraId, reason: str) -> Happened:
    """Tell whoever was handed an amphora that it is lost: behind the hand-over on this log, so that it comes after it."""
    assert state.id is not None
    appliance_id = dict(state.handed_out).get(amphora_id)
    if appliance_id is None:
        return []
    return [
        events.HandedOutSpareLost(spares_id=state.id, amphora_id=amphora_id, appliance_id=appliance_id, reason=reason)
    ]


def _shut_down(state: SparesState, amphora_id: AmphoraId, context: Context) -> Happened:
    """Note that its machine is gone; where nobody asked for that, it was lost."""
    assert state.id is not None
    spare = state.spares.get(amphora_id)
    if spare is None:
        return _forwarded(state, amphora_id, DELETED)
    if spare.stage is Stage.SHUT_DOWN:
        return []
    shut_down = events.SpareShutDown(spares_id=state.id, amphora_id=amphora_id)
    if spare.stage is Stage.DISMISSED:
        return [shut_down]
    return kept(state, [_dismissed(state.id, spare, DELETED), shut_down], context)


def _cleared(state: SparesState, amphora_id: AmphoraId, context: Context) -> Happened:
    assert state.id is not None
    spare = state.spares.get(amphora_id)
    if spare is None or spare.stage is not Stage.SHUT_DOWN:
        return []
    return kept(state, [events.SpareCleared(spares_id=state.id, amphora_id=amphora_id)], context)


def _dismissed(spares_id: SparesId, spare: SpareState, reason: str) -> SparesEvent:
    return events.SpareDismissed(spares_id=spares_id, amphora_id=spare.id, reason=reason)


def deadlines(state: SparesState) -> Iterator[datetime]:
    """Give the times at which `lapse` may have something to say."""
    for spare in state.ordered(Stage.APPOINTED):
        yield spare.deadline_at
    if state.retry_at is not None and missing(state):
        yield state.retry_at


def lapse(state: SparesState, context: Context) -> Happened:
    """Give what follows from deadlines that are over."""
    if state.id is None:
        return []
    happened: list[SparesEvent] = []
    for spare in state.ordered(Stage.APPOINTED):
        if spare.deadline_at <= context.now:
            reason = f"the amphora did not boot within {context.limits.boot_s:.0f} s"
            happened += failed(fold(state, happened), spare, reason, context)
    return kept(state, happened, context)
