"""Several load balancers on one appliance, and apart from each other: whole lives, races and crashes among them."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import builders as a
from actium_planner.placement import place
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.commands.compute import BootAmphora
from actium_shared.event_store import Recorded
from actium_shared.events import network
from actium_shared.events.appliance import LoadBalancerAdmitted, LoadBalancerReleased
from actium_shared.events.load_balancer import LoadBalancerCreated
from actium_shared.ids import ApplianceId, LoadBalancerId, NetworkId, PoolId, ProjectId, SubnetId
from actium_shared.message import Accepted, Commit, Rejected, Reply
from actium_shared.wishes import Member
from unit.planner.world import SlowStore, World

FLAVORS = {room: a.an_id(f"flavor for {room}") for room in (1, 2, 3)}


async def a_world(**fields: object) -> World:
    """Give a world with flavors that let one, two or three share."""
    world = World(**fields)  # type: ignore[arg-type]
    for room, flavor_id in FLAVORS.items():
        profile = FlavorProfile(
            id=a.an_id(f"profile {room}"),
            name=f"p{room}",
            provider_name="actium",
            flavor_data=f'{{"load_balancers_per_appliance": {room}}}',
        )
        await world.ask(commands.CreateFlavorProfile(flavor_profile=profile))
        flavor = Flavor(id=flavor_id, name=f"f{room}", description="", enabled=True, flavor_profile_id=profile.id)
        await world.ask(commands.CreateFlavor(flavor=flavor))
    await world.settle()
    return world


def lb(name: str) -> LoadBalancerId:
    return LoadBalancerId(a.an_id(name))


def creation(name: str, *tags: str, room: int = 2, **fields: object) -> commands.CreateLoadBalancer:
    return a.create_load_balancer(**({"id": lb(name), "flavor_id": FLAVORS[room], "tags": tags} | fields))


async def create(world: World, name: str, *tags: str, room: int = 2, **fields: object) -> Reply:
    reply = await world.ask(creation(name, *tags, room=room, **fields))
    await world.settle()
    return reply


async def change(world: World, name: str, **changes: object) -> Reply:
    wish = commands.LoadBalancerChanges(**changes)  # type: ignore[arg-type]
    reply = await world.ask(commands.UpdateLoadBalancer(load_balancer_id=lb(name), changes=wish))
    await world.settle()
    return reply


async def delete(world: World, name: str) -> None:
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb(name), cascade=True))
    await world.settle()


async def add_member(world: World, name: str, subnet: str, address: str) -> Reply:
    pool_id = PoolId(a.an_id(f"pool of {name}"))
    pool = a.pool(id=pool_id)
    await world.ask(commands.CreatePool(load_balancer_id=lb(name), pool=pool))
    member = a.member(id=a.an_id(f"{name} {subnet}"), subnet_id=SubnetId(subnet), address=address)
    reply = await world.ask(commands.CreateMember(load_balancer_id=lb(name), pool_id=pool_id, member=member))
    await world.settle()
    return reply


def carrier(world: World, name: str) -> ApplianceId | None:
    return world.states.fleet.carrier(lb(name))


def served(world: World) -> dict[str, set[str]]:
    """Give the load balancers that each amphora runs."""
    return {
        amphora_id: {wish.load_balancer.id for wish in order.load_balancers}
        for amphora_id, order in world.configured.items()
    }


def is_active(world: World, name: str) -> bool:
    state = world.load_balancer(lb(name))
    return not state.pending and not state.failed and state.ended == state.generation > 0


def why(reply: Reply) -> str:
    assert isinstance(reply, Rejected), reply
    return reply.detail


# -- together


async def test_two_share_and_the_third_has_its_own() -> None:
    world = await a_world()
    for name in "abc":
        assert isinstance(await create(world, name), Accepted)
    assert carrier(world, "a") == carrier(world, "b") == place(lb("a"))
    assert carrier(world, "c") == place(lb("c"))
    assert sorted(map(len, served(world).values())) == [1, 2]
    assert all(is_active(world, name) for name in "abc")


async def test_the_others_go_on_when_one_is_deleted_even_the_first() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    await delete(world, "a")
    assert world.load_balancer(lb("a")).deleted
    assert list(served(world).values()) == [{lb("b")}]
    assert is_active(world, "b")
    await create(world, "c")
    assert carrier(world, "c") == carrier(world, "b")
    await delete(world, "b")
    await delete(world, "c")
    assert not world.machines
    assert world.states.appliances.state(place(lb("a"))).retired


async def test_ports_lead_to_the_subnets_of_all_their_members() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    assert isinstance(await add_member(world, "a", "tenant-1", "10.1.0.5"), Accepted)
    assert isinstance(await add_member(world, "b", "tenant-2", "10.2.0.5"), Accepted)
    (order,) = world.configured.values()
    assert set(order.member_ports) == {"tenant-1", "tenant-2"}
    await delete(world, "a")
    (order,) = world.configured.values()
    assert set(order.member_ports) == {"tenant-2"}


async def test_a_member_on_the_subnet_of_anothers_vip_is_reached_through_the_vips_port() -> None:
    world = await a_world()
    await create(world, "a")
    other = a.vip(subnet_id=SubnetId("other"), address="198.51.100.9")
    await create(world, "b", vip=other)
    assert carrier(world, "a") == carrier(world, "b")
    assert isinstance(await add_member(world, "b", a.PUBLIC, "203.0.113.50"), Accepted)
    (order,) = world.configured.values()
    assert order.member_ports == {}
    members: list[Member] = [member for wish in order.load_balancers for pool in wish.pools for member in pool.members]
    assert [member.address for member in members] == ["203.0.113.50"]
    await delete(world, "a")
    (order,) = world.configured.values()
    assert set(order.member_ports) == {a.PUBLIC}


async def knows_subnets(world: World, **cidrs: str) -> None:
    """Have the network service discover subnets."""
    for name, cidr in cidrs.items():
        subnet = network.Subnet(id=SubnetId(name), name=name, network_id=NetworkId(name), cidr=cidr)
        found = network.Network(id=NetworkId(name), name=name, role="tenant", mtu=1500, subnets=(subnet,))
        await world.happened("network", name, network.NetworkDiscovered(network=found))
    await world.settle()


async def test_members_on_subnets_that_hide_each_other_do_not_share() -> None:
    world = await a_world()
    await knows_subnets(world, one="10.0.0.0/16", two="10.0.1.0/24")
    await create(world, "a")
    await create(world, "b")
    assert isinstance(await add_member(world, "a", "one", "10.0.0.5"), Accepted)
    assert "overlaps" in why(await add_member(world, "b", "two", "10.0.1.5"))
    assert is_active(world, "b")
    await delete(world, "a")
    assert isinstance(await add_member(world, "b", "two", "10.0.1.5"), Accepted)


async def test_a_change_of_one_that_amphorae_refuse_does_not_hurt_the_other() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    world.accepts = False
    listener = commands.CreateListener(load_balancer_id=lb("a"), listener=a.listener())
    await world.ask(listener)
    await world.settle()
    assert world.load_balancer(lb("a")).failed
    assert is_active(world, "b")
    world.accepts = True
    await world.ask(commands.DeleteListener(load_balancer_id=lb("a"), listener_id=a.LISTENER))
    await world.settle()
    assert is_active(world, "a")


async def test_one_that_cannot_go_for_anothers_fault_goes_when_it_is_asked_again() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    world.accepts = False
    await delete(world, "a")
    assert not world.load_balancer(lb("a")).withdrawn
    world.accepts = True
    await world.ask(commands.SettleLoadBalancer(load_balancer_id=lb("a"), reason="the listener was wrong"))
    await delete(world, "a")
    assert world.load_balancer(lb("a")).deleted
    assert is_active(world, "b")


async def test_what_is_admitted_while_a_round_runs_is_in_the_next() -> None:
    world = await a_world()
    await create(world, "a", room=3)
    world.works = False
    await world.ask(commands.CreateListener(load_balancer_id=lb("a"), listener=a.listener()))
    await world.settle()
    await create(world, "b", room=3)
    await create(world, "c", room=3)
    world.works = True
    await world.settle()
    assert all(is_active(world, name) for name in "abc")
    assert list(served(world).values()) == [{lb("a"), lb("b"), lb("c")}]


async def test_one_that_is_deleted_before_it_was_served_is_gone_and_the_other_serves() -> None:
    world = await a_world()
    await create(world, "a")
    world.works = False
    await world.ask(creation("b"))
    await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb("b")))
    await world.settle()
    world.works = True
    await world.settle()
    assert world.load_balancer(lb("b")).deleted
    assert is_active(world, "a")
    assert list(served(world).values()) == [{lb("a")}]


# -- races


async def test_creates_at_once_fill_appliances_and_none_is_too_full() -> None:
    world = await a_world(store=SlowStore())
    replies = await asyncio.gather(*(world.ask(creation(f"lb{number}")) for number in range(7)))
    assert all(isinstance(reply, Accepted) for reply in replies)
    await world.settle()
    assert all(is_active(world, f"lb{number}") for number in range(7))
    assert sorted(map(len, served(world).values())) == [1, 2, 2, 2]


async def test_of_creates_at_once_that_want_the_same_place_those_are_refused_that_come_too_late() -> None:
    world = await a_world(store=SlowStore())
    replies = await asyncio.gather(*(world.ask(creation(f"lb{number}", "colocate:x")) for number in range(4)))
    assert ["do already" in why(reply) for reply in replies if not isinstance(reply, Accepted)] == [True, True]
    await world.settle()
    assert list(map(len, served(world).values())) == [2]


async def test_members_that_hide_each_other_are_not_both_taken_at_once() -> None:
    world = await a_world(store=SlowStore())
    await knows_subnets(world, one="10.0.0.0/16", two="10.0.1.0/24")
    await create(world, "a")
    await create(world, "b")
    both = asyncio.gather(add_member(world, "a", "one", "10.0.0.5"), add_member(world, "b", "two", "10.0.1.5"))
    assert sorted(isinstance(reply, Accepted) for reply in await both) == [False, True]


async def lost_races(world: World, name: str, *tags: str, meant_for: ApplianceId) -> None:
    """Have a creation on the log that another planner decided on, which did not see what this one did meanwhile."""
    wish = creation(name, *tags).load_balancer
    wish = replace(wish, flavor={"load_balancers_per_appliance": 2}, provider="actium")
    created = LoadBalancerCreated(load_balancer_id=wish.id, generation=1, load_balancer=wish, appliance_id=meant_for)
    await world.happened("loadbalancer", lb(name), created)
    await world.settle()


async def test_who_comes_second_to_the_last_place_is_placed_anew() -> None:
    world = await a_world()
    await create(world, "a")
    await create(world, "b")
    await lost_races(world, "late", meant_for=place(lb("a")))
    assert carrier(world, "late") == place(lb("late"))
    assert is_active(world, "late")


async def test_who_comes_second_and_must_be_there_fails_in_words_and_heals_when_there_is_room() -> None:
    world = await a_world()
    await create(world, "a", "colocate:x")
    await create(world, "b")
    await lost_races(world, "late", "colocate:x", meant_for=place(lb("a")))
    state = world.load_balancer(lb("late"))
    assert (state.failed, state.pending, carrier(world, "late")) == (1, False, None)
    await delete(world, "b")
    await change(world, "late", admin_state_up=False)
    assert carrier(world, "late") == place(lb("a"))
    assert is_active(world, "late")


async def test_one_without_a_place_can_be_deleted() -> None:
    world = await a_world()
    await create(world, "a", "colocate:x")
    await create(world, "b")
    await lost_races(world, "late", "colocate:x", meant_for=place(lb("a")))
    await delete(world, "late")
    assert world.load_balancer(lb("late")).deleted
    assert is_active(world, "a")


# -- tags


async def test_colocated_ones_are_together_and_what_cannot_be_is_refused() -> None:
    world = await a_world()
    await create(world, "x", room=3)
    await create(world, "y", room=3)
    await create(world, "a", "colocate:web")
    assert isinstance(await create(world, "b", "colocate:web"), Accepted)
    assert carrier(world, "a") == carrier(world, "b")
    assert "do already" in why(await create(world, "c", "colocate:web"))
    assert "load_balancers_per_appliance" in why(await create(world, "d", "colocate:web", room=1))
    other = await create(world, "e", "colocate:web", project_id=ProjectId("another"))
    assert isinstance(other, Accepted)
    assert carrier(world, "e") == place(lb("e"))


async def test_apolocated_ones_are_on_different_hosts() -> None:
    world = await a_world()
    for name in "abc":
        assert isinstance(await create(world, name, "apolocate:db", room=1), Accepted)
    hosts = {host for host, _ in world.machines.values()}
    assert hosts == {"host-1", "host-2", "host-3"}


async def test_apolocated_ones_that_boot_at_once_and_meet_are_parted() -> None:
    world = await a_world(hosts=("host-1", "host-2"))
    world.hosts = ("host-1",)
    world.works = False
    await create(world, "a", "apolocate:db", room=1)
    await create(world, "b", "apolocate:db", room=1)
    for order in list(world.orders):
        if isinstance(order, BootAmphora):
            assert order.avoid_hosts == ()
    boots = [order for order in world.orders if isinstance(order, BootAmphora)]
    await world._do(boots[0])
    await world._do(boots[1])
    assert [host for host, _ in world.machines.values()] == ["host-1", "host-1"]
    world.hosts = ("host-1", "host-2")
    world.orders = [order for order in world.orders if order not in boots]
    world.works = True
    await world.settle()
    assert sorted(host for host, _ in world.machines.values()) == ["host-1", "host-2"]
    assert is_active(world, "a")
    assert is_active(world, "b")


async def test_where_no_host_is_left_it_is_an_error_with_its_reason() -> None:
    world = await a_world(hosts=("host-1",))
    await create(world, "a", "apolocate:db", room=1)
    await create(world, "b", "apolocate:db", room=1)
    assert is_active(world, "a")
    assert world.load_balancer(lb("b")).failed
    world.hosts = ("host-1", "host-2")
    await world.lapse(31)
    assert is_active(world, "b")


async def test_tags_that_contradict_what_is_are_refused_and_others_are_not() -> None:
    world = await a_world()
    await create(world, "a", "colocate:web")
    await create(world, "b")
    await create(world, "c")
    assert isinstance(await change(world, "b", tags=("colocate:web", "blue")), Accepted)
    assert "another appliance" in why(await change(world, "c", tags=("colocate:web",)))
    await change(world, "a", tags=("apolocate:db",))
    assert "same appliance" in why(await change(world, "b", tags=("apolocate:db",)))
    assert isinstance(await change(world, "b", tags=()), Accepted)


# -- whatever happens


@dataclass
class Told:
    """What the log says of who was carried by whom, and whether it was ever too many."""

    carried: dict[str, set[str]] = field(default_factory=dict)
    most: int = 0

    def read(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, LoadBalancerAdmitted):
                self.carried.setdefault(event.appliance_id, set()).add(event.load_balancer_id)
            if isinstance(event, LoadBalancerReleased):
                self.carried[event.appliance_id].discard(event.load_balancer_id)
            self.most = max([self.most, *map(len, self.carried.values())])


steps = st.tuples(
    st.sampled_from(["create", "create", "delete", "change", "crash", "lose", "settle"]),
    st.sampled_from("abcde"),
    st.sets(st.sampled_from(["colocate:x", "apolocate:y"]), max_size=1),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=14))
def test_whatever_is_asked_all_that_was_accepted_serves_and_nothing_else_exists(
    script: list[tuple[str, str, set[str]]],
) -> None:
    async def live() -> None:
        world = await a_world()
        for step in script:
            await _take(world, *step)
        for _ in range(6):
            await world.settle()
            await world.lapse(130)
        log: list[Recorded] = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
        told = Told()
        for item in log:
            told.read(item.commit)
        assert told.most <= 2
        living = {
            lb_id for lb_id, held in world.states.load_balancers if held.state.load_balancer and not held.state.deleting
        }
        assert {each for ids in served(world).values() for each in ids} == living
        assert sum(map(len, served(world).values())) == len(living)
        assert set(world.machines) == set(world.configured)
        assert all(held.state.deleted for _, held in world.states.load_balancers if not held.state.load_balancer)
        _keep_apart(world, living)

    asyncio.run(live())


def _keep_apart(world: World, living: set[str]) -> None:
    by_tag: dict[str, list[ApplianceId | None]] = {}
    for lb_id in living:
        balancer = world.load_balancer(LoadBalancerId(lb_id)).load_balancer
        assert balancer is not None
        for tag in balancer.tags:
            by_tag.setdefault(tag, []).append(world.states.fleet.carrier(LoadBalancerId(lb_id)))
    assert len(set(by_tag.get("colocate:x", [None]))) == 1
    apart = by_tag.get("apolocate:y", [])
    assert len(set(apart)) == len(apart)


async def _take(world: World, word: str, name: str, tags: set[str]) -> None:
    exists = lb(name) in dict(world.states.load_balancers)
    if name not in "abc":
        tags = tags - {"apolocate:y"}  # there are three hosts
    match word:
        case "create" if not exists and len(tags) < 2:
            await world.ask(creation(name, *sorted(tags)))
        case "delete" if exists:
            await world.ask(commands.DeleteLoadBalancer(load_balancer_id=lb(name), cascade=True))
        case "change" if exists:
            listener = a.listener(id=a.an_id(f"listener of {name}"))
            await world.ask(commands.CreateListener(load_balancer_id=lb(name), listener=listener))
        case "crash":
            await world.restart()
        case "lose" if world.configured:
            await world.lost(min(world.configured))
            world.configured.pop(min(world.configured))
        case "settle":
            await world.settle()
        case _:
            pass
    await world.step()
