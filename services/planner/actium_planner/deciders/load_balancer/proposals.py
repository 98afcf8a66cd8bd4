"""
Wishes for load balancers that another vendor's driver serves: decided here, held back until the driver has taken them.

Such drivers are written for upstream's lock and never see a change while another is on its way, so that is kept for
them. A proposal whose outcome nobody tells lapses, and what the driver may have made of it is then undone there; it
locks nothing any more meanwhile.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from actium_planner.deciders.load_balancer import reports
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.evolve import fold
from actium_planner.deciders.load_balancer.state import LoadBalancerState, Proposal
from actium_planner.deciders.load_balancer.strict import refuse_while_busy
from actium_planner.validation.refusals import conflict, invalid
from actium_shared.codec import CODEC
from actium_shared.commands import planner as commands
from actium_shared.errors import UnreadableError
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Reason, Rejected
from actium_shared.proposals import ERROR
from actium_shared.provider_options import is_ours
from actium_shared.wishes import LoadBalancer

REPORT_S = 600.0
"""So long a driver may take to report on a change; then its load balancer is shown as ERROR, until it does."""

TIMEOUT_MOST_S = 3_600.0

Wish = commands.LoadBalancerCommand
Decide = Callable[[Wish, LoadBalancerState, datetime], Decision]
"""How wishes are decided on, whoever serves the load balancer."""

NOT_PROPOSED = (
    commands.Propose,
    commands.SettleProposal,
    commands.ReportStatus,
    commands.SettleLoadBalancer,
    commands.RecordDrill,
)
"""About proposals and waiting, not about what a driver serves: none has a call for them."""


def unpacked(command: commands.Propose) -> Wish | Rejected:
    """Give the wish that is proposed."""
    try:
        wish = CODEC.unpack(command.command)
    except UnreadableError as exc:
        return invalid(str(exc), field="command")
    if not isinstance(wish, Wish) or isinstance(wish, NOT_PROPOSED):
        return invalid(f"{wish.TYPE} cannot be proposed.", field="command")
    if wish.load_balancer_id != command.load_balancer_id:
        return invalid("The wish that is proposed is for another load balancer.", field="load_balancer_id")
    return wish


def propose(
    command: commands.Propose, wish: Wish, state: LoadBalancerState, now: datetime, *, decide: Decide
) -> Decision:
    """
    Hold a wish that is allowed; nothing where it is true already, and the driver need not be asked.

    One that is open can be proposed again, in other words: with the addresses that a driver has made meanwhile.
    """
    refusal = _refuse_to_ask(command, wish, state)
    if refusal is not None:
        return refusal
    if command.proposal_id == state.settled or _is_open(command, state):
        return []
    balancer = wish.load_balancer if isinstance(wish, commands.CreateLoadBalancer) else state.load_balancer
    state = replace(state, proposal=None)
    decision = decide(wish, state, now)
    if isinstance(decision, Rejected) or not decision or balancer is None:
        return decision
    refusal = _refuse_while_undone(command, state) or _refuse_while_busy(wish, state)
    if refusal is not None:
        return refusal
    held, grown = state.holdings(), fold(state, decision).holdings()
    growth = {resource: more for resource, count in grown.items() if (more := count - held.get(resource, 0)) > 0}
    return [_proposed(command, wish, balancer, growth=growth, now=now, is_new=state.load_balancer is None)]


def _refuse_to_ask(command: commands.Propose, wish: Wish, state: LoadBalancerState) -> Rejected | None:
    if state.proposal is not None and state.proposal.id != command.proposal_id:
        return Rejected(reason=Reason.IMMUTABLE, detail=_is_asked(command, state.proposal))
    if command.proposal_id in state.lapsed:
        return conflict(_has_lapsed(command.proposal_id), field="proposal_id")
    if not 0 < command.timeout_s <= TIMEOUT_MOST_S:
        return invalid(f"timeout_s must be above 0 and at most {TIMEOUT_MOST_S:.0f}.", field="timeout_s")
    balancer = wish.load_balancer if isinstance(wish, commands.CreateLoadBalancer) else state.load_balancer
    if balancer is not None and is_ours(balancer.provider):
        return invalid(f"Provider '{balancer.provider}' is Actium's own, which is not asked: wish directly.")
    return None


def _is_open(command: commands.Propose, state: LoadBalancerState) -> bool:
    return state.proposal is not None and state.proposal.command == command.command


def _is_asked(command: commands.Propose, proposal: Proposal) -> str:
    about = f"provider '{proposal.provider}' is being asked about another change"
    return f"Load balancer {command.load_balancer_id} is immutable and cannot be updated: {about}."


def _proposed(
    command: commands.Propose,
    wish: Wish,
    balancer: LoadBalancer,
    *,
    growth: Mapping[str, int],
    now: datetime,
    is_new: bool,
) -> events.ChangeProposed:
    return events.ChangeProposed(
        load_balancer_id=command.load_balancer_id,
        proposal_id=command.proposal_id,
        provider=balancer.provider,
        project_id=balancer.project_id,
        command=CODEC.pack(wish),
        deadline_at=now + timedelta(seconds=command.timeout_s),
        growth=growth,
        flavor_id=balancer.flavor_id if is_new else None,
        availability_zone=balancer.availability_zone if is_new else None,
    )


def _refuse_while_undone(command: commands.Propose, state: LoadBalancerState) -> Rejected | None:
    """Refuse what would be made and taken away at once; changes of what is there are told apart by whoever undoes."""
    if state.load_balancer is not None or not state.lapsed:
        return None
    detail = (
        f"Load balancer {command.load_balancer_id} is immutable: what its driver made of it before is being undone."
    )
    return Rejected(reason=Reason.IMMUTABLE, detail=detail)


def _refuse_while_busy(wish: Wish, state: LoadBalancerState) -> Rejected | None:
    """Keep upstream's lock, but not where nobody works on it: an ERROR that only we speak of can be changed away."""
    lb_id = wish.load_balancer_id
    if not state.pending and state.reported.provisioning.get(lb_id) != ERROR:
        return None
    return refuse_while_busy(wish, state)


