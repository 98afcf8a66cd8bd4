"""Rounds: one bundle after the other, each holding the newest wish of every load balancer."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from actium_planner.deciders.appliance import draining, refusals, routes
from actium_planner.deciders.appliance.context import DOUBLINGS_MOST, Context
from actium_planner.deciders.appliance.roles import next_holder
from actium_planner.deciders.appliance.state import ApplianceState, Outcome, Stage
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId, LoadBalancerId, ProjectId, SubnetId

BOOT_ATTEMPTS = 3


def living(state: ApplianceState, context: Context) -> dict[LoadBalancerId, LoadBalancerState]:
    """Give the load balancers that shall go on."""
    return {lb_id: context.wishes[lb_id] for lb_id in state.load_balancers if not context.wishes[lb_id].deleting}


def has_newer_wishes(state: ApplianceState, context: Context) -> bool:
    """Say whether the newest bundle is not what the load balancers wish for now."""
    holds, alive = state.bundle.holds, living(state, context)
    newer = any(
        generation > holds.get(lb_id, 0) for lb_id, generation in refusals.wanted(state, alive, context.now).items()
    )
    return newer or any(lb_id not in alive for lb_id in holds)


def cut(
    state: ApplianceState, context: Context, *, new_epoch: bool = False, newest: bool = False
) -> Sequence[ApplianceEvent]:
    """Begin the next round; in a new epoch where addresses change hands; `newest`: also with what was refused."""
    assert state.id is not None
    alive, limits, holder = living(state, context), context.limits, next_holder(state)
    wanted = {} if newest else refusals.wanted(state, alive, context.now)
    holds = wanted or {lb_id: wish.generation for lb_id, wish in alive.items()}
    boots = not state.carried and any(amphora.stage is Stage.APPOINTED for amphora in state.serving())
    allowed_s = limits.bundle_s + (BOOT_ATTEMPTS * limits.boot_s if boots else 0)
    handed_over = holder is not None and state.last_holder not in (None, holder)
    needed = _member_subnets(alive[lb_id].at(held) for lb_id, held in holds.items())
    kept = draining.kept(state, needed, context)
    return [
        events.BundleCut(
            appliance_id=state.id,
            bundle=state.bundle.number + 1,
            holds=holds,
            deadline_at=context.now + timedelta(seconds=allowed_s),
            member_subnets=tuple(sorted(needed | kept.keys())),
            draining=kept,
            epoch=state.bundle.epoch + (handed_over or new_epoch),
            holder=holder,
        )
    ]


def cut_if_due(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Begin the next round if there is something for it: other amphorae, another holder, newer wishes, another try."""
    if not state.serving():
        return []
    retry_at = state.bundle.retry_at
    if _is_outdated(state) or (retry_at is not None and retry_at <= context.now):
        return cut(state, context)
    if state.bundle.outcome is Outcome.IN_FLIGHT or _is_being_announced(state, context):
        return []
    alive = living(state, context)
    due = has_newer_wishes(state, context) or refusals.is_due(state, alive, context.now)
    due = due or draining.is_over(state, context)
    return cut(state, context) if due else []


def _is_outdated(state: ApplianceState) -> bool:
    bundle, linked, holder = state.bundle, state.linked(), next_holder(state)
    others = linked != bundle.members if state.is_pair else not linked <= bundle.members
    yielding = {amphora.id for amphora in state.serving() if amphora.yield_by is not None}
    rewired = not yielding <= bundle.yielding or routes.lead_elsewhere(state)
    return others or holder not in (None, bundle.holder) or rewired


def _is_being_announced(state: ApplianceState, context: Context) -> bool:
    """Say whether load balancers have yet to record the end of a round; the next begins behind it."""
    told, alive = state.announced, living(state, context)
    ending = any(wish.failed <= told.get(lb_id, 0) > wish.ended for lb_id, wish in alive.items())
    return state.bundle.outcome is Outcome.APPLIED and ending


def fail(state: ApplianceState, context: Context, reason: str, *, late: bool = False) -> Sequence[ApplianceEvent]:
    """
    End the round without success, once; a bundle that was applied fails when nobody is left who runs it.

    What was refused is tried again after a pause that grows: its cause may lie elsewhere and be gone by then.
    """
    assert state.id is not None
    bundle, served = state.bundle, state.served
    lost = bundle.outcome is Outcome.APPLIED and not served and bundle.number
    refused_late = bundle.outcome is Outcome.LATE and not late
    if bundle.outcome is not Outcome.IN_FLIGHT and not refused_late and not lost:
        return []
    pause_s = context.limits.retry_s * 2 ** min(state.stumbles, DOUBLINGS_MOST)
    return [
        events.BundleFailed(
            appliance_id=state.id,
            bundle=bundle.number,
            holds=bundle.holds,
            reason=reason,
            still_serves=served,
            late=late,
            retry_at=None if late or not state.serving() else context.now + timedelta(seconds=pause_s),
        )
    ]


