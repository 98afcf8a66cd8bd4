"""Ports end to end: ordered, made in the world, told on the log in one commit, kept, rebuilt."""

import asyncio
from collections.abc import Mapping

import sqlalchemy as sa

from actium_network.read_model.tables import METADATA
from actium_shared.commands.network import PortWish, ReleaseVip, SettlePorts
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.network import PortCreated, PortDeleted, PortFailed, PortsSettled, PortStrayRemoved
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, SubnetId
from actium_shared.message import CommandCause, Event
from integration.network.conftest import DEADLINE_S, Bench
from integration.network.test_vips import created, reservation, reserve

AMPHORA = AmphoraId("amphora")
APPLIANCE = ApplianceId("appliance")
BOTH = (("management", None), ("front", "subnet-public"))


def settle(*ports: tuple[str, str | None], revision: int = 1, amphora_id: str = AMPHORA) -> SettlePorts:
    return SettlePorts(
        amphora_id=AmphoraId(amphora_id),
        appliance_id=APPLIANCE,
        revision=revision,
        ports=tuple(PortWish(id=PortId(name), subnet_id=SubnetId(of) if of else None) for name, of in ports),
    )


def settled(revision: int, amphora_id: str = AMPHORA) -> PortsSettled:
    return PortsSettled(amphora_id=AmphoraId(amphora_id), appliance_id=APPLIANCE, revision=revision)


async def settle_now(bench: Bench, order: SettlePorts) -> list[Event]:
    await bench.order(order)
    return await bench.wait_for(settled(order.revision, order.amphora_id), "port", order.amphora_id)


def kinds(events: list[Event]) -> list[str]:
    return [event.TYPE for event in events]


async def test_ports_are_made_and_told_in_one_commit_with_the_order_as_its_cause(bench: Bench) -> None:
    await settle_now(bench, settle(*BOTH))
    (item,) = await bench.log("port", AMPHORA)
    management, front, end = item.commit.events
    assert isinstance(management, PortCreated)
    assert isinstance(front, PortCreated)
    assert (management.port.network_id, management.port.address) == ("network-mgmt", "10.250.1.0")
    assert (front.port.id, front.port.address, front.port.gateway) == ("front", "203.0.113.100", "203.0.113.1")
    assert end == settled(1)
    assert item.commit.cause == CommandCause(command=settle(*BOTH))
    assert set(await bench.fabric.ports()) == {"management", "front"}


async def test_a_newer_order_changes_only_what_differs(bench: Bench) -> None:
    await settle_now(bench, settle(*BOTH))
    events = await settle_now(bench, settle(BOTH[0], ("back", "subnet-small"), revision=2))
    assert kinds(events[3:]) == ["port.created", "port.deleted", "port.settled"]
    assert set(await bench.fabric.ports()) == {"management", "back"}
    events = await settle_now(bench, settle(revision=3))
    assert kinds(events[6:]) == ["port.deleted", "port.deleted", "port.settled"]
    assert await bench.fabric.ports() == []


async def test_old_and_repeated_orders_change_nothing(bench: Bench) -> None:
    before = await settle_now(bench, settle(*BOTH, revision=5))
    await bench.order(settle(revision=4))
    await bench.order(settle(BOTH[0], revision=5))
    await settle_now(bench, settle(BOTH[0], revision=1, amphora_id="another"))
    assert await bench.events("port", AMPHORA) == before
    assert set(await bench.fabric.ports()) == {"management", "front"}


async def test_an_order_that_comes_while_another_is_worked_on_is_answered_after_it(bench: Bench) -> None:
    bench.fabric.hold = asyncio.Event()
    await bench.order(settle(BOTH[0]))
    await bench.order(settle(*BOTH, revision=2))
    bench.fabric.hold.set()
    events = await bench.wait_for(settled(2), "port", AMPHORA)
    assert kinds(events).count("port.created") == 2


