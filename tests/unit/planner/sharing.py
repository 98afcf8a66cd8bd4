"""A world in which load balancers share appliances: asked of by name, and what came of it."""

import builders as a
from actium_shared.catalogue import Flavor, FlavorProfile
from actium_shared.commands import planner as commands
from actium_shared.events import network
from actium_shared.ids import ApplianceId, LoadBalancerId, NetworkId, PoolId, SubnetId
from actium_shared.message import Rejected, Reply
from unit.planner.world import World

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


async def knows_subnets(world: World, **cidrs: str) -> None:
    """Have the network service discover subnets."""
    for name, cidr in cidrs.items():
        subnet = network.Subnet(id=SubnetId(name), name=name, network_id=NetworkId(name), cidr=cidr)
        found = network.Network(id=NetworkId(name), name=name, role="tenant", mtu=1500, subnets=(subnet,))
        await world.happened("network", name, network.NetworkDiscovered(network=found))
    await world.settle()
