"""Events to rows, promises beside them, and the schema's history."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from actium_network import migrations
from actium_network.read_model import queries
from actium_network.read_model.projections import project
from actium_network.read_model.tables import METADATA, POSITIONS
from actium_shared import migrations as shared_migrations
from actium_shared.codec import CODEC
from actium_shared.commands.network import SettlePorts
from actium_shared.commands.planner import CreateLoadBalancer, FailOverLoadBalancer
from actium_shared.event_store import Recorded
from actium_shared.events.load_balancer import (
    ChangeProposed,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    ProposalLapsed,
    ProposalSettled,
)
from actium_shared.events.network import (
    NetworkDiscovered,
    NetworkVanished,
    PortCreated,
    PortDeleted,
    PortFailed,
    PortsSettled,
    VipReleased,
)
from actium_shared.ids import PortId
from actium_shared.message import Command, Event
from actium_shared.read_model import Database, Positions, Projector
from actium_shared.wishes import LoadBalancer
from unit.network.builders import (
    AMPHORA,
    APPLIANCE,
    MANAGEMENT_PORT,
    NETWORKS,
    NOW,
    OTHER,
    PROJECT,
    PUBLIC,
    PUBLIC_SUBNET,
    VIP_PORT,
    WEB,
    port,
    recorded,
    reserved,
    settle,
    vip,
)

VIPS = f"evt.network.vip.{WEB}"
PORTS = f"evt.network.port.{AMPHORA}"
SETTLED = PortsSettled(amphora_id=AMPHORA, appliance_id=APPLIANCE, revision=1)


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database("sqlite:///:memory:")
    migrations.upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[sa.Connection]:
    with database.engine.begin() as connection:
        yield connection


def given(connection: sa.Connection, *commits: Recorded) -> None:
    for commit in commits:
        project(connection, commit)


def created(port_id: str, address: str) -> PortCreated:
    return PortCreated(
        amphora_id=AMPHORA, appliance_id=APPLIANCE, port=port(VIP_PORT if port_id == "v" else MANAGEMENT_PORT, address)
    )


def taken(connection: sa.Connection) -> Sequence[str]:
    space = queries.space(connection, kept={}, network_id=PUBLIC.id)
    pool = [f"203.0.113.{number}" for number in range(1, 255)]
    return [address for address in pool if space.is_taken(PUBLIC_SUBNET.id, address)]


def test_the_migrations_lead_to_the_tables_that_the_code_uses(connection: sa.Connection) -> None:
    assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrations.upgrade(database.engine)


@pytest.mark.parametrize("has_the_column", [False, True], ids=["as-landed", "as-it-was-for-a-while"])
def test_a_vip_of_the_first_schema_is_kept(tmp_path: Path, has_the_column: bool) -> None:
    database = Database(f"sqlite:///{tmp_path / 'network.sqlite'}")
    versions = Path(migrations.__file__).parent / "versions"
    shutil.copy(versions / "0001_first_tables.py", tmp_path)
    shared_migrations.upgrade(database.engine, tmp_path)
    of_then = "INSERT INTO vips (load_balancer_id, state, project_id, body, asked_at_epoch_s) VALUES (?, ?, ?, ?, ?)"
    with database.engine.begin() as connection:
        if has_the_column:
            connection.exec_driver_sql("ALTER TABLE vips ADD COLUMN additional BLOB")
        connection.exec_driver_sql(of_then, (WEB, "reserved", PROJECT, msgspec.msgpack.encode(vip()), NOW.timestamp()))
    migrations.upgrade(database.engine)
    with database.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        known = queries.reservation(connection, WEB)
    assert known is not None
    assert (known.vip, known.additional_vips) == (vip(), ())
    database.close()


def test_a_migration_that_is_broken_off_leaves_nothing_behind() -> None:
    database = Database("sqlite:///:memory:")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ports (stumble INTEGER)")
    with pytest.raises(sa.exc.OperationalError):
        migrations.upgrade(database.engine)
    with database.engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["ports"]
    database.close()


def test_a_network_is_found_by_its_subnet_until_it_vanishes(connection: sa.Connection) -> None:
    subject = f"evt.network.network.{PUBLIC.id}"
    given(connection, recorded(7, subject, NetworkDiscovered(network=PUBLIC)))
    kept = {PUBLIC_SUBNET.id: frozenset({"203.0.113.2"})}
    space = queries.space(connection, kept=kept, subnet_ids=[PUBLIC_SUBNET.id, None])
    assert space.networks == (PUBLIC,)
    assert [space.is_taken(PUBLIC_SUBNET.id, address) for address in ("203.0.113.2", "203.0.113.3")] == [True, False]
    assert queries.position_of(connection, PUBLIC.id).sequence == 7
    given(connection, recorded(8, subject, NetworkVanished(network_id=PUBLIC.id)))
    assert queries.space(connection, kept=kept, subnet_ids=[PUBLIC_SUBNET.id]).networks == ()


def test_management_is_found_without_being_named(connection: sa.Connection) -> None:
    given(
        connection,
        *(recorded(n, "evt.network.network.x", NetworkDiscovered(network=of)) for n, of in enumerate(NETWORKS)),
    )
    space = queries.space(connection, kept={}, management=True)
    assert [network.name for network in space.networks] == ["mgmt"]


def test_the_lowest_free_address_is_found_again_after_it_was_given_back(connection: sa.Connection) -> None:
    given(connection, recorded(1, "evt.network.network.x", NetworkDiscovered(network=PUBLIC)))
    for number in (100, 101):
        queries.take_address(connection, PUBLIC_SUBNET.id, f"203.0.113.{number}", port_id=PortId(f"port-{number}"))

    def lowest() -> str:
        return next(queries.space(connection, kept={}, network_id=PUBLIC.id).free(PUBLIC_SUBNET))

    assert [lowest(), lowest()] == ["203.0.113.102"] * 2
    queries.free_address(connection, PortId("port-101"))
    assert lowest() == "203.0.113.101"
    queries.take_address(connection, PUBLIC_SUBNET.id, "203.0.113.101", port_id=PortId("port-100"))  # has another now
    assert lowest() == "203.0.113.100"


def test_what_is_free_below_where_one_begins_to_look_is_found_in_the_end(connection: sa.Connection) -> None:
    """As after a transaction that was taken back."""
    given(connection, recorded(1, "evt.network.network.x", NetworkDiscovered(network=PUBLIC)))
    space = queries.space(connection, kept={}, network_id=PUBLIC.id)
    space.free_from[PUBLIC_SUBNET.id] = int(ip_address("203.0.113.102"))
    assert list(space.free(PUBLIC_SUBNET)) == ["203.0.113.102", "203.0.113.100", "203.0.113.101"]


def test_addresses_are_taken_from_promise_to_release(connection: sa.Connection) -> None:
    given(connection, recorded(1, "evt.network.network.x", NetworkDiscovered(network=PUBLIC)))
    queries.claim_vip(connection, WEB, [vip("203.0.113.100")], project_id=PROJECT, now=NOW)
    assert taken(connection) == ["203.0.113.100"]
    given(connection, recorded(2, VIPS, reserved("203.0.113.100")))
    given(connection, recorded(3, PORTS, created("v", "203.0.113.101")))
    assert taken(connection) == ["203.0.113.100", "203.0.113.101"]
    given(connection, recorded(4, VIPS, VipReleased(load_balancer_id=WEB, reason="deleted")))
    given(connection, recorded(5, PORTS, PortDeleted(amphora_id=AMPHORA, appliance_id=APPLIANCE, port_id=VIP_PORT)))
    assert taken(connection) == []
    assert queries.sequence(connection, VIPS) == 4


def test_no_address_can_be_promised_twice(connection: sa.Connection) -> None:
    queries.claim_vip(connection, WEB, [vip("203.0.113.100")], project_id=PROJECT, now=NOW)
    with pytest.raises(sa.exc.IntegrityError):
        queries.claim_vip(
            connection, OTHER, [vip("203.0.113.100", load_balancer_id=OTHER)], project_id=PROJECT, now=NOW
        )


def test_a_lapsed_vip_is_as_if_it_had_never_been_and_a_deleted_one_is_not(connection: sa.Connection) -> None:
    given(
        connection, recorded(1, VIPS, reserved()), recorded(2, VIPS, VipReleased(load_balancer_id=WEB, reason="lapsed"))
    )
    assert queries.reservation(connection, WEB) is None
    given(connection, recorded(3, VIPS, VipReleased(load_balancer_id=WEB, reason="deleted")))
    known = queries.reservation(connection, WEB)
    assert known is not None
    assert (known.state, known.vip) == ("deleted", None)


def test_only_vips_without_load_balancer_lapse(connection: sa.Connection) -> None:
    def unclaimed(seconds: float) -> list[str]:
        due = queries.unclaimed_vips(connection, asked_before=NOW + timedelta(seconds=seconds))
        return [item.load_balancer_id for item in due]

    planner = f"evt.planner.loadbalancer.{WEB}"
    event = LoadBalancerCreated(
        load_balancer_id=WEB, generation=1, load_balancer=LoadBalancer(id=WEB, project_id=PROJECT, vip=vip())
    )
    given(connection, recorded(10, VIPS, reserved()))
    assert (unclaimed(9), unclaimed(10)) == ([], [WEB])
    queries.touch_vip(connection, WEB, now=NOW + timedelta(seconds=20))
    assert (unclaimed(19), unclaimed(20)) == ([], [WEB])
    given(connection, recorded(1, planner, event, stream="EVENTS_PLANNER"))
    assert unclaimed(1000) == []
    given(connection, recorded(2, planner, LoadBalancerDeleted(load_balancer_id=WEB), stream="EVENTS_PLANNER"))
    assert unclaimed(1000) == [WEB]


def test_the_vip_of_a_proposed_load_balancer_waits_for_its_driver(connection: sa.Connection) -> None:
    def is_unclaimed() -> bool:
        return bool(queries.unclaimed_vips(connection, asked_before=NOW + timedelta(seconds=1000)))

    def told(sequence: int, event: Event) -> None:
        given(connection, recorded(sequence, f"evt.planner.loadbalancer.{WEB}", event, stream="EVENTS_PLANNER"))

    def proposed(name: str, wish: Command) -> ChangeProposed:
        return ChangeProposed(
            load_balancer_id=WEB,
            proposal_id=name,
            provider="acme",
            project_id=PROJECT,
            command=CODEC.pack(wish),
            deadline_at=NOW,
        )

    balancer = LoadBalancer(id=WEB, project_id=PROJECT, vip=vip())
    create = CreateLoadBalancer(load_balancer_id=WEB, load_balancer=balancer)
    given(connection, recorded(1, VIPS, reserved()))
    told(1, proposed("one", create))
    told(2, ProposalLapsed(load_balancer_id=WEB, proposal_id="one", reason="slow"))
    assert not is_unclaimed()  # the driver may be using it until it is undone
    told(3, ProposalSettled(load_balancer_id=WEB, proposal_id="one", accepted=False))
    assert is_unclaimed()
    told(4, proposed("two", create))
    told(5, ProposalSettled(load_balancer_id=WEB, proposal_id="two", accepted=True))
    told(6, LoadBalancerCreated(load_balancer_id=WEB, generation=1, load_balancer=balancer))
    told(7, proposed("three", FailOverLoadBalancer(load_balancer_id=WEB)))
    told(8, ProposalSettled(load_balancer_id=WEB, proposal_id="three", accepted=False))
    assert not is_unclaimed()


def test_a_failed_port_is_remembered_until_a_settlement_does_not_name_it(connection: sa.Connection) -> None:
    failed = PortFailed(amphora_id=AMPHORA, appliance_id=APPLIANCE, port_id=VIP_PORT, reason="full")
    given(connection, recorded(1, PORTS, created("m", "203.0.113.100"), failed, SETTLED))
    rows = queries.ports_of(connection, AMPHORA)
    assert {key: row.state for key, row in rows.items()} == {MANAGEMENT_PORT: "created", VIP_PORT: "failed"}
    given(connection, recorded(2, PORTS, SETTLED))
    assert list(queries.ports_of(connection, AMPHORA)) == [MANAGEMENT_PORT]


def test_the_newest_order_waits_until_the_log_answers_it(connection: sa.Connection) -> None:
    def keep(revision: int) -> None:
        order = settle(revision=revision)
        queries.store_order(connection, order, number=revision, correlation_id="c", traceparent=None)

    def waiting() -> int | None:
        stored = queries.stored_order(connection, SettlePorts.TYPE, AMPHORA)
        return stored.order.revision if stored and isinstance(stored.order, SettlePorts) else None

    keep(2)
    keep(1)
    assert waiting() == 2
    given(connection, recorded(1, PORTS, SETTLED))
    assert waiting() == 2
    keep(3)
    assert queries.order_targets(connection, SettlePorts.TYPE) == [AMPHORA]
    given(connection, recorded(2, PORTS, PortsSettled(amphora_id=AMPHORA, appliance_id=APPLIANCE, revision=3)))
    assert waiting() is None
    assert queries.settled_revision(connection, AMPHORA) == 3


async def test_a_commit_that_comes_twice_is_applied_once(database: Database) -> None:
    positions = Positions(POSITIONS)
    projector = Projector(database, positions, project)
    first: Event = created("v", "203.0.113.100")
    gone = PortDeleted(amphora_id=AMPHORA, appliance_id=APPLIANCE, port_id=VIP_PORT)
    commits = [recorded(1, PORTS, first), recorded(2, PORTS, gone)]
    await projector.apply(commits)
    await projector.apply(commits[:1])
    assert positions.of("EVENTS_NETWORK") == 2
    assert await database.read(queries.all_ports) == []


async def test_rows_and_position_stand_or_fall_together(database: Database) -> None:
    positions = Positions(POSITIONS)
    projector = Projector(database, positions, project)
    await projector.apply([recorded(1, VIPS, reserved())])
    clash = recorded(2, f"evt.network.vip.{OTHER}", reserved(load_balancer_id=OTHER))
    with pytest.raises(sa.exc.IntegrityError):
        await projector.apply([clash])
    await positions.load(database)
    assert positions.of("EVENTS_NETWORK") == 1
    assert await database.read(lambda connection: queries.reservation(connection, OTHER)) is None
