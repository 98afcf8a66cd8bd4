"""VIPs end to end: asked for, released, lapsed, against a real log."""

import asyncio
from typing import Any

import pytest

from actium_network.journal import vip_subject
from actium_shared.bus import Bus
from actium_shared.commands.network import FindSubnet, ReleaseVip, ReserveVip, VipReservation
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore
from actium_shared.events.load_balancer import LoadBalancerCreated, LoadBalancerDeleted
from actium_shared.events.network import NetworkDiscovered, NetworkVanished, VipReleased, VipReserved
from actium_shared.ids import LoadBalancerId, NetworkId, ProjectId, SubnetId
from actium_shared.message import Accepted, ClockCause, CommandCause, Commit, Position, Reason, Rejected
from actium_shared.wishes import LoadBalancer, Vip
from integration.network.conftest import Bench
from integration.network.file_fabric import NETWORKS, a_network

WEB = LoadBalancerId("web")
PROJECT = ProjectId("project")


def reserve(load_balancer_id: str = WEB, *, subnet_id: str = "subnet-public", address: str | None = None) -> ReserveVip:
    return ReserveVip(
        load_balancer_id=LoadBalancerId(load_balancer_id),
        project_id=PROJECT,
        subnet_id=SubnetId(subnet_id),
        address=address,
    )


def created(vip: Vip, load_balancer_id: str = WEB) -> LoadBalancerCreated:
    of = LoadBalancerId(load_balancer_id)
    return LoadBalancerCreated(
        load_balancer_id=of, generation=1, load_balancer=LoadBalancer(id=of, project_id=PROJECT, vip=vip)
    )


def released(reason: str, load_balancer_id: str = WEB) -> VipReleased:
    return VipReleased(load_balancer_id=LoadBalancerId(load_balancer_id), reason=reason)


async def reservation(bench: Bench, command: ReserveVip) -> VipReservation:
    reply = await bench.ask(command)
    assert isinstance(reply, VipReservation), reply
    return reply


async def test_networks_are_told_once_and_again_only_when_they_change(idle_bench: Bench) -> None:
    await idle_bench.start()
    first = await idle_bench.events("network")
    assert sorted(event.network.name for event in first if isinstance(event, NetworkDiscovered)) == [
        "mgmt",
        "public",
        "small",
    ]
    await idle_bench.stop()
    await idle_bench.start()
    assert await idle_bench.events("network") == first
    await idle_bench.stop()
    idle_bench.fabric.seen = list(NETWORKS[:2])
    await idle_bench.start()
    gone = NetworkId(NETWORKS[2].id)
    assert (await idle_bench.events("network", gone))[1:] == [NetworkVanished(network_id=gone)]
    answer = await idle_bench.ask(FindSubnet(subnet_id=SubnetId("subnet-small")))
    assert isinstance(answer, Rejected)


async def test_a_vip_is_on_the_log_with_the_ask_as_its_cause_when_the_answer_comes(bench: Bench) -> None:
    reply = await reservation(bench, reserve())
    (item,) = await bench.log("vip", WEB)
    assert item.commit.events == (VipReserved(load_balancer_id=WEB, project_id=PROJECT, vip=reply.vip),)
    assert item.commit.cause == CommandCause(command=reserve())
    assert item.position == reply.position
    assert reply.vip.address == "203.0.113.100"


async def test_the_same_ask_again_gets_the_same_answer_and_no_second_event(bench: Bench) -> None:
    first = await reservation(bench, reserve())
    assert await reservation(bench, reserve()) == first
    assert len(await bench.log("vip", WEB)) == 1


async def test_many_asks_at_once_get_different_addresses(bench: Bench) -> None:
    replies = await asyncio.gather(*(reservation(bench, reserve(f"lb-{number}")) for number in range(50)))
    assert len({reply.vip.address for reply in replies}) == 50


