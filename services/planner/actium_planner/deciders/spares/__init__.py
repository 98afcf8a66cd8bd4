"""
A pool of spares: amphorae of one flavor and zone that run, carry nothing and wait to take a place. Pure.

It is kept full, spread over hosts, and trimmed; nobody else hands spares out. A pool exists where its size was ever above 0.
"""

from actium_planner.deciders.spares.decide import deadlines, decide, follow, is_as_wanted, lapse, resize
from actium_planner.deciders.spares.filling import Context, Limits
from actium_planner.deciders.spares.sizing import Sizing, pool_id, sizing
from actium_planner.deciders.spares.state import SparesState, SpareState, Stage, evolve, fold

__all__ = [
    "Context",
    "Limits",
    "Sizing",
    "SpareState",
    "SparesState",
    "Stage",
    "deadlines",
    "decide",
    "evolve",
    "fold",
    "follow",
    "is_as_wanted",
    "lapse",
    "pool_id",
    "resize",
    "sizing",
]
