"""
The appliance: the amphorae that act as one, the bundles that they run, and the load balancers that these hold. Pure.

A round is one bundle: it is cut when the one before it has ended, and holds the newest wish of every load balancer.
"""

from actium_planner.deciders.appliance.context import Context, Limits, Wishes
from actium_planner.deciders.appliance.decide import admit, deadlines, follow, follow_wishes, lapse
from actium_planner.deciders.appliance.membership import FINAL_REVISION
from actium_planner.deciders.appliance.state import (
    AmphoraState,
    ApplianceState,
    Outcome,
    Stage,
    evolve,
    fold,
)

__all__ = [
    "FINAL_REVISION",
    "AmphoraState",
    "ApplianceState",
    "Context",
    "Limits",
    "Outcome",
    "Stage",
    "Wishes",
    "admit",
    "deadlines",
    "evolve",
    "fold",
    "follow",
    "follow_wishes",
    "lapse",
]