class SlowStore(JetStreamEventStore):
    """A log that keeps what is told of WEB waiting."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.reached, self.goes_on = asyncio.Event(), asyncio.Event()

    async def append(self, subject: str, commit: Commit, **how: Any) -> Position:
        if subject == vip_subject(WEB):
            self.reached.set()
            await self.goes_on.wait()
        return await super().append(subject, commit, **how)


async def test_who_waits_for_the_log_holds_up_nobody_else_and_keeps_the_address(idle_bench: Bench) -> None:
    stores: list[SlowStore] = []

    def slow(bus: Bus) -> SlowStore:
        stores.append(SlowStore(bus))
        return stores[0]

    idle_bench.store, idle_bench.lapse_s = slow, 0.2
    await idle_bench.start()
    waits = [asyncio.create_task(reservation(idle_bench, reserve())) for _ in range(2)]
    await stores[0].reached.wait()
    other = await reservation(idle_bench, reserve("other"))
    await idle_bench.wait_for(released("lapsed", "other"), "vip", "other")
    last = await reservation(idle_bench, reserve("last"))
    stores[0].goes_on.set()
    first, again = await asyncio.gather(*waits)
    assert first == again
    assert len(await idle_bench.log("vip", WEB)) == 1
    assert (first.vip.address, other.vip.address, last.vip.address) == (
        "203.0.113.100",
        "203.0.113.101",
        "203.0.113.101",
    )


async def test_who_has_given_up_by_the_time_that_addresses_are_chosen_is_given_none(idle_bench: Bench) -> None:
    idle_bench.stray_grace_s = 0.0
    await idle_bench.start()
    idle_bench.fabric.hold = asyncio.Event()
    (idle_bench.fabric.folder / "leaked").write_text("")
    await idle_bench.fabric.removing.wait()
    with pytest.raises(RetryableError):
        await idle_bench.api.ask(reserve(), timeout_s=0.2)
    idle_bench.fabric.hold.set()
    assert (await reservation(idle_bench, reserve("next"))).vip.address == "203.0.113.100"


@pytest.mark.parametrize(
    ("address", "reason"),
    [("203.0.113.2", Reason.CONFLICT), ("203.0.113.1", Reason.INVALID), ("192.0.2.1", Reason.INVALID)],
    ids=["the host's", "the gateway's", "outside"],
)
async def test_addresses_that_are_not_to_be_had_are_refused(bench: Bench, address: str, reason: Reason) -> None:
    reply = await bench.ask(reserve(address=address))
    assert isinstance(reply, Rejected)
    assert (reply.reason, reply.field) == (reason, "vip_address")
    assert await bench.log("vip") == []


async def test_a_subnet_is_found_or_named_as_unknown(bench: Bench) -> None:
    found = await bench.ask(FindSubnet(subnet_id=SubnetId("subnet-public")))
    assert isinstance(found, Accepted)
    about_it = [item.position for item in await bench.log("network") if item.aggregate_id == "network-public"]
    assert found.position == max(about_it)
    unknown = await bench.ask(FindSubnet(subnet_id=SubnetId("nowhere")))
    assert isinstance(unknown, Rejected)
    assert (unknown.reason, unknown.field) == (Reason.INVALID, "subnet_id")


async def test_a_network_that_was_made_since_is_found_when_somebody_names_it(bench: Bench) -> None:
    bench.fabric.seen.append(a_network("later", "tenant", "10.8.0.0/24", ("10.8.0.10", "10.8.0.20")))
    found = await bench.ask(FindSubnet(subnet_id=SubnetId("subnet-later")))
    assert isinstance(found, Accepted)
    reply = await bench.ask(reserve("late", subnet_id=SubnetId("subnet-later")))
    assert isinstance(reply, VipReservation)
    assert reply.vip.address == "10.8.0.10"
    told = [item for item in await bench.log("network") if item.aggregate_id == "network-later"]
    assert [event.TYPE for item in told for event in item.commit.events] == ["network.discovered"]


async def test_a_released_address_is_free_again_and_its_load_balancer_gone_for_good(bench: Bench) -> None:
    await reservation(bench, reserve(address="203.0.113.9"))
    await bench.order(ReleaseVip(load_balancer_id=WEB))
    await bench.wait_for(released("deleted"), "vip", WEB)
    assert (await reservation(bench, reserve("next", address="203.0.113.9"))).vip.address == "203.0.113.9"
    assert isinstance(await bench.ask(reserve()), Rejected)


async def test_a_vip_that_nobody_knows_is_released_once(bench: Bench) -> None:
    await bench.order(ReleaseVip(load_balancer_id=WEB))
    await bench.wait_for(released("deleted"), "vip", WEB)
    await bench.stop()
    bench.server.kill()  # its memory forgets that the order was there before
    bench.server.start()
    await bench.start()
    while True:
        try:
            await bench.order(ReleaseVip(load_balancer_id=WEB))
            break
        except Exception:
            await asyncio.sleep(0.05)
    await reservation(bench, reserve("after"))
    assert await bench.events("vip", WEB) == [released("deleted")]


async def test_a_vip_that_nobody_comes_for_lapses_and_can_be_asked_for_again(idle_bench: Bench) -> None:
    idle_bench.lapse_s = 0.2
    await idle_bench.start()
    await reservation(idle_bench, reserve())
    await idle_bench.wait_for(released("lapsed"), "vip", WEB)
    item = (await idle_bench.log("vip", WEB))[-1]
    assert isinstance(item.commit.cause, ClockCause)
    assert item.commit.reads.keys() == {"EVENTS_NETWORK", "EVENTS_PLANNER"}
    assert (await reservation(idle_bench, reserve())).vip.address == "203.0.113.100"


async def test_the_vip_of_an_existing_load_balancer_does_not_lapse(idle_bench: Bench) -> None:
    idle_bench.lapse_s = 0.2
    await idle_bench.start()
    kept = await reservation(idle_bench, reserve())
    position = await idle_bench.tell(created(kept.vip), load_balancer_id=WEB)
    await reservation(idle_bench, reserve("other"))
    await idle_bench.wait_for(released("lapsed", "other"), "vip", "other")
    assert released("lapsed") not in await idle_bench.events("vip", WEB)
    gone = LoadBalancerDeleted(load_balancer_id=WEB)
    await idle_bench.tell(gone, load_balancer_id=WEB, expected=position.sequence)
    await idle_bench.wait_for(released("lapsed"), "vip", WEB)


async def test_a_load_balancer_that_came_while_the_service_was_away_keeps_its_vip(idle_bench: Bench) -> None:
    await idle_bench.start()
    kept = await reservation(idle_bench, reserve())
    await idle_bench.stop()
    await idle_bench.tell(created(kept.vip), load_balancer_id=WEB)
    idle_bench.lapse_s = 0.0
    await idle_bench.start()
    await reservation(idle_bench, reserve("other"))
    await idle_bench.wait_for(released("lapsed", "other"), "vip", "other")
    assert released("lapsed") not in await idle_bench.events("vip", WEB)
