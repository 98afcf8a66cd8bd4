"""Our API, planner and network, in the world that has every network that is named; machines work when they are told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from actium_api.main import main as api_main
from actium_api.read_model import tables
from actium_api.settings import ApiSettings
from actium_network.adapters.noop import NoopFabric
from actium_network.main import serve as network_serve
from actium_network.ports import Network, Subnet
from actium_network.settings import NetworkSettings
from actium_planner.main import main as planner_main
from actium_planner.settings import PlannerSettings
from actium_shared import tasks
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.event_store import JetStreamEventStore
from actium_shared.message import Order
from actium_shared.service import Service
from actium_shared.testing.nats_server import NatsServer, free_port
from differential.playing import ADMINISTRATOR
from differential.story import LBAAS
from integration.api.world import Fleet, answers

SETTLES_WITHIN_S = 30.0
CHECK_S = 0.005
KINDS = (tables.LOAD_BALANCERS, tables.LISTENERS, tables.POOLS, tables.MEMBERS, tables.HEALTH_MONITORS)
PENDING = [
    sa.select(sa.func.count()).select_from(table).where(table.c.provisioning_status.like("PENDING%"))
    for table in (*KINDS, tables.L7_POLICIES, tables.L7_RULES)
]
OPERATORS = ("flavors", "flavorprofiles", "availabilityzones", "availabilityzoneprofiles")

MANAGEMENT = Network(
    id="management",
    name="management",
    role="management",
    mtu=1500,
    subnets=(
        Subnet(
            id="machines",
            name="machines",
            network_id="management",
            cidr="10.250.0.0/16",
            pool_start="10.250.0.1",
            pool_end="10.250.255.254",
        ),
    ),
)


class HeldFleet(Fleet):
    """Machines that wait with all their work until they are let."""

    def __init__(self, *buses: Any) -> None:
        super().__init__(*buses)
        self.may_work = asyncio.Event()

    async def configure(self, order: Order) -> None:
        await self.may_work.wait()
        await super().configure(order)

    async def fence(self, order: Order) -> None:
        await self.may_work.wait()
        await super().fence(order)

    async def delete(self, order: Order) -> None:
        await self.may_work.wait()
        await super().delete(order)


class Ours:
    """`Side` that is us."""

    provider = "actium"

    def __init__(self, client: httpx.AsyncClient, fleet: HeldFleet, read_model: sa.Engine, *, is_strict: bool) -> None:
        self.client, self._fleet, self._read_model, self._is_strict = client, fleet, read_model, is_strict

    async def settle(self) -> None:
        self._fleet.may_work.set()
        async with asyncio.timeout(SETTLES_WITHIN_S):
            while self._is_pending():
                await asyncio.sleep(CHECK_S)
        self._fleet.may_work.clear()

    async def undo(self, path: str) -> None:
        if self._is_strict:
            await self.settle()
        gone = await self.client.delete(path, headers=ADMINISTRATOR)
        assert gone.status_code == 204, gone.text
        await self.settle()

    async def wipe(self) -> None:
        for each in await self._all("loadbalancers"):
            await self.client.delete(f"{LBAAS}/loadbalancers/{each['id']}?cascade=true", headers=ADMINISTRATOR)
        await self.settle()
        for kind in OPERATORS:
            for each in await self._all(kind):
                name = each.get("id", each["name"])
                gone = await self.client.delete(f"{LBAAS}/{kind}/{name}", headers=ADMINISTRATOR)
                assert gone.status_code == 204, gone.text
        for each in await self._all("quotas"):
            await self.client.delete(f"{LBAAS}/quotas/{each['project_id']}", headers=ADMINISTRATOR)

    async def _all(self, kind: str) -> list[dict[str, Any]]:
        found = (await self.client.get(f"{LBAAS}/{kind}", headers=ADMINISTRATOR)).json()
        return list(next(iter(found.values())))

    def _is_pending(self) -> bool:
        with self._read_model.connect() as connection:
            return any(connection.scalar(count) for count in PENDING)


@asynccontextmanager
async def serving(nats_server: NatsServer, folder: Path, *, strict_immutability: bool) -> AsyncIterator[Ours]:
    passwords = {}
    for user in ("api", "planner", "network"):
        passwords[user] = folder / user
        passwords[user].write_text(nats_server.password(user))
    api = ApiSettings(
        nats_url=nats_server.url,
        nats_password_file=passwords["api"],
        listen_port=free_port(),
        database_url=f"sqlite:///{folder}/api.sqlite",
    )
    planner = PlannerSettings(
        nats_url=nats_server.url, nats_password_file=passwords["planner"], strict_immutability=strict_immutability
    )
    network = NetworkSettings(
        nats_url=nats_server.url,
        nats_password_file=passwords["network"],
        database_url=f"sqlite:///{folder}/network.sqlite",
        fabric_file=folder / "no-fabric.json",
        world_name="differential",
        world_kind="noop",
    )
    async with nats_server.bus("network") as network_bus, nats_server.bus("compute") as compute_bus:
        fleet = HeldFleet(network_bus, compute_bus)
        await compute_bus.serve_asks("compute", fleet.answer)
        compute = Service("compute", compute_bus)
        compute.orders(
            {
                BootAmphora: fleet.boot,
                ConfigureAmphora: fleet.configure,
                FenceAmphora: fleet.fence,
                DeleteAmphora: fleet.delete,
            }
        )
        fabric = NoopFabric((MANAGEMENT,), folder / "named.jsonl")
        running = [
            asyncio.create_task(part)
            for part in (
                compute.run(),
                network_serve(network, network_bus, driver=fabric, store=JetStreamEventStore(network_bus)),
                planner_main(planner),
                api_main(api),
            )
        ]
        read_model = sa.create_engine(api.database_url)
        base_url = f"http://127.0.0.1:{api.listen_port}"
        async with httpx.AsyncClient(base_url=base_url, timeout=30, trust_env=False) as client:
            try:
                await answers(client)
                yield Ours(client, fleet, read_model, is_strict=strict_immutability)
            finally:
                await tasks.end(running)
                read_model.dispose()
