"""
The catalogue: flavors, availability zones and their profiles, one aggregate; and what a load balancer takes from it. Pure.

A load balancer copies what its flavor and zone say when it is created: later changes do not touch it.
"""

from actium_planner.deciders.catalogue.choose import furnish
from actium_planner.deciders.catalogue.decide import InUse, decide
from actium_planner.deciders.catalogue.state import CatalogueState, evolve, fold

__all__ = ["CatalogueState", "InUse", "decide", "evolve", "fold", "furnish"]
