"""How compute is wired together."""

import asyncio

from actium_compute import migrations
from actium_compute.acquaintance import Acquaintances
from actium_compute.adapters.images import Images
from actium_compute.adapters.management import FabricManagementNetwork
from actium_compute.adapters.namespaces import NamespaceMachines, NamespaceSettings
from actium_compute.agent_client import Agents
from actium_compute.amphora_drivers import load_driver
from actium_compute.authority import open_authority
from actium_compute.booting import Booting, Provisions
from actium_compute.configuring import Configuring
from actium_compute.handlers import handlers
from actium_compute.journal import Journal
from actium_compute.plugging import Plugging
from actium_compute.ports import Machines, ManagementNetwork
from actium_compute.read_model import queries
from actium_compute.read_model.projections import NETWORK, OWN, project
from actium_compute.read_model.tables import POSITIONS
from actium_compute.settings import ComputeSettings
from actium_compute.watch import Watch
from actium_compute.workers import Workers
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.crypto import read_master_key
from actium_shared.event_store import JetStreamEventStore, Recorded
from actium_shared.failpoints import FAILPOINTS
from actium_shared.read_model import Database, Positions, Projector
from actium_shared.service import Service, connect

DEFAULT_IMAGE = "default"
"""The tag of the image that belongs to this compute; orders name it unless a flavor names another."""


async def main(settings: ComputeSettings) -> None:
    await asyncio.to_thread(Images(settings.images_folder).build, DEFAULT_IMAGE)
    machines = NamespaceMachines(
        NamespaceSettings(
            images_folder=settings.images_folder,
            amphorae_folder=settings.amphorae_folder,
            fabric_namespace=settings.fabric,
            hosts=settings.hosts,
        )
    )
    async with connect("compute", settings) as bus:
        guarded = FAILPOINTS.guard(machines, "machines")
        await serve(bus, settings, guarded, FabricManagementNetwork(settings.fabric))


async def serve(bus: Bus, settings: ComputeSettings, machines: Machines, network: ManagementNetwork) -> None:
    """Run compute on whatever machines and network it is given."""
    clock = SystemClock()
    database = Database(settings.database_url)
    migrations.upgrade(database.engine)
    positions = Positions(POSITIONS)
    await positions.load(database)
    projector = Projector(database, positions, project)
    journal = Journal(JetStreamEventStore(bus), projector, positions, clock=clock)
    await journal.catch_up()

    authority = open_authority(settings.authority_folder, clock)
    agents = Agents(network, authority.client_context)
    acquaintances = Acquaintances()
    plugging = Plugging(machines, database, acquaintances)
    configuring = Configuring(
        driver=load_driver(settings.amphora_driver),
        agents=agents,
        plugging=plugging,
        journal=journal,
        database=database,
        acquaintances=acquaintances,
    )
    booting = Booting(
        machines=machines,
        provisions=Provisions(
            authority=authority,
            heartbeat_master_key=read_master_key(settings.heartbeat_master_key_file),
            relays=settings.relays,
            heartbeat_interval_s=settings.heartbeat_interval_s,
        ),
        configuring=configuring,
        agents=agents,
        plugging=plugging,
        journal=journal,
        database=database,
        acquaintances=acquaintances,
        clock=clock,
    )
    workers = Workers(
        booting=booting,
        configuring=configuring,
        machines=machines,
        authority=authority,
        database=database,
        acquaintances=acquaintances,
        clock=clock,
    )
    watch = Watch(workers, machines, database, acquaintances, clock)

    async def follow(item: Recorded) -> None:
        for touched in await projector.apply([item]):
            for amphora_id in touched:
                workers.wake(amphora_id)

    service = Service("compute", bus, clock)
    for stream in (OWN, NETWORK):
        service.feed(stream, follow, after=positions.of(stream))
    service.orders(handlers(database, workers.wake, clock))
    service.loop("workers", workers.run)
    service.loop("watch", watch.run)
    service.fact(lambda: workers.status() | {"amphorae": _counts(database)})
    await service.run()


def _counts(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        return queries.count_by_stage(connection)
