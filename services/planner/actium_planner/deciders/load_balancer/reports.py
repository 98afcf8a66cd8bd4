"""What another vendor's driver says of its objects: recorded where it is new, and what follows from it. Pure."""

from collections.abc import Iterable, Iterator

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.elsewhere import knows
from actium_planner.deciders.load_balancer.evolve import evolve
from actium_planner.deciders.load_balancer.state import LoadBalancerState, Proposal
from actium_planner.validation.refusals import conflict, invalid, missing
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Rejected
from actium_shared.proposals import DELETED, KINDS, OPERATING_STATUSES, PROVISIONING_STATUSES, ObjectStatus


def report(command: commands.ReportStatus, state: LoadBalancerState) -> Decision:
    """Take a report; while the driver is asked about a change it is kept, as it may speak of what does not count yet."""
    if state.load_balancer is None and state.proposal is None and not state.lapsed:
        return missing("Load balancer", command.load_balancer_id)
    if state.load_balancer is not None and state.is_ours:
        return conflict(f"Load balancer {command.load_balancer_id} is Actium's own: no other driver reports on it.")
    for status in command.statuses:
        refusal = _malformed(status) or _unheard_of(status, state)
        if refusal is not None:
            return refusal
    if state.proposal is not None:
        return _keep(command, state.proposal)
    return record(command.load_balancer_id, command.statuses, state)


def _keep(command: commands.ReportStatus, proposal: Proposal) -> list[LoadBalancerEvent]:
    """Keep what differs from what the driver said last of the same thing."""
    said = {status.id: status for status in proposal.reported}
    fresh = []
    for status in command.statuses:
        if said.get(status.id) != status:
            fresh.append(status)
            said[status.id] = status
    if not fresh:
        return []
    lb_id = command.load_balancer_id
    return [events.ReportKept(load_balancer_id=lb_id, proposal_id=proposal.id, statuses=tuple(fresh))]


def record(
    lb_id: LoadBalancerId, statuses: Iterable[ObjectStatus], state: LoadBalancerState
) -> list[LoadBalancerEvent]:
    """Give what a driver's words change; those of things that do not count, or no more, are passed over."""
    if state.load_balancer is None:
        return []
    fresh = tuple(_fresh(lb_id, statuses, state))
    if not fresh:
        return []
    happened: list[LoadBalancerEvent] = [events.StatusReported(load_balancer_id=lb_id, statuses=fresh)]
    gone = any(status.id == lb_id and status.provisioning_status == DELETED for status in fresh)
    if state.withdrawn or not gone:
        return happened
    if not state.deleting:  # it went by itself
        requested = events.LoadBalancerDeletionRequested(load_balancer_id=lb_id, generation=state.next_generation)
        happened = [requested, *happened]
    return [*happened, events.LoadBalancerWithdrawn(load_balancer_id=lb_id)]


def _fresh(lb_id: LoadBalancerId, statuses: Iterable[ObjectStatus], state: LoadBalancerState) -> Iterator[ObjectStatus]:
    """Give those that say something new after those before them."""
    for status in statuses:
        if _is_new(status, state):
            yield status
            state = evolve(state, events.StatusReported(load_balancer_id=lb_id, statuses=(status,)))


def _is_new(status: ObjectStatus, state: LoadBalancerState) -> bool:
    if not knows(state, status.id):
        return False
    if status.provisioning_status == DELETED:
        return True
    known = state.reported
    said = (known.provisioning.get(status.id), known.operating.get(status.id))
    return any(word not in (None, before) for word, before in zip(_words(status), said, strict=True))


def _words(status: ObjectStatus) -> tuple[str | None, str | None]:
    return status.provisioning_status, status.operating_status


def _malformed(status: ObjectStatus) -> Rejected | None:
    if status.kind not in KINDS:
        return invalid(f"kind must be one of {', '.join(KINDS)}, and is {status.kind}.", field="kind")
    for field, allowed in (
        ("provisioning_status", PROVISIONING_STATUSES),
        ("operating_status", OPERATING_STATUSES),
    ):
        word = getattr(status, field)
        if word is not None and word not in allowed:
            return invalid(f"{field} of {status.id} must be one of {', '.join(allowed)}, and is {word}.", field=field)
    return None


def _unheard_of(status: ObjectStatus, state: LoadBalancerState) -> Rejected | None:
    """What is gone is not missed; and what is or was proposed, the driver knows better than we do."""
    if state.proposal is not None or state.lapsed or status.provisioning_status == DELETED or knows(state, status.id):
        return None
    return missing(status.kind, status.id)
