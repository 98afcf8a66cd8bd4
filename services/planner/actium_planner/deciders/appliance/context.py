"""What decisions about an appliance may look at besides it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.ids import LoadBalancerId

Wishes = Mapping[LoadBalancerId, LoadBalancerState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, and what is used where a flavor is silent."""

    boot_s: float = 60.0
    bundle_s: float = 60.0
    retry_s: float = 30.0
    image_tag: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The newest wishes of the appliance's load balancers, the time, the limits."""

    wishes: Wishes
    now: datetime
    limits: Limits
