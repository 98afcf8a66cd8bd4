"""An appliance with a routed front end: routes stand before what serves, and go with the last who needs them."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from actium_planner.deciders.appliance import Outcome
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.commands.network import SettleRoutes
from actium_shared.events import network
from actium_shared.events.appliance import BundleFailed
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Accepted, Order, Rejected
from unit.planner.appliance_acts import Act, Watched, acts, assert_whole, befall, heal
from unit.planner.appliances import LIMITS, Around, at_work, born
from unit.planner.news import APPLIANCE
from unit.planner.world import World

ROUTED = {"flavor": {"front_end": "L3"}}
ROUTED_PAIR = {"flavor": {"front_end": "L3", "loadbalancer_topology": "ACTIVE_STANDBY"}}
NO_ROUTER = "network tenant has no router"


def configurations(at: Around) -> list[ConfigureAmphora]:
    return [order for order in at.plan().orders if isinstance(order, ConfigureAmphora)]


def routes(at: Around) -> list[SettleRoutes]:
    return [order for order in at.plan().orders if isinstance(order, SettleRoutes)]


def test_routes_are_ordered_with_everything_else_and_nobody_is_configured_before_they_stand() -> None:
    at = born(**ROUTED)
    (order,) = routes(at)
    assert order.vips == (at.wish.load_balancer.vip,)  # type: ignore[union-attr]
    at.settle(SettleRoutes)
    assert not at.runs
    at.settle()
    (runs,) = at.runs.values()
    assert (runs.front_end, runs.routing_addresses) == ("L3", ("203.0.113.77/24",))
    assert not at.wish.pending


def test_without_a_routed_front_end_nothing_is_routed() -> None:
    at = at_work()
    assert "routes-laid" not in at.types()
    assert not routes(at)
    assert {order.front_end for order in at.runs.values()} == {"L2"}


def test_a_successor_is_told_the_same_addresses() -> None:
    at = at_work(**ROUTED)
    at.lose(at.only().id)
    at.settle()
    (runs,) = at.runs.values()
    assert runs.routing_addresses == ("203.0.113.77/24",)
    assert "routes-laid" not in at.types()


def test_the_last_load_balancer_takes_the_routes_with_it_and_only_then_the_appliance_is_no_more() -> None:
    at = at_work(**ROUTED_PAIR)
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    at.settle(SettleRoutes)
    assert not at.state.amphorae
    assert not at.state.retired
    (order,) = routes(at)
    assert order.vips == ()
    at.settle()
    assert at.state.retired
    assert at.types()[-3:] == ["load-balancer-released", "routes-laid", "retired"]


def test_routes_that_cannot_be_had_end_the_round_and_are_tried_again_with_the_next() -> None:
    at = born(**ROUTED)
    at.unroutable = NO_ROUTER
    at.settle()
    assert at.state.bundle.outcome is Outcome.FAILED
    assert at.wish.failed == at.wish.generation
    assert not routes(at)
    at.unroutable = ""
    at.wait(LIMITS.retry_s + 1)
    at.settle()
    assert at.wish.ended == at.wish.generation
    assert [order.bundle for order in at.runs.values()] == [at.state.bundle.number]


def test_routes_that_never_come_are_named_as_what_the_round_waits_for() -> None:
    at = born(**ROUTED)
    at.settle(SettleRoutes)
    at.wait(1000)
    (failed,) = [event for event in at.told if event.TYPE == "appliance.bundle-failed"]
    assert getattr(failed, "reason") == "routes to the VIPs could not be made yet"  # noqa: B009
    at.settle()  # late, and for all that they count
    assert at.wish.ended == at.wish.generation


def test_old_news_of_routes_is_no_news() -> None:
    at = at_work(**ROUTED)
    for revision in (0, 1, 99):
        told = network.RoutesSettled(appliance_id=APPLIANCE, revision=revision)
        assert at.tell(told) == []
        assert at.tell(network.RoutesFailed(appliance_id=APPLIANCE, revision=revision, reason=NO_ROUTER)) == []


async def shared() -> tuple[World, str]:
    """Give a world and a flavor that lets two dozen share a routed front end."""
    world, flavor_id = World(), a.an_id("flavor")
    data = '{"load_balancers_per_appliance": 24, "front_end": "L3"}'
    profile = FlavorProfile(id=a.an_id("profile"), name="p", provider_name="actium", flavor_data=data)
    await world.ask(commands.CreateFlavorProfile(flavor_profile=profile))
    flavor = Flavor(id=flavor_id, name="f", description="", enabled=True, flavor_profile_id=profile.id)
    await world.ask(commands.CreateFlavor(flavor=flavor))
    await world.settle()
    return world, flavor_id


async def test_two_dozen_are_led_to_one_appliance_and_each_goes_by_itself() -> None:
    world, flavor_id = await shared()
    vips = {}
    for number in range(24):
        lb_id = LoadBalancerId(a.an_id(f"lb {number}"))
        vips[lb_id] = f"203.0.113.{100 + number}"
        reply = await world.ask(
            a.create_load_balancer(id=lb_id, flavor_id=flavor_id, vip=a.vip(address=vips[lb_id], port_id=lb_id))
        )
        assert isinstance(reply, Accepted), reply
        await world.settle()
    assert set(world.led) == set(vips.values())
    assert len(set(world.led.values())) == len(world.machines) == 1
    for lb_id in list(vips):
        await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb_id, cascade=True))
        await world.settle()
        del vips[lb_id]
        assert set(world.led) == set(vips.values())
    assert not world.machines


class Routed(Watched):
    """Nobody is ever told to serve a VIP that no route leads to, or two things under one number."""

    def _said_once(self, order: Order) -> None:
        super()._said_once(order)
        if isinstance(order, ConfigureAmphora):
            vips = {wish.load_balancer.vip.address for wish in order.load_balancers}
            assert order.routing_addresses
            assert vips <= self.led
            said = order.routing_addresses
        elif isinstance(order, SettleRoutes):
            said = tuple(vip.address for vip in order.vips)
        else:
            return
        assert self.said.setdefault(f"routes of {order.order_id}", said) == said


def _live(pair: bool, script: Sequence[Act]) -> Routed:
    at = Routed(**(ROUTED_PAIR if pair else ROUTED))
    at.admit()
    for act, number in script:
        at.unroutable = NO_ROUTER if (act, number % 2) == ("boots", 1) else "" if act == "boots" else at.unroutable
        befall(at, act, number)
    at.unroutable = ""
    return at


@settings(max_examples=200, deadline=None)
@given(acts, st.booleans())
def test_a_routed_one_always_heals(script: list[Act], pair: bool) -> None:
    at = _live(pair, script)
    at.bad.clear()
    heal(at)
    assert_whole(at)


@settings(max_examples=150, deadline=None)
@given(acts, st.booleans())
def test_a_routed_one_that_is_deleted_leaves_nothing_behind(script: list[Act], pair: bool) -> None:
    at = _live(pair, script)
    at.ask(commands.DeleteLoadBalancer(load_balancer_id=a.LB))
    at.boots = at.fences = True
    at.settle()
    at.wait(2000)
    at.settle()
    assert at.state.retired
    assert not at.led
    assert at.plan().orders == ()


# -- networks without a router


async def discover(world: World, *, routed: bool | None) -> None:
    """Have the network service tell of the VIPs' network."""
    vip = a.vip()
    subnet = network.Subnet(id=vip.subnet_id, name="s", network_id=vip.network_id, cidr="203.0.113.0/24")
    seen = network.Network(id=vip.network_id, name="n", role="vip", mtu=1500, subnets=(subnet,), routed=routed)
    await world.happened("network", vip.network_id, network.NetworkDiscovered(network=seen))
    await world.settle()


