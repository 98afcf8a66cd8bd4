"""Which module decides on a wish about a child."""

from actium_planner.deciders.load_balancer import health_monitors, l7_policies, l7_rules, listeners, members, pools
from actium_planner.deciders.load_balancer.decision import Decision
from actium_planner.deciders.load_balancer.state import LoadBalancerState
from actium_planner.validation.refusals import unsupported
from actium_shared.commands import planner as commands


def decide(command: commands.LoadBalancerCommand, state: LoadBalancerState) -> Decision:
    """Give what happens to a child of a load balancer that is there to stay."""
    match command:
        case commands.CreateListener() | commands.UpdateListener() | commands.DeleteListener():
            return listeners.decide(command, state)
        case commands.CreatePool() | commands.UpdatePool() | commands.DeletePool():
            return pools.decide(command, state)
        case commands.CreateMember() | commands.UpdateMember() | commands.DeleteMember() | commands.ReplaceMembers():
            return members.decide(command, state)
        case commands.CreateHealthMonitor() | commands.UpdateHealthMonitor() | commands.DeleteHealthMonitor():
            return health_monitors.decide(command, state)
        case commands.CreateL7Policy() | commands.UpdateL7Policy() | commands.DeleteL7Policy():
            return l7_policies.decide(command, state)
        case commands.CreateL7Rule() | commands.UpdateL7Rule() | commands.DeleteL7Rule():
            return l7_rules.decide(command, state)
        case _:
            return unsupported(f"This planner does not know {command.TYPE}: it is older than who asks.")
