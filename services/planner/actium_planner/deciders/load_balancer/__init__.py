"""
The load balancer with all its children: is a wish allowed, and what becomes of it. Pure.

A load balancer is not a lock: a wish made while another is on its way is decided against the newest wish and joins the
next round; only what another vendor's driver serves is locked while it is asked (`proposals`). Only a load balancer that is being deleted refuses, or each that is pending where the site is strict.
"""

from actium_planner.deciders.load_balancer.decide import decide
from actium_planner.deciders.load_balancer.evolve import evolve, fold
from actium_planner.deciders.load_balancer.follow import deadlines, follow, lapse
from actium_planner.deciders.load_balancer.proposals import unpacked
from actium_planner.deciders.load_balancer.state import L7PolicyState, LoadBalancerState, PoolState

__all__ = [
    "L7PolicyState",
    "LoadBalancerState",
    "PoolState",
    "deadlines",
    "decide",
    "evolve",
    "fold",
    "follow",
    "lapse",
    "unpacked",
]