def refuse(
    state: ApplianceState, context: Context, reason: str, culprits: Collection[LoadBalancerId] = ()
) -> Sequence[ApplianceEvent]:
    """
    End the round because of a wish in it that cannot be: its load balancer's alone, the others go on without it.

    It is that of the `culprits` where these are known. Else it is one of those that are new; several are tried one by one.
    """
    assert state.id is not None
    refused, suspects = refusals.blame(state, living(state, context), culprits)
    if state.bundle.outcome not in (Outcome.IN_FLIGHT, Outcome.LATE) or not (refused or suspects):
        return fail(state, context, reason)
    return [
        events.BundleFailed(
            appliance_id=state.id,
            bundle=state.bundle.number,
            holds=refused,
            reason=reason,
            still_serves=state.served,
            retry_at=refusals.retry_at(state, refused, context) if refused else None,
            refused=refused,
            suspects=suspects,
        )
    ]


def try_again(state: ApplianceState, context: Context, project_id: ProjectId) -> Sequence[ApplianceEvent]:
    """Try again what was refused, before its pause is over: a secret was stored in that project, and may be what it lacked."""
    balancers = (wish.load_balancer for lb_id, wish in living(state, context).items() if lb_id in state.refusals)
    theirs = any(balancer is not None and balancer.project_id == project_id for balancer in balancers)
    return cut(state, context, newest=True) if theirs and state.serving() else []


def in_force(state: ApplianceState, amphora_id: AmphoraId, bundle: int, epoch: int) -> Sequence[ApplianceEvent]:
    """Note what an amphora runs."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.JOINED or not amphora.in_force < bundle <= state.bundle.number:
        return []
    return [events.BundleInForce(appliance_id=state.id, amphora_id=amphora_id, bundle=bundle, epoch=epoch)]


def is_ready(state: ApplianceState, amphora_id: AmphoraId | None) -> bool:
    """Say whether an amphora is in service and runs the newest bundle."""
    amphora = state.amphorae.get(amphora_id) if amphora_id is not None else None
    return amphora is not None and amphora.settled and amphora.in_force == state.bundle.number


def finish(state: ApplianceState) -> Sequence[ApplianceEvent]:
    """
    End the round when all whom it waits for run the newest bundle, and one of them has the VIPs.

    The first has to be run by as many as the topology asks for. Some rounds end later, with an exchange of amphorae.
    """
    assert state.id is not None
    bundle, waited = state.bundle, state.waited()
    over = not state.exchanging and any(bundle.holds.get(lb_id, 0) >= asked for lb_id, asked in state.waiting.items())
    if bundle.outcome is Outcome.APPLIED and not over:
        return []
    if not waited or not all(is_ready(state, each.id) for each in waited):
        return []
    if not state.established and len(waited) < len(state.roles):
        return []
    if not state.is_pair and bundle.holder not in {amphora.id for amphora in waited}:
        return []
    return [events.BundleApplied(appliance_id=state.id, bundle=bundle.number, holds=_ending(state))]


def _ending(state: ApplianceState) -> Mapping[LoadBalancerId, int]:
    """Give the wishes whose round ends with the newest bundle; some wait for an exchange of amphorae."""
    waiting = state.waiting if state.exchanging else {}
    return {lb_id: generation for lb_id, generation in state.bundle.holds.items() if lb_id not in waiting}


def release(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Let load balancers go whose addresses nobody answers for any more."""
    assert state.id is not None
    bundle = state.bundle
    if bundle.outcome is not Outcome.APPLIED or any(amphora.at_large for amphora in state.amphorae.values()):
        return []
    return [
        events.LoadBalancerReleased(appliance_id=state.id, load_balancer_id=lb_id)
        for lb_id in state.load_balancers
        if context.wishes[lb_id].deleting and lb_id not in bundle.holds
    ]


def has_to_be_vacated(state: ApplianceState, context: Context) -> bool:
    """Say whether no bundle can be had without those who shall go: whoever stays wishes for nothing that can be."""
    going = any(context.wishes[lb_id].deleting for lb_id in state.load_balancers)
    failed = state.bundle.outcome in (Outcome.FAILED, Outcome.LATE)
    return going and failed and not refusals.wanted(state, living(state, context), context.now)


def settle(state: ApplianceState, context: Context, lb_id: LoadBalancerId, reason: str) -> Sequence[ApplianceEvent]:
    """Have nothing run any longer for a load balancer that waits no longer, unless others wait for it, too."""
    assert state.id is not None
    happened: list[ApplianceEvent] = []
    if lb_id in state.waiting:
        holds = {lb_id: state.waiting[lb_id]}
        happened.append(events.ExchangeFailed(appliance_id=state.id, holds=holds, reason=reason))
    pending = [each for each, wish in living(state, context).items() if wish.pending and each in state.bundle.holds]
    if state.bundle.outcome is Outcome.IN_FLIGHT and lb_id in state.bundle.holds and not pending:
        happened += fail(state, context, reason, late=True)
    return happened


def is_left_behind(state: ApplianceState, lb_id: LoadBalancerId) -> bool:
    """Say whether a load balancer shall go that no bundle holds any more, and no round is under way that ends with that."""
    over = state.bundle.outcome in (Outcome.FAILED, Outcome.LATE)
    return over and lb_id in state.load_balancers and lb_id not in state.bundle.holds


def _member_subnets(wishes: Iterable[LoadBalancerState]) -> frozenset[SubnetId]:
    """Give the subnets that need an interface of their own: not those that the VIPs' leads to already."""
    held = list(wishes)
    reached = {wish.load_balancer.vip.subnet_id for wish in held if wish.load_balancer is not None}
    return frozenset().union(*(wish.member_subnets() for wish in held)) - reached
