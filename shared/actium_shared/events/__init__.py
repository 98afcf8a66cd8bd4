"""All events that can happen, one module per noun; `EVENTS` is the catalogue."""

from actium_shared.events import (
    amphora,
    appliance,
    catalogue,
    health,
    load_balancer,
    network,
    project,
    rollout,
    secret,
    spares,
)

EVENTS = (
    *load_balancer.EVENTS,
    *appliance.EVENTS,
    *spares.EVENTS,
    *project.EVENTS,
    *catalogue.EVENTS,
    *rollout.EVENTS,
    *amphora.EVENTS,
    *secret.EVENTS,
    *network.EVENTS,
    *health.EVENTS,
)
