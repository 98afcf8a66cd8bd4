"""What earlier releases wrote is still understood: by the planner, by every read model, and nothing in it is to be done again."""

from types import ModuleType

import pytest
import sqlalchemy as sa

from actium_api.read_model import tables as api_tables
from actium_compute.read_model import projections as compute_projections
from actium_compute.read_model import tables as compute_tables
from actium_health.read_model import projections as health_projections
from actium_health.read_model import tables as health_tables
from actium_network.read_model import projections as network_projections
from actium_network.read_model import tables as network_tables
from actium_planner.deciders.appliance import Limits
from actium_planner.plans import appliance as appliance_plans
from actium_planner.plans import load_balancer as load_balancer_plans
from actium_planner.states import STREAM, States
from actium_shared.event_store import Recorded
from replay.kept_logs import FOLDER, commits
from unit.api.given import ReadModel

FIRST = FOLDER / "2026-11-22.msgpack.gz"
"""Three load balancers that serve (cookies, TLS, L7, monitors; UDP over IPv6) and one that was deleted."""


@pytest.fixture(params=sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def log(request: pytest.FixtureRequest) -> list[Recorded]:
    return list(commits(request.param))


def planner(log: list[Recorded]) -> States:
    states = States()
    for recorded in log:
        if recorded.position.stream == STREAM:
            states.absorb(recorded)
    return states


def api(log: list[Recorded]) -> ReadModel:
    read_model = ReadModel()
    for recorded in log:
        read_model.take([recorded])
    return read_model


def names(read_model: ReadModel, table: sa.Table) -> dict[str, tuple[str, str]]:
    """Name, or else id, of each row, with its provisioning and operating status."""
    with read_model.database.engine.connect() as connection:
        shown = [read_model.show(table, row_id) for row_id in connection.scalars(sa.select(table.c.id))]
    return {one["name"] or one["id"]: (one["provisioning_status"], one["operating_status"]) for one in shown}


def test_nothing_that_was_done_is_asked_for_again(log: list[Recorded]) -> None:
    states = planner(log)
    assert any(held.state.load_balancers for _, held in states.appliances)
    for _, held in states.appliances:
        wishes = {lb_id: states.load_balancers.state(lb_id) for lb_id in held.state.load_balancers}
        assert not appliance_plans.plan(held.state, wishes, Limits()).orders
    for _, balancer in states.load_balancers:
        assert not load_balancer_plans.plan(balancer.state).orders


@pytest.mark.parametrize(
    ("tables", "projections"),
    [
        (compute_tables, compute_projections),
        (health_tables, health_projections),
        (network_tables, network_projections),
    ],
    ids=["compute", "health", "network"],
)
def test_every_read_model_takes_all_of_it(log: list[Recorded], tables: ModuleType, projections: ModuleType) -> None:
    engine = sa.create_engine("sqlite://")
    tables.METADATA.create_all(engine)
    with engine.begin() as connection:
        for recorded in log:
            projections.project(connection, recorded)
        filled = [table for table in tables.METADATA.tables.values() if connection.scalar(sa.select(sa.exists(table)))]
    assert filled


def test_the_first_log_says_what_its_world_showed() -> None:
    log = list(commits(FIRST))
    balancers = [held.state for _, held in planner(log).load_balancers]
    wishes = {state.load_balancer.name: state.generation for state in balancers if state.load_balancer}
    assert wishes == {"web": 9, "web2": 6, "six": 2}
    assert all(state.deleted or state.ended == state.generation for state in balancers)
    read_model = api(log)
    whole = ("ACTIVE", "ONLINE")
    assert names(read_model, api_tables.LOAD_BALANCERS) == dict.fromkeys(("web", "web2", "six"), whole)
    assert names(read_model, api_tables.LISTENERS) == dict.fromkeys(("http-web", "http-web2", "tls", "udp"), whole)
    assert list(names(read_model, api_tables.MEMBERS).values()) == [whole] * 4
    assert list(names(read_model, api_tables.L7_POLICIES)) == ["pol"]
