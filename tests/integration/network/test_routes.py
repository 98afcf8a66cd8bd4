"""Routes end to end: ordered, made in the world, told on the log, kept, rebuilt; and VIPs that wait for their routes' end."""

import asyncio

import sqlalchemy as sa

from actium_network.ports import Routing
from actium_network.read_model.tables import METADATA
from actium_shared.commands.network import ReleaseVip, SettleRoutes
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.events.network import RoutesFailed, RoutesSettled, RoutingAddress
from actium_shared.ids import ApplianceId, NetworkId, PortId, SubnetId, derived_id
from actium_shared.message import Event, Rejected
from actium_shared.wishes import Vip
from integration.network.conftest import Bench
from integration.network.test_vips import WEB, created, released, reservation, reserve

APPLIANCE = ApplianceId("appliance")


def a_vip(address: str, *, subnet: str = "public") -> Vip:
    return Vip(
        address=address,
        prefix_length=24,
        port_id=PortId(f"vip-{address}"),
        subnet_id=SubnetId(f"subnet-{subnet}"),
        network_id=NetworkId(f"network-{subnet}"),
        gateway="203.0.113.1",
    )


def settle(*vips: Vip, revision: int = 1, appliance_id: str = APPLIANCE) -> SettleRoutes:
    return SettleRoutes(appliance_id=ApplianceId(appliance_id), revision=revision, vips=vips)


def routing_address(address: str, appliance_id: str = APPLIANCE) -> RoutingAddress:
    return RoutingAddress(
        address=address,
        prefix_length=24,
        port_id=PortId(derived_id("routing-address", appliance_id, "network-public", "4")),
        subnet_id=SubnetId("subnet-public"),
        network_id=NetworkId("network-public"),
    )


def settled(order: SettleRoutes, via: str | None = "203.0.113.100") -> RoutesSettled:
    addresses = () if via is None else (routing_address(via, order.appliance_id),)
    return RoutesSettled(
        appliance_id=order.appliance_id, revision=order.revision, vips=order.vips, routing_addresses=addresses
    )


def led(*addresses: str, via: str = "203.0.113.100") -> Routing:
    return Routing(network_id="network-public", via=via, addresses=addresses)


async def settle_now(bench: Bench, order: SettleRoutes, answer: Event | None = None) -> None:
    await bench.order(order)
    await bench.wait_for(answer or settled(order), "route", order.appliance_id)


ONE, TWO = a_vip("203.0.113.200"), a_vip("203.0.113.201")


async def test_vips_are_led_to_an_address_of_the_appliances_own(bench: Bench) -> None:
    await settle_now(bench, settle(ONE))
    assert await bench.fabric.routings() == [led(ONE.address)]
    await settle_now(bench, settle(ONE, TWO, revision=2))
    assert await bench.fabric.routings() == [led(ONE.address, TWO.address)]
    await settle_now(bench, settle(TWO, revision=3))
    assert await bench.fabric.routings() == [led(TWO.address)]


async def test_no_two_have_the_same_routing_address_and_the_last_vip_gives_it_back(bench: Bench) -> None:
    await settle_now(bench, settle(ONE))
    other = settle(TWO, appliance_id="other")
    await settle_now(bench, other, settled(other, "203.0.113.101"))
    assert (await reservation(bench, reserve("first"))).vip.address == "203.0.113.102"
    last = settle(revision=2)
    await settle_now(bench, last, settled(last, None))
    assert await bench.fabric.routings() == [led(TWO.address, via="203.0.113.101")]
    assert (await reservation(bench, reserve("second"))).vip.address == "203.0.113.100"


async def test_old_and_repeated_orders_change_nothing(bench: Bench) -> None:
    await settle_now(bench, settle(ONE, revision=5))
    await bench.order(settle(TWO, revision=4))
    await bench.order(settle(TWO, revision=5))
    await settle_now(bench, settle(ONE, revision=6))
    assert await bench.events("route", APPLIANCE) == [
        settled(settle(ONE, revision=5)),
        settled(settle(ONE, revision=6)),
    ]


async def test_what_cannot_be_routed_is_told_and_can_be_tried_again(bench: Bench) -> None:
    bench.fabric.failures.append(PermanentError("no router"))
    await settle_now(bench, settle(ONE), RoutesFailed(appliance_id=APPLIANCE, revision=1, reason="no router"))
    await settle_now(bench, settle(ONE, revision=2))
    assert await bench.fabric.routings() == [led(ONE.address)]


async def test_a_subnet_without_room_is_named(bench: Bench) -> None:
    full = a_vip("10.9.0.5", subnet="small")
    await settle_now(bench, settle(full), settled_small(full))
    reason = "out of addresses in subnet small (subnet-small)"
    failed = RoutesFailed(appliance_id=ApplianceId("other"), revision=1, reason=reason)
    await settle_now(bench, settle(full, appliance_id="other"), failed)


def settled_small(vip: Vip) -> RoutesSettled:
    port_id = PortId(derived_id("routing-address", APPLIANCE, "network-small", "4"))
    address = RoutingAddress(
        address="10.9.0.10",
        prefix_length=24,
        port_id=port_id,
        subnet_id=vip.subnet_id,
        network_id=vip.network_id,
    )
    return RoutesSettled(appliance_id=APPLIANCE, revision=1, vips=(vip,), routing_addresses=(address,))


async def test_a_world_that_does_not_answer_is_asked_again(bench: Bench) -> None:
    bench.fabric.failures += [RetryableError("busy"), RetryableError("busy")]
    await settle_now(bench, settle(ONE))
    assert await bench.fabric.routings() == [led(ONE.address)]


async def test_routes_that_the_world_lost_are_made_again_and_unknown_ones_go(bench: Bench) -> None:
    await settle_now(bench, settle(ONE))
    await bench.stop()
    await bench.fabric.route(led(), timeout_s=1)
    await bench.fabric.route(led("203.0.113.222", via="203.0.113.223"), timeout_s=1)
    await bench.start()
    assert await bench.fabric.routings() == [led(ONE.address)]


async def test_what_is_routed_comes_back_from_the_log_alone(bench: Bench) -> None:
    await settle_now(bench, settle(ONE))
    await bench.stop()
    engine = sa.create_engine(f"sqlite:///{bench.database}")
    with engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(sa.delete(table))
    engine.dispose()
    await bench.start()
    assert await bench.fabric.routings() == [led(ONE.address)]
    await settle_now(bench, settle(ONE, TWO, revision=2))


async def test_a_vip_is_given_back_only_when_no_route_leads_to_it(bench: Bench) -> None:
    vip = (await reservation(bench, reserve(WEB))).vip
    await bench.tell(created(vip), load_balancer_id=WEB)
    await settle_now(bench, settle(vip), settled(settle(vip), "203.0.113.101"))
    bench.fabric.hold = asyncio.Event()
    last = settle(revision=2)
    await bench.order(last)
    await bench.order(ReleaseVip(load_balancer_id=WEB))
    answer = await bench.ask(reserve("another", address=vip.address))
    assert isinstance(answer, Rejected)
    assert "in use" in answer.detail
    bench.fabric.hold.set()
    await bench.wait_for(settled(last, None), "route", APPLIANCE)
    await bench.wait_for(released("deleted"), "vip", WEB)
    (gone,) = [item for item in await bench.log("vip", WEB) if released("deleted") in item.commit.events]
    (unled,) = [item for item in await bench.log("route") if settled(last, None) in item.commit.events]
    assert unled.position.sequence < gone.position.sequence
