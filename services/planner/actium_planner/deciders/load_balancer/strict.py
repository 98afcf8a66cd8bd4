"""
Upstream's answer to a change while a load balancer is pending or in ERROR, for sites that want it.

It stands behind the other checks, as upstream's does: what is not found or not valid is called so first, and a wish that
is true already is no change.
"""

from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_shared.commands import planner as commands
from actium_shared.message import Reason, Rejected

ERROR = "ERROR"
ALLOWED_IN_ERROR = (commands.DeleteLoadBalancer, commands.FailOverLoadBalancer)


def refuse_while_busy(command: commands.LoadBalancerCommand, state: LoadBalancerState) -> Rejected | None:
    """Give the refusal, or nothing when the load balancer stands still; one in ERROR can be deleted or failed over."""
    status = _busy_status(state)
    if status is None:
        return None
    if isinstance(command, ALLOWED_IN_ERROR) and status == ERROR:
        return None
    lb_id = command.load_balancer_id
    if isinstance(command, (commands.UpdateLoadBalancer, *ALLOWED_IN_ERROR)):
        detail = f"Load balancer {lb_id} is in state {status}, which does not allow this."
    else:
        detail = f"Load balancer {lb_id} is immutable and cannot be updated: it is in state {status}."
    return Rejected(reason=Reason.IMMUTABLE, detail=detail)


def _busy_status(state: LoadBalancerState) -> str | None:
    """Give the provisioning status where it is neither ACTIVE nor that of a load balancer to be."""
    if state.load_balancer is None:
        return None
    if state.pending:
        return "PENDING_UPDATE" if state.ended or state.failed else "PENDING_CREATE"
    return ERROR if state.failed else None
