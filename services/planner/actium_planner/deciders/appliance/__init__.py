"""
The appliance: the amphorae that act as one, the bundles that they run, and the load balancers that these hold. Pure.

A round is one bundle: it is cut when the one before it has ended, and holds the newest wish of every load balancer. Another
is cut when amphorae come and go, or addresses change hands.
"""

from actium_planner.deciders.appliance.context import Context, Limits, Wishes
from actium_planner.deciders.appliance.decide import deadlines, decide, follow, lapse, onward
from actium_planner.deciders.appliance.evolve import evolve, fold
from actium_planner.deciders.appliance.state import AmphoraState, ApplianceState, Outcome, Stage

__all__ = [
    "AmphoraState",
    "ApplianceState",
    "Context",
    "Limits",
    "Outcome",
    "Stage",
    "Wishes",
    "deadlines",
    "decide",
    "evolve",
    "fold",
    "follow",
    "lapse",
    "onward",
]
