"""Filling the roles of an appliance: amphorae appointed, spares sought, and the pauses when none can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from actium_planner.deciders.appliance import rounds
from actium_planner.deciders.appliance.context import DOUBLINGS_MOST, Context
from actium_planner.deciders.appliance.evolve import failures, fold
from actium_planner.deciders.appliance.roles import is_master
from actium_planner.deciders.appliance.rounds import BOOT_ATTEMPTS
from actium_planner.deciders.appliance.state import ApplianceState, Stage
from actium_planner.deciders.spares.sizing import pool_id
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId, PortId, derived_id
from actium_shared.wishes import LoadBalancer

LOSSES_MOST = 6
"""
So many who served are replaced at once, each lost soon after it came; then there is a pause.

Whatever kills them would else use up the spares, and the replacements per minute that health allows all others, too.
"""

NOT_CLEARED = "out of resources: amphorae that did not come have not been cleared away yet"


@dataclass(frozen=True, slots=True)
class Vacancy:
    """A role to be filled, perhaps while the one that has it still serves."""

    role: str
    replaces: AmphoraId | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Which `attempt` an appointment is to have somebody come, and how many came before and were lost soon."""

    attempt: int = 1
    losses: int = 0


def vacancies(state: ApplianceState) -> list[Vacancy]:
    """
    Give the roles that want a newcomer now.

    Those who shall leave are replaced one after the other, the standby first, and never while another is still to come.
    """
    if state.search is not None or (state.is_pair and _comes_to_an_unknown_host(state)):
        return []
    free = list(state.roles)
    for amphora in state.staying():
        if amphora.role in free:
            free.remove(amphora.role)
    leaving = sorted(state.leaving(), key=lambda each: (is_master(state, each), each.id))
    covered = {amphora.role for amphora in leaving}
    empty = [Vacancy(role) for role in free if role not in covered]
    if empty:
        return empty
    there = {amphora.id for amphora in leaving}
    if any(not amphora.settled or amphora.replaces in there for amphora in state.staying()):
        return []
    return [Vacancy(each.role, each.id) for each in leaving if each.role in free][:1]


def _comes_to_an_unknown_host(state: ApplianceState) -> bool:
    """Say whether one is booting that compute does not keep off whom we appoint now."""
    return any(each.stage is Stage.APPOINTED and not each.host and not each.grouped for each in state.serving())


def fill(state: ApplianceState, context: Context, reason: str, *, afresh: bool = False) -> Sequence[ApplianceEvent]:
    """
    Have newcomers come for the roles that want one, unless it is known that none can be had for now.

    `reason` is why the last one did not come or stay. `afresh`: nobody's failure has led to this.
    """
    happened: list[ApplianceEvent] = []
    for vacancy in [] if is_paused(state, context) else vacancies(state):
        grown = fold(state, happened)
        counts = Counts() if afresh else next_counts(grown, vacancy.role, context)
        more = _engage(grown, vacancy, context, reason, counts)
        happened += more
        if not isinstance(more[-1], events.AmphoraAppointed):
            break
    return happened


def is_paused(state: ApplianceState, context: Context) -> bool:
    """Say whether the next try is later; a new wish that nobody can serve does not wait for it."""
    urgent = not state.serving() and rounds.has_newer_wishes(state, context)
    return state.retry_at is not None and state.retry_at > context.now and not urgent


def next_counts(state: ApplianceState, role: str, context: Context) -> Counts:
    """Count those before the next appointment: none of them if the last still serves, or did for long."""
    last = state.tries.get(role)
    if last is None:
        return Counts()
    amphora = state.amphorae.get(last.amphora_id)
    steady = context.now >= last.deadline_at + timedelta(seconds=context.limits.steady_s)
    if steady or (amphora is not None and amphora.serves):
        return Counts()
    return Counts(losses=last.losses + 1) if last.come else Counts(last.attempt + 1, last.losses)


def _engage(
    state: ApplianceState, vacancy: Vacancy, context: Context, reason: str, counts: Counts
) -> Sequence[ApplianceEvent]:
    if counts.attempt > BOOT_ATTEMPTS:
        return give_up(state, context, reason)
    if counts.losses > LOSSES_MOST:
        return give_up(state, context, f"{counts.losses} amphorae in a row were lost soon after they came: {reason}")
    if not _has_room(state):
        return give_up(state, context, NOT_CLEARED)
    return (() if state.cold else _seek(state, vacancy, context)) or appoint(state, vacancy, context, counts)