@pytest.mark.parametrize("routed", [True, None, False])
async def test_a_network_that_is_known_to_have_no_router_is_refused_in_words(routed: bool | None) -> None:
    world, flavor_id = await shared()
    await discover(world, routed=routed)
    reply = await world.ask(a.create_load_balancer(flavor_id=flavor_id))
    if routed is not False:
        assert isinstance(reply, Accepted)
        return
    assert isinstance(reply, Rejected)
    assert reply.field == "vip_network_id"
    assert "has no router" in reply.detail
    await discover(world, routed=True)  # somebody attaches one
    assert isinstance(await world.ask(a.create_load_balancer(flavor_id=flavor_id)), Accepted)


async def test_without_a_routed_front_end_a_network_needs_no_router() -> None:
    world, _ = await shared()
    await discover(world, routed=False)
    assert isinstance(await world.ask(a.create_load_balancer()), Accepted)


def test_where_it_turns_out_only_later_that_there_is_no_router_it_is_an_error_with_the_reason_and_heals() -> None:
    at = born(**ROUTED)
    at.unroutable = NO_ROUTER
    at.settle()
    failed = [event for event in at.told if isinstance(event, BundleFailed)]
    assert [event.reason for event in failed] == [NO_ROUTER]
    assert (at.wish.pending, at.wish.failed) == (False, 1)
    at.unroutable = ""
    at.wait(31)
    at.settle()
    assert (at.wish.ended, at.wish.failed) == (1, 0)


async def test_routes_that_cannot_be_had_for_a_newcomer_do_not_hold_up_its_neighbours() -> None:
    world, flavor_id = await shared()
    await world.ask(a.create_load_balancer(flavor_id=flavor_id))
    await world.settle()
    world.unroutable = {"203.0.113.99"}
    other = LoadBalancerId(a.an_id("other"))
    await world.ask(
        a.create_load_balancer(id=other, flavor_id=flavor_id, vip=a.vip(address="203.0.113.99", port_id=other))
    )
    await world.settle()
    assert world.states.fleet.carrier(other) == world.states.fleet.carrier(a.LB)
    assert (world.load_balancer(other).failed, world.load_balancer(other).pending) == (1, False)
    wish = commands.LoadBalancerChanges(admin_state_up=False)
    await world.ask(commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=wish))
    await world.settle()
    first = world.load_balancer(a.LB)
    assert (first.pending, first.failed, first.ended) == (False, 0, 2)
    world.unroutable.clear()
    await world.lapse(31)
    assert (world.load_balancer(other).failed, world.load_balancer(other).ended) == (0, 1)
    (order,) = world.configured.values()
    assert {each.load_balancer.id for each in order.load_balancers} == {a.LB, other}
