"""
A project: how much it may have, and whether a wish fits into that. Pure.

How much it has is counted from the load balancers' states, not recorded: see `actium_planner.usage`.
"""

from actium_planner.deciders.project.decide import decide
from actium_planner.deciders.project.holdings import Holdings, growth, holdings
from actium_planner.deciders.project.quota import refusal
from actium_planner.deciders.project.state import ProjectState, evolve, fold

__all__ = ["Holdings", "ProjectState", "decide", "evolve", "fold", "growth", "holdings", "refusal"]
