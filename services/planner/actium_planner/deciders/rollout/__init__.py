"""
A rollout: amphorae of an image, certificate or age replaced in waves, never two of one appliance at once. Pure.

It is reconciled with the fleet, as appliances are with theirs: what is replaced, what is next and whether it is over is
seen in what there is (`advance`), whatever led there. How one amphora is replaced is its appliance's own matter.
"""

from actium_planner.deciders.rollout.decide import Context, Refusals, advance, deadlines, decide
from actium_planner.deciders.rollout.selection import Running, overlap, wanted
from actium_planner.deciders.rollout.state import RolloutState, Status, UnderWay, evolve, fold

__all__ = [
    "Context",
    "Refusals",
    "RolloutState",
    "Running",
    "Status",
    "UnderWay",
    "advance",
    "deadlines",
    "decide",
    "evolve",
    "fold",
    "overlap",
    "wanted",
]
