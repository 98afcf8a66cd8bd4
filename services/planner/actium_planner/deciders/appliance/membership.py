"""Which amphorae belong to an appliance: appointed, joined, dismissed, cleared away, replaced."""

from collections.abc import Sequence
from datetime import timedelta

from actium_planner.deciders.appliance import rounds
from actium_planner.deciders.appliance.context import Context
from actium_planner.deciders.appliance.rounds import BOOT_ATTEMPTS
from actium_planner.deciders.appliance.state import ApplianceState, Outcome, Stage, fold
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.ids import AmphoraId, PortId, derived_id

FINAL_REVISION = 2**31
"""Of the last order about an amphora's ports, the one that clears them."""

DOUBLINGS_MOST = 5
"""The pause between tries grows from `retry_s` to this many doublings of it."""


def appoint(state: ApplianceState, context: Context, *, attempt: int = 1) -> Sequence[ApplianceEvent]:
    """Have a new amphora join."""
    assert state.id is not None
    balancer = next(iter(rounds.living(state, context).values())).load_balancer
    assert balancer is not None
    amphora_id = AmphoraId(derived_id("amphora", state.id, str(state.appointed + 1)))
    return [
        events.AmphoraAppointed(
            appliance_id=state.id,
            amphora_id=amphora_id,
            role="STANDALONE",
            attempt=attempt,
            management_port_id=PortId(derived_id("management-port", amphora_id)),
            vip_port_id=PortId(derived_id("vip-network-port", amphora_id)),
            vip_subnet_id=balancer.vip.subnet_id,
            deadline_at=context.now + timedelta(seconds=context.limits.boot_s),
        )
    ]


def join(state: ApplianceState, amphora_id: AmphoraId) -> Sequence[ApplianceEvent]:
    """Take an amphora into service that has booted for the first time."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.APPOINTED:
        return []
    return [events.AmphoraJoined(appliance_id=state.id, amphora_id=amphora_id)]


def shut_down(state: ApplianceState, amphora_id: AmphoraId) -> Sequence[ApplianceEvent]:
    """Note that a dismissed amphora's machine is gone."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage is not Stage.DISMISSED:
        return []
    return [events.AmphoraShutDown(appliance_id=state.id, amphora_id=amphora_id)]


def replace(state: ApplianceState, amphora_id: AmphoraId, reason: str, context: Context) -> Sequence[ApplianceEvent]:
    """Dismiss an amphora that does not come (back), and appoint another until the attempts are used up."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None or amphora.stage not in (Stage.APPOINTED, Stage.JOINED):
        return []
    dismissed = [events.AmphoraDismissed(appliance_id=state.id, amphora_id=amphora_id, reason=reason)]
    state = fold(state, dismissed)
    if not rounds.living(state, context):
        return dismissed
    attempt = amphora.attempt + 1 if amphora.stage is Stage.APPOINTED else 1
    if attempt > BOOT_ATTEMPTS or not has_room(state):
        return [*dismissed, *give_up(state, reason, context)]
    appointed = appoint(state, context, attempt=attempt)
    grown = fold(state, appointed)
    # A new round gives the newcomer's configuration a deadline, where none runs.
    begun = [] if state.bundle.outcome is Outcome.IN_FLIGHT else rounds.cut(grown, context)
    return [*dismissed, *appointed, *begun]


def has_room(state: ApplianceState) -> bool:
    """Say whether another may be appointed: what could not be cleared away still holds addresses."""
    uncleared = [amphora for amphora in state.amphorae.values() if amphora.stage in (Stage.DISMISSED, Stage.SHUT_DOWN)]
    return len(uncleared) <= BOOT_ATTEMPTS


def give_up(state: ApplianceState, reason: str, context: Context) -> Sequence[ApplianceEvent]:
    """Say that no amphora can be had for now, and when the next try is; the pause grows with each."""
    assert state.id is not None
    pause_s = context.limits.retry_s * 2 ** min(state.failures, DOUBLINGS_MOST)
    failed = events.ApplianceFailed(
        appliance_id=state.id, reason=reason, retry_at=context.now + timedelta(seconds=pause_s)
    )
    return [failed, *rounds.fail(state, reason)]


def ports_settled(
    state: ApplianceState, amphora_id: AmphoraId, revision: int, context: Context
) -> Sequence[ApplianceEvent]:
    """Note that ports are as wished, where something waits for it: a trimming, or the last trace of an amphora."""
    assert state.id is not None
    amphora = state.amphorae.get(amphora_id)
    if amphora is None:
        return []
    if amphora.stage is Stage.SHUT_DOWN and revision >= FINAL_REVISION:
        cleared = [events.AmphoraCleared(appliance_id=state.id, amphora_id=amphora_id)]
        return [*cleared, *retire_if_empty(fold(state, cleared), context)]
    if amphora.trimming and revision == amphora.ports_revision:
        return [events.PortsTrimmed(appliance_id=state.id, amphora_id=amphora_id, revision=revision)]
    return []


def port_failed(
    state: ApplianceState, amphora_id: AmphoraId, port_id: PortId, reason: str, context: Context
) -> Sequence[ApplianceEvent]:
    """Give up on an amphora without its first ports, or on the round that needs a member port."""
    amphora = state.amphorae.get(amphora_id)
    if amphora is None:
        return []
    if port_id in (amphora.management_port_id, amphora.vip_port_id):
        # One that has joined has its first ports: this is old news.
        return replace(state, amphora_id, reason, context) if amphora.stage is Stage.APPOINTED else []
    wanted = {amphora.port_in(subnet_id) for subnet_id in state.bundle.member_subnets}
    return rounds.fail(state, reason) if port_id in wanted else []


def dissolve(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """End the appliance: its last load balancer is deleted."""
    assert state.id is not None
    dismissed = [
        events.AmphoraDismissed(
            appliance_id=state.id, amphora_id=amphora.id, reason="its last load balancer is deleted"
        )
        for amphora in state.serving()
    ]
    return [*dismissed, *retire_if_empty(fold(state, dismissed), context)]


def retire_if_empty(state: ApplianceState, context: Context) -> Sequence[ApplianceEvent]:
    """Give the end of the appliance once nothing of it is left and nothing asks for it."""
    assert state.id is not None
    if state.amphorae or rounds.living(state, context):
        return []
    released = [
        events.LoadBalancerReleased(appliance_id=state.id, load_balancer_id=lb_id) for lb_id in state.load_balancers
    ]
    return [*released, events.ApplianceRetired(appliance_id=state.id)]
