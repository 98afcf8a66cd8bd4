"""All events that can happen, one module per noun; `EVENTS` is the catalogue."""

from actium_shared.events import (
    amphora,
    appliance,
    authority,
    catalogue,
    dead_letter,
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
    *authority.EVENTS,
    *network.EVENTS,
    *health.EVENTS,
    *dead_letter.EVENTS,
)
