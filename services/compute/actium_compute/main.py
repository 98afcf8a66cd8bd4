"""How compute is wired together."""

import asyncio

from actium_compute import migrations
from actium_compute.acquaintance import Acquaintances
from actium_compute.adapters.images import Images
from actium_compute.adapters.local_secrets import LocalSecretStore, open_local_secrets
from actium_compute.adapters.management import FabricManagementNetwork, PlainManagementNetwork
from actium_compute.adapters.namespaces import NamespaceMachines, NamespaceSettings
from actium_compute.adapters.noop import NoopAgents, NoopMachines
from actium_compute.agent_client import AgentClients
from actium_compute.agents import Agents
from actium_compute.amphora_drivers import load_driver
from actium_compute.authority import open_authority
from actium_compute.booting import Booting, Provisions
from actium_compute.configuring import Configuring
from actium_compute.handlers import asks, handlers
from actium_compute.journal import Journal
from actium_compute.plugging import Plugging
from actium_compute.ports import Machines, ManagementNetwork
from actium_compute.read_model import queries, secret_queries
from actium_compute.read_model.projections import NETWORK, OWN, project
from actium_compute.read_model.tables import POSITIONS
from actium_compute.secret_keeping import SecretKeeper
from actium_compute.secret_use import Secrets
from actium_compute.settings import ComputeSettings
from actium_compute.watch import Watch
from actium_compute.workers import Workers
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.crypto import read_master_key
from actium_shared.event_store import JetStreamEventStore, Recorded
from actium_shared.events.secret import SecretEvent
from actium_shared.failpoints import FAILPOINTS
from actium_shared.ids import ProjectId, SecretRef
from actium_shared.read_model import Database, Positions, Projector
from actium_shared.service import Service, connect

DEFAULT_IMAGE = "default"
"""The tag of the image that belongs to this compute; orders name it unless a flavor names another."""


async def main(settings: ComputeSettings) -> None:
    async with connect("compute", settings) as bus:
        match settings.world_kind:
            case "embedded":
                await serve_embedded(bus, settings)
            case "noop":
                machines = NoopMachines(settings.hosts, settings.amphorae_folder)
                await serve(bus, settings, machines, PlainManagementNetwork(), agents=NoopAgents())


async def serve_embedded(bus: Bus, settings: ComputeSettings) -> None:
    """Run compute on namespaces of this machine."""
    await asyncio.to_thread(Images(settings.images_folder).build, DEFAULT_IMAGE)
    machines = NamespaceMachines(
        NamespaceSettings(
            images_folder=settings.images_folder,
            amphorae_folder=settings.amphorae_folder,
            fabric_namespace=settings.fabric,
            hosts=settings.hosts,
        )
    )
    await serve(bus, settings, FAILPOINTS.guard(machines, "machines"), FabricManagementNetwork(settings.fabric))


async def serve(
    bus: Bus,
    settings: ComputeSettings,
    machines: Machines,
    network: ManagementNetwork,
    *,
    agents: Agents | None = None,
) -> None:
    """Run compute on whatever machines and network it is given; agents are on that network unless others are given."""
    clock = SystemClock()
    database = Database(settings.database_url)
    migrations.upgrade(database.engine)
    positions = Positions(POSITIONS)
    await positions.load(database)
    projector = Projector(database, positions, project)
    journal = Journal(JetStreamEventStore(bus), projector, positions, clock=clock)
    await journal.catch_up()

    authority = open_authority(settings.authority_folder, clock)
    store, secrets = open_secrets(settings, database)
    keeper = SecretKeeper(store=store, journal=journal, database=database)
    await keeper.tidy()
    agents = agents or AgentClients(network, authority.client_context)
    acquaintances = Acquaintances()
    plugging = Plugging(machines, database, acquaintances)
    configuring = Configuring(
        driver=load_driver(settings.amphora_driver),
        agents=agents,
        plugging=plugging,
        secrets=secrets,
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
        is_of_secret = any(isinstance(event, SecretEvent) for event in item.commit.events)
        for touched in await projector.apply([item]):
            for amphora_id in touched:
                if is_of_secret:
                    acquaintances.of(amphora_id).note_changed_secret()
                workers.wake(amphora_id)

    async def answer() -> None:
        # With the feeds, not before them: who appends waits for the own tables.
        await bus.serve_asks("compute", asks(keeper, secrets, positions))
        await asyncio.Event().wait()

    service = Service("compute", bus, clock)
    for stream in (OWN, NETWORK):
        service.feed(stream, follow, after=positions.of(stream))
    service.orders(handlers(database, workers.wake, clock))
    service.loop("asks", answer)
    service.loop("workers", workers.run)
    service.loop("watch", watch.run)
    service.fact(lambda: workers.status() | {"amphorae": _counts(database)})
    await service.run()


def open_secrets(settings: ComputeSettings, database: Database) -> tuple[LocalSecretStore, Secrets]:
    """Open the store of this world, and give it twice: as what is kept there, and as load balancers may use it."""

    async def digest(ref: SecretRef) -> str | None:
        known = await database.read(lambda connection: secret_queries.known(connection, ref))
        return known.digest if known else None

    async def owner(ref: SecretRef) -> ProjectId | None:
        known = await database.read(lambda connection: secret_queries.known(connection, ref))
        return known.project_id if known and known.digest else None

    store = open_local_secrets(settings.secrets_folder, digest)
    return store, Secrets(store, owner)


def _counts(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        return queries.count_by_stage(connection)