def settle(command: commands.SettleProposal, state: LoadBalancerState, now: datetime, *, decide: Decide) -> Decision:
    """Make a wish count that the driver has taken, or forget it; what the driver said meanwhile counts from now on."""
    proposal = state.proposal
    if command.proposal_id in state.lapsed:
        return conflict(_has_lapsed(command.proposal_id), field="proposal_id") if command.accepted else [_no(command)]
    if proposal is None or proposal.id != command.proposal_id:
        known = command.proposal_id == state.settled
        return [] if known else conflict(f"Proposal {command.proposal_id} is not open.", field="proposal_id")
    happened: Decision = [_no(command)]
    if command.accepted:
        happened = _accept(proposal, state, now, decide=decide)
    if isinstance(happened, Rejected):
        return happened
    return [*happened, *reports.record(command.load_balancer_id, proposal.reported, fold(state, happened))]


def _no(command: commands.SettleProposal) -> events.ProposalSettled:
    return events.ProposalSettled(
        load_balancer_id=command.load_balancer_id,
        proposal_id=command.proposal_id,
        accepted=False,
        reason=command.reason,
    )


def _accept(proposal: Proposal, state: LoadBalancerState, now: datetime, *, decide: Decide) -> Decision:
    wish = CODEC.unpack(proposal.command)
    assert isinstance(wish, Wish)
    if isinstance(wish, commands.CreateLoadBalancer) and not wish.load_balancer.vip.address:
        return conflict(f"Proposal {proposal.id} has no address yet.", field="proposal_id")
    decision = decide(wish, replace(state, proposal=None), now)
    if isinstance(decision, Rejected):
        return decision
    accepted = events.ProposalSettled(
        load_balancer_id=proposal.load_balancer_id,
        proposal_id=proposal.id,
        accepted=True,
        # A deletion has its own time.
        report_by=None if isinstance(wish, commands.DeleteLoadBalancer) else now + timedelta(seconds=REPORT_S),
    )
    return [accepted, *decision]


def _has_lapsed(proposal_id: str) -> str:
    return f"Proposal {proposal_id} has lapsed: what the driver made of it is undone."


def lapse(state: LoadBalancerState, now: datetime) -> list[LoadBalancerEvent]:
    """Give what follows when nobody told in time what the driver answered, or the driver did not report in time."""
    proposal = state.proposal
    if proposal is not None and proposal.deadline_at <= now:
        return _lapse(proposal, state)
    if state.load_balancer is not None and state.reported.due_at is not None and state.reported.due_at <= now:
        why = f"provider '{state.load_balancer.provider}' has not reported within {REPORT_S:.0f} s"
        return [_failed(state.load_balancer.id, state, why)]
    return []


def _lapse(proposal: Proposal, state: LoadBalancerState) -> list[LoadBalancerEvent]:
    what = f"{proposal.command.type} was proposed to provider '{proposal.provider}', and its answer is not known"
    lb_id = proposal.load_balancer_id
    happened: list[LoadBalancerEvent] = [
        events.ProposalLapsed(load_balancer_id=lb_id, proposal_id=proposal.id, reason=what)
    ]
    happened += reports.record(lb_id, proposal.reported, fold(state, happened))
    after = fold(state, happened)
    if after.load_balancer is None or after.withdrawn:
        return happened
    return [*happened, _failed(lb_id, after, what)]


def _failed(lb_id: LoadBalancerId, state: LoadBalancerState, reason: str) -> events.ProviderFailed:
    return events.ProviderFailed(load_balancer_id=lb_id, generation=state.generation, reason=reason)
