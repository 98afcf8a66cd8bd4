"""
Routes to the VIPs of an appliance with a routed front end: what it wishes for, what stands, and what follows from either. Pure.

A route leads to a VIP before a bundle serves it, and as long as the appliance has the load balancer.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from actium_planner.deciders.appliance.state import ApplianceState
from actium_shared.events import appliance as events
from actium_shared.events.appliance import ApplianceEvent
from actium_shared.events.network import RoutesFailed, RoutesSettled
from actium_shared.ids import LoadBalancerId


def wish_anew(state: ApplianceState) -> ApplianceState:
    """Give the state with a new wish: its load balancers have changed, or the last wish came to nothing."""
    if not state.is_routed:
        return state
    return replace(state, routing=replace(state.routing, wished=state.routing.wished + 1))


def try_again(state: ApplianceState) -> ApplianceState:
    """Give the state with a new wish where the last came to nothing."""
    came_to_nothing = state.is_routed and state.routing.missing == state.routing.wished
    return wish_anew(state) if came_to_nothing else state


def evolve(state: ApplianceState, event: events.RoutesLaid | events.RoutesMissing) -> ApplianceState:
    """Give the state after what the network says of routes; a bundle that waited for them knows where they lead."""
    if isinstance(event, events.RoutesMissing):
        return replace(state, routing=replace(state.routing, missing=event.revision))
    led = frozenset(state.load_balancers) if event.revision == state.routing.wished else state.routing.led
    routing = replace(state.routing, laid=event.revision, addresses=event.routing_addresses, led=led)
    bundle = state.bundle
    if bundle.routing is None and bundle.routes <= event.revision:
        bundle = replace(bundle, routing=routing.addresses)
    return replace(state, routing=routing, bundle=bundle)


def laid(trigger: RoutesSettled, state: ApplianceState) -> Sequence[ApplianceEvent]:
    """Note which routes stand."""
    assert state.id is not None
    if not state.routing.laid < trigger.revision <= state.routing.wished:
        return []
    addresses = tuple(f"{each.address}/{each.prefix_length}" for each in trigger.routing_addresses)
    return [events.RoutesLaid(appliance_id=state.id, revision=trigger.revision, routing_addresses=addresses)]


def missing(trigger: RoutesFailed, state: ApplianceState) -> Sequence[ApplianceEvent]:
    """Note that the newest routes cannot be had."""
    assert state.id is not None
    routing = state.routing
    if trigger.revision != routing.wished or trigger.revision <= max(routing.laid, routing.missing):
        return []
    return [events.RoutesMissing(appliance_id=state.id, revision=trigger.revision, reason=trigger.reason)]


def for_bundle(state: ApplianceState, held: Iterable[LoadBalancerId]) -> tuple[str, ...] | None:
    """Give where the VIPs of these are led to, nothing while that of one is not."""
    routing = state.routing
    return routing.addresses if routing.settled or routing.led.issuperset(held) else None


def not_led(state: ApplianceState) -> list[LoadBalancerId]:
    """Give those in the newest bundle whose VIPs are not routed."""
    return [lb_id for lb_id in state.bundle.holds if lb_id not in state.routing.led]


def lead_elsewhere(state: ApplianceState) -> bool:
    """Say whether the bundle knows other addresses than VIPs are routed to now."""
    known, routing = state.bundle.routing, state.routing
    return state.is_routed and known is not None and routing.settled and known != routing.addresses
