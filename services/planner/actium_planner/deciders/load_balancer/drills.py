"""What drills have measured, for the log: nothing follows from it."""

from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation.refusals import invalid, missing
from actium_shared.commands.planner import RecordDrill
from actium_shared.events.load_balancer import LoadBalancerDrilled

KINDS = ("planned", "kill")


def record(command: RecordDrill, state: LoadBalancerState) -> Decision:
    """Record it as it was measured, whatever has become of the load balancer meanwhile, as long as it is there."""
    if state.load_balancer is None:
        return missing("Load balancer", command.load_balancer_id)
    if command.kind not in KINDS:
        return invalid(f"kind must be one of {', '.join(KINDS)}, and is '{command.kind}'.", field="kind")
    if min(command.gap_ms, command.probes, command.failed, command.interval_ms) < 0:
        return invalid("gap_ms, probes, failed and interval_ms must not be less than 0.")
    return [
        LoadBalancerDrilled(
            load_balancer_id=command.load_balancer_id,
            kind=command.kind,
            gap_ms=command.gap_ms,
            probes=command.probes,
            failed=command.failed,
            interval_ms=command.interval_ms,
        )
    ]
