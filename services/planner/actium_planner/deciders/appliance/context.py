"""What decisions about an appliance may look at besides it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.ids import AmphoraId, LoadBalancerId, SparesId

DOUBLINGS_MOST = 5
"""The pause between tries grows from `retry_s` to this many doublings of it."""

Wishes = Mapping[LoadBalancerId, LoadBalancerState]

ReadySpare = Callable[[SparesId, tuple[str, ...], str], AmphoraId | None]
"""Gives the spare that a pool would hand out that is not on one of these hosts and runs this image, if it has any."""


def no_spares(_spares_id: SparesId, _avoid_hosts: tuple[str, ...], _image_tag: str) -> AmphoraId | None:
    """Give none: there are no pools."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How long things may take, and what is used where a flavor is silent.

    `steady_s`: one that has served for that long does not count when it is lost. `yield_s`: for a master
    to let its partner take over. `split_s`: so long two may both say that they are master. `drain_s`: so long requests to
    members that are gone may take.
    """

    boot_s: float = 60.0
    bundle_s: float = 60.0
    retry_s: float = 30.0
    steady_s: float = 300.0
    yield_s: float = 10.0
    split_s: float = 3.0
    drain_s: float = 30.0
    image_tag: str = "default"
    topology: str = "SINGLE"
    advert_interval_ms: int = 100
    spare_pool_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """
    The newest wishes of the appliance's load balancers, the time, the limits, and who has spares.

    `shunned_hosts` are those on which none of its amphorae may be, for the sake of other load balancers.
    """

    wishes: Wishes
    now: datetime
    limits: Limits
    spares: ReadySpare = no_spares
    shunned_hosts: tuple[str, ...] = ()
