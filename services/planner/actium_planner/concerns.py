"""Who may follow a commit, before it is handled: what decides which commits are handled side by side."""

from collections.abc import Sequence

from actium_planner.placing import Placing
from actium_planner.pools import Pools
from actium_planner.states import States
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import AmphoraEvent
from actium_shared.events.appliance import (
    BundleApplied,
    BundleCut,
    BundleFailed,
    ExchangeFailed,
    LoadBalancerReleased,
    SpareSought,
)
from actium_shared.events.health import AmphoraLost, AmphoraRoleChanged
from actium_shared.events.network import PortFailed, PortsSettled, RoutesFailed, RoutesSettled, VipReleased
from actium_shared.events.secret import SecretStored
from actium_shared.ids import ApplianceId, LoadBalancerId
from actium_shared.message import Event

LOAD_BALANCER = "loadbalancer"
APPLIANCE = "appliance"

AboutAmphora = AmphoraEvent | AmphoraLost | AmphoraRoleChanged | PortFailed | PortsSettled


class Concerns:
    """
    Knows by the states whom a commit concerns: whoever may be told of it when its turn comes, whatever happens until then.

    Asks, deadlines and the other feeds go on meanwhile, and what fails is handled again later.
    """

    def __init__(self, states: States, placing: Placing, pools: Pools) -> None:
        self._states, self._placing, self._pools = states, placing, pools

    def of_own(self, recorded: Recorded) -> frozenset[str] | None:
        """Give who may follow a commit of the planner's; rollouts look at all that is, and a pool serves many."""
        if self._states.active_rollouts:
            return None
        if recorded.aggregate == LOAD_BALANCER:
            return self._of_load_balancer(LoadBalancerId(recorded.aggregate_id))
        events = recorded.commit.events
        if recorded.aggregate == APPLIANCE and not any(isinstance(event, SpareSought) for event in events):
            return frozenset(load_balancers_told(events))
        return None

    def _of_load_balancer(self, lb_id: LoadBalancerId) -> frozenset[str] | None:
        state = self._states.load_balancers.state(lb_id)
        return None if self._pools.lack_one_for(state) else self._placing.only_places(lb_id, state)

    def of_foreign(self, recorded: Recorded) -> frozenset[str] | None:
        """
        Give who may follow what others tell.

        A pool may have handed an amphora on before it is followed, and a secret is for whoever has been refused by then.
        An amphora that is cleared away meanwhile is again whose it was when it was booted. Whom tags keep off others' hosts
        has its project in common with them: nobody joins one before it is known whether another has.
        """
        events = recorded.commit.events
        told = self.told(events)
        if any(isinstance(event, SecretStored) for event in events) or any(map(self._pools.is_pool, told)):
            return None
        booted_for = {event.appliance_id for event in _of_amphorae(events)}
        carried = [lb_id for each in told for lb_id in self._states.appliances.state(each).load_balancers]
        return frozenset({*told, *booted_for, *vips_released(events), *self._placing.apart_in(carried)})

    def told(self, events: Sequence[Event]) -> set[ApplianceId]:
        """Give the appliances, or pools, that foreign events tell something: whoever has the amphora now."""
        routed = {event.appliance_id for event in events if isinstance(event, RoutesSettled | RoutesFailed)}
        wanting = self._states.fleet.refusing if any(isinstance(event, SecretStored) for event in events) else set()
        having = {
            self._states.fleet.appliance_of(each.amphora_id) or each.appliance_id for each in _of_amphorae(events)
        }
        return routed | wanting | having


def _of_amphorae(events: Sequence[Event]) -> list[AboutAmphora]:
    return [event for event in events if isinstance(event, AboutAmphora)]


def vips_released(events: Sequence[Event]) -> list[LoadBalancerId]:
    """Give the load balancers whose addresses are given up."""
    return [event.load_balancer_id for event in events if isinstance(event, VipReleased)]


def load_balancers_told(events: Sequence[Event]) -> set[LoadBalancerId]:
    """Give the load balancers that an appliance's events tell something."""
    told: set[LoadBalancerId] = set()
    for event in events:
        if isinstance(event, BundleCut | BundleApplied | BundleFailed | ExchangeFailed):
            told |= set(event.holds)
        elif isinstance(event, LoadBalancerReleased):
            told.add(event.load_balancer_id)
    return told