def _has_room(state: ApplianceState) -> bool:
    """Say whether another may be appointed: what could not be cleared away still holds addresses."""
    return sum(not amphora.serves for amphora in state.amphorae.values()) <= BOOT_ATTEMPTS * len(state.roles)


def _avoided(state: ApplianceState, vacancy: Vacancy, context: Context) -> tuple[str, ...]:
    partners = state.partners(vacancy.replaces) if state.is_pair else ()
    return tuple(sorted({*context.shunned_hosts, *(partner.host for partner in partners if partner.host)}))


def _seek(state: ApplianceState, vacancy: Vacancy, context: Context) -> Sequence[ApplianceEvent]:
    """Ask the pool of flavor and zone, if it has one; a pair's second must not come where the first is still unknown."""
    assert state.id is not None
    balancer, avoid = resident(state, context), _avoided(state, vacancy, context)
    spares_id = pool_id(balancer.flavor_id, balancer.availability_zone)
    unknown = state.is_pair and any(not partner.host for partner in state.partners(vacancy.replaces))
    image_tag = state.image_tag if vacancy.replaces else ""  # what is planned can wait; else the fastest is the best
    if unknown or context.spares(spares_id, avoid, image_tag) is None:
        return []
    return [
        events.SpareSought(
            appliance_id=state.id,
            spares_id=spares_id,
            search=state.searches + 1,
            role=vacancy.role,
            replaces=vacancy.replaces,
            avoid_hosts=avoid,
            deadline_at=context.now + timedelta(seconds=context.limits.boot_s),
            image_tag=image_tag,
        )
    ]


def appoint(state: ApplianceState, vacancy: Vacancy, context: Context, counts: Counts) -> Sequence[ApplianceEvent]:
    """Have a new amphora boot and join."""
    assert state.id is not None
    amphora_id = AmphoraId(derived_id("amphora", state.id, str(state.appointed + 1)))
    return [
        events.AmphoraAppointed(
            appliance_id=state.id,
            amphora_id=amphora_id,
            role=vacancy.role,
            attempt=counts.attempt,
            losses=counts.losses,
            management_port_id=PortId(derived_id("management-port", amphora_id)),
            vip_port_id=vip_port(amphora_id),
            vip_subnet_id=resident(state, context).vip.subnet_id,
            deadline_at=context.now + timedelta(seconds=context.limits.boot_s),
            replaces=vacancy.replaces,
            avoid_hosts=_avoided(state, vacancy, context),
            image_tag=state.image_tag,
        )
    ]


def vip_port(amphora_id: AmphoraId) -> PortId:
    """Give the id of an amphora's port on the VIPs' network."""
    return PortId(derived_id("vip-network-port", amphora_id))


def resident(state: ApplianceState, context: Context) -> LoadBalancer:
    """Give a load balancer that is carried here; all that are have flavor, zone and VIP network in common."""
    living = rounds.living(state, context)
    balancer = context.wishes[min(living, default=state.load_balancers[0])].load_balancer
    assert balancer is not None
    return balancer


def give_up(state: ApplianceState, context: Context, reason: str) -> Sequence[ApplianceEvent]:
    """
    Say that no amphora can be had for now, and when the next try is; the pause grows with each.

    Where others serve only those rounds fail that wait for an exchange.
    """
    assert state.id is not None
    pause_s = context.limits.retry_s * 2 ** min(failures(state, context.now), DOUBLINGS_MOST)
    retry_at = context.now + timedelta(seconds=pause_s)
    failed: ApplianceEvent = events.ApplianceFailed(appliance_id=state.id, reason=reason, retry_at=retry_at)
    if not state.carried:
        unheld = not state.serving() and rounds.has_newer_wishes(state, context)
        begun = rounds.cut(state, context) if unheld else ()
        return [*begun, failed, *rounds.fail(fold(state, begun), context, reason)]
    holds = {lb_id: max(asked, state.bundle.holds.get(lb_id, 0)) for lb_id, asked in sorted(state.waiting.items())}
    late = [events.ExchangeFailed(appliance_id=state.id, holds=holds, reason=reason)] if holds else []
    return [failed, *late]