async def test_a_full_subnet_fails_that_port_alone(bench: Bench) -> None:
    await settle_now(bench, settle(("first", "subnet-small")))
    events = await settle_now(bench, settle(BOTH[0], ("second", "subnet-small"), amphora_id="late"))
    assert kinds(events) == ["port.created", "port.failed", "port.settled"]
    assert isinstance(events[1], PortFailed)
    assert events[1].reason == "out of addresses in subnet small (subnet-small)"


async def test_a_world_that_does_not_answer_is_asked_again_and_then_given_up(bench: Bench) -> None:
    bench.fabric.failures = [RetryableError("busy")] * 2
    assert kinds(await settle_now(bench, settle(BOTH[1]))) == ["port.created", "port.settled"]
    bench.fabric.failures = [RetryableError("busy")] * 3
    failed = await settle_now(bench, settle(BOTH[1], ("more", "subnet-public"), revision=2))
    assert kinds(failed[2:]) == ["port.failed", "port.settled"]
    healed = await settle_now(bench, settle(BOTH[1], ("more", "subnet-public"), revision=3))
    assert kinds(healed[4:]) == ["port.created", "port.settled"]


async def test_what_the_world_refuses_fails_at_once(bench: Bench) -> None:
    bench.fabric.failures = [PermanentError("makes no sense")]
    events = await settle_now(bench, settle(BOTH[1]))
    assert isinstance(events[0], PortFailed)
    assert events[0].reason == "makes no sense"
    assert kinds(await settle_now(bench, settle(revision=2)))[2:] == ["port.settled"]


async def test_ports_that_the_world_lost_are_made_again_and_unknown_ones_removed(bench: Bench) -> None:
    before = await settle_now(bench, settle(*BOTH))
    await bench.stop()
    (bench.fabric.folder / "front").unlink()
    (bench.fabric.folder / "nobodys").write_text("")
    await bench.start()
    assert set(await bench.fabric.ports()) == {"management", "front"}
    assert (bench.fabric.folder / "front").read_text() == "203.0.113.100"
    assert await bench.events("port", AMPHORA) == before
    assert await bench.events("port", "nobodys") == [PortStrayRemoved(port_id=PortId("nobodys"))]


def content(bench: Bench) -> Mapping[str, list[tuple[object, ...]]]:
    """Give all rows but the times at which something was asked for, which only the tables know."""
    engine = sa.create_engine(f"sqlite:///{bench.database}")
    with engine.connect() as connection:
        return {
            table.name: sorted(
                tuple(row)
                for row in connection.execute(sa.select(*(c for c in table.c if c.name != "asked_at_epoch_s")))
            )
            for table in METADATA.sorted_tables
        }


async def all_read(bench: Bench) -> None:
    """Wait until the service has read all that is on the log."""
    ends = {stream: await bench.planner.last_sequence(stream) for stream in ("EVENTS_NETWORK", "EVENTS_PLANNER")}
    async with asyncio.timeout(DEADLINE_S):
        while (await bench.api.ask_status("network"))["positions"] != ends:
            await asyncio.sleep(0.01)


async def test_deleted_tables_come_back_equal(bench: Bench) -> None:
    kept = await reservation(bench, reserve())
    await bench.tell(created(kept.vip), load_balancer_id="web")
    await reservation(bench, reserve("gone"))
    await bench.order(ReleaseVip(load_balancer_id=LoadBalancerId("gone")))
    await settle_now(bench, settle(*BOTH, ("bad", "nowhere")))
    await settle_now(bench, settle(BOTH[0], ("back", "subnet-small"), revision=2))
    await all_read(bench)
    await bench.stop()
    before = content(bench)
    for path in bench.folder.glob("network.sqlite*"):
        path.unlink()
    await bench.start()
    await all_read(bench)
    await bench.stop()
    assert content(bench) == before
    assert before["vips"]
    assert before["ports"]
    assert PortDeleted in {type(event) for event in await bench.events("port", AMPHORA)}
