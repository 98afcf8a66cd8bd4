"""`demo`: two back ends, a load balancer before them made by the stock client, and requests through its VIP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actium_embedded import backends, operator_api
from actium_embedded.backends import Backend
from actium_embedded.openstack_client import openstack
from actium_embedded.terminal import Step, console, step
from actium_embedded.world import World

NAME = "demo"
LISTENER = "demo-http"
POOL = "demo-pool"
MONITOR = "demo-monitor"
PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One resource of the demo and the words that make it."""

    kind: str
    name: str
    list_words: tuple[str, ...]
    create_words: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"


def prepare(world: World) -> tuple[str, Sequence[Backend]]:
    """Have everything that the demo needs; the VIP's address and the back ends."""
    servers = [start_backend(world, name, network) for name, network in places(world)]
    address, is_new = load_balancer(world)
    for thing in things(servers):
        with step(thing.title) as current:
            make(world, thing, current, may_exist=not is_new)
    return address, servers


def places(world: World) -> list[tuple[str, str]]:
    """A back end on each tenant network: web-a on tenant-a, and so on."""
    tenants = [network.name for network in world.networks if network.role == "tenant"][:2]
    return [(f"web-{network.rpartition('-')[2]}", network) for network in tenants]


def start_backend(world: World, name: str, network: str) -> Backend:
    with step(f"back end {name}") as current:
        backend = backends.start(world, name, network=network, port=PORT)
        current.says(f"{backend.address}:{backend.port} on {network}")
    return backend


def load_balancer(world: World) -> tuple[str, bool]:
    """Its VIP's address, and whether it was made now."""
    with step(f"load balancer {NAME}") as current:
        for known in operator_api.load_balancers(world, NAME):
            current.says(f"VIP {known.vip_address}, was there")
            return known.vip_address, False
        words = ("loadbalancer", "create", "--name", NAME, "--vip-subnet-id", world.network_with_role("vip").name)
        current.says(f"openstack {' '.join(words)}")
        address = str(openstack(world, *words)["vip_address"])
        current.says(f"VIP {address}: openstack {' '.join(words)}")
    return address, True


def things(servers: Sequence[Backend]) -> list[Thing]:
    """In the order of making. The first member is reached on its own subnet, the second by way of the router."""
    http = ("--protocol", "HTTP")
    monitor = ("--type", "HTTP", "--delay", "1", "--timeout", "1", "--max-retries", "2")
    return [
        Thing(
            kind="listener",
            name=LISTENER,
            list_words=("listener", "list", "--loadbalancer", NAME),
            create_words=("listener", "create", *http, "--protocol-port", str(PORT), NAME),
        ),
        Thing(
            kind="pool",
            name=POOL,
            list_words=("pool", "list", "--loadbalancer", NAME),
            create_words=("pool", "create", *http, "--lb-algorithm", "ROUND_ROBIN", "--listener", LISTENER),
        ),
        *(_member(server, on_subnet=number == 0) for number, server in enumerate(servers)),
        Thing(
            kind="health monitor",
            name=MONITOR,
            list_words=("healthmonitor", "list"),
            create_words=("healthmonitor", "create", *monitor, POOL),
        ),
    ]


def _member(server: Backend, *, on_subnet: bool) -> Thing:
    address = ("--address", server.address, "--protocol-port", str(server.port))
    subnet = ("--subnet-id", server.network) if on_subnet else ()
    return Thing(
        kind="member",
        name=server.name,
        list_words=("member", "list", POOL),
        create_words=("member", "create", *address, *subnet, POOL),
    )


def make(world: World, thing: Thing, current: Step, *, may_exist: bool) -> None:
    """Without `--wait`, whose polling would take most of the time: a load balancer accepts changes while others are under way."""
    if may_exist and exists(world, thing):
        current.says("was there")
        return
    words = ("loadbalancer", *thing.create_words, "--name", thing.name)
    current.says(f"openstack {' '.join(words)}")
    openstack(world, *words)


def exists(world: World, thing: Thing) -> bool:
    listed: list[dict[str, Any]] = openstack(world, "loadbalancer", *thing.list_words)
    return any(row["name"] == thing.name for row in listed)


Ask = Callable[[str], str]


def wants_down(*, keep: bool, down: bool, ask: Ask | None) -> bool:
    """What to do at the end: as told beforehand, else as answered, else leave it running."""
    if keep or down or ask is None:
        return down
    try:
        answer = ask("\nLeave it running, or tear it down? [L/t] ")
    except (KeyboardInterrupt, EOFError):
        console.print()
        return False
    return answer.strip().lower().startswith("t")
