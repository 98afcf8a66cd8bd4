"""Each service declares which events it reads: they exist, their owners' streams are fed to it, and no other is used."""

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from actium_shared import streams
from actium_shared.codec import CODEC
from actium_shared.events import (
    EVENTS,
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
from actium_shared.message import Event
from contract.catalogue import golden_file
from contract.samples import sample

SERVICES = Path(__file__).parents[2] / "services"
LOGGED = tuple(event for event in EVENTS if event not in dead_letter.EVENTS)
"""Operators' decisions on dead letters stand among the letters, on no service's log."""

DECLARED = {
    "api": "actium_api.read_model.projections",
    "planner": "actium_planner.handlers",
    "compute": "actium_compute.read_model.projections",
    "network": "actium_network.read_model.projections",
    "health": "actium_health.read_model.projections",
}
OWNERS: dict[ModuleType, str] = {
    load_balancer: "planner",
    appliance: "planner",
    spares: "planner",
    project: "planner",
    catalogue: "planner",
    rollout: "planner",
    amphora: "compute",
    secret: "compute",
    authority: "compute",
    network: "network",
    health: "health",
}
OWNER_OF = {event: owner for module, owner in OWNERS.items() for event in module.EVENTS}


def reads(service: str) -> tuple[type[Event], ...]:
    declared: tuple[type[Event], ...] = importlib.import_module(DECLARED[service]).READS
    return declared


@pytest.mark.parametrize("service", DECLARED)
def test_declared_reads_exist_and_are_fed(service: str) -> None:
    for event in reads(service):
        assert event in EVENTS
        assert OWNER_OF[event] in streams.FEEDS[service], event


@pytest.mark.parametrize(("service", "owner"), [("compute", "network"), ("network", "planner")])
def test_what_is_read_passes_the_feeds_filter(service: str, owner: str) -> None:
    """An event's type begins with the aggregate that it is stored under."""
    projections = importlib.import_module(DECLARED[service])
    passing: tuple[str, ...] = getattr(projections, f"{owner.upper()}_SUBJECTS")
    read = {event for event in reads(service) if OWNER_OF[event] == owner}
    assert read
    assert {streams.event_subjects(owner, event.TYPE.partition(".")[0]) for event in read} == set(passing)


@pytest.mark.parametrize("service", DECLARED)
def test_declared_reads_fit_what_was_ever_written(service: str) -> None:
    for event in reads(service):
        message = CODEC.decode(event.TYPE, event.VERSION, golden_file(event).read_bytes())
        assert type(message) is type(sample(event))


@pytest.mark.parametrize("service", DECLARED)
def test_no_foreign_event_is_used_undeclared(service: str) -> None:
    declared = {event.__name__ for event in reads(service)}
    foreign = {event.__name__ for event in LOGGED if OWNER_OF[event] != service}
    used = {
        alias.name
        for path in (SERVICES / service).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("actium_shared.events")
        for alias in node.names
    }
    assert used & foreign <= declared
