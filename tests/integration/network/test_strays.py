"""Ports and routes that nobody ordered, while the service runs: removed after a while, and that is on the log."""

import asyncio

from actium_shared.events.network import PortStrayRemoved, RoutesStrayRemoved
from actium_shared.ids import NetworkId, PortId
from actium_shared.streams import token
from integration.network.conftest import Bench
from integration.network.test_ports import BOTH
from integration.network.test_ports import settle as settle_ports
from integration.network.test_ports import settle_now as settle_ports_now
from integration.network.test_routes import a_vip, led, settle_now
from integration.network.test_routes import settle as settle_routes

VIP = a_vip("203.0.113.150")


async def restarted(bench: Bench, *, grace_s: float) -> None:
    await bench.stop()
    bench.stray_grace_s = grace_s
    await bench.start()


async def test_a_port_that_nobody_ordered_goes_and_all_others_stay(bench: Bench) -> None:
    await restarted(bench, grace_s=0.1)
    await settle_ports_now(bench, settle_ports(*BOTH))
    (bench.fabric.folder / "leaked").write_text("")
    gone = PortStrayRemoved(port_id=PortId("leaked"))
    assert await bench.wait_for(gone, "port", "leaked") == [gone]
    assert set(await bench.fabric.ports()) == {"management", "front"}
    (bench.fabric.folder / "leaked").write_text("")  # and again, from where its story ended

    async with asyncio.timeout(10):
        while len(await bench.events("port", "leaked")) < 2:
            await asyncio.sleep(0.01)


async def test_a_route_that_nobody_ordered_goes_and_all_others_stay(bench: Bench) -> None:
    await restarted(bench, grace_s=0.1)
    await settle_now(bench, settle_routes(VIP))
    elsewhere = "203.0.113.223"
    await bench.fabric.route(led("203.0.113.222", via=elsewhere), timeout_s=1)
    await bench.fabric.route(led(VIP.address, "203.0.113.221"), timeout_s=1)
    for via, address in ((elsewhere, "203.0.113.222"), ("203.0.113.100", "203.0.113.221")):
        gone = RoutesStrayRemoved(network_id=NetworkId("network-public"), via=via, addresses=(address,))
        assert await bench.wait_for(gone, "route", token(via)) == [gone]
    assert await bench.fabric.routings() == [led(VIP.address)]


async def test_one_whose_order_comes_within_the_grace_is_kept(bench: Bench) -> None:
    """As after a loss of the tables in the midst of work."""
    await restarted(bench, grace_s=1.0)
    (bench.fabric.folder / "front").write_text("203.0.113.100")
    await settle_ports_now(bench, settle_ports(*BOTH))
    await asyncio.sleep(1.5)
    assert set(await bench.fabric.ports()) == {"management", "front"}
    assert await bench.events("port", "front") == []
