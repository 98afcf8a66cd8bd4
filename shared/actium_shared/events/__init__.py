"""All events that can happen, one module per noun; `EVENTS` is the catalogue."""

from actium_shared.events import amphora, appliance, health, load_balancer, network

EVENTS = (*load_balancer.EVENTS, *appliance.EVENTS, *amphora.EVENTS, *network.EVENTS, *health.EVENTS)
