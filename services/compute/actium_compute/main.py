"""How compute is wired together."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from actium_compute import migrations
from actium_compute.acquaintance import Acquaintances
from actium_compute.adapters.images import Images
from actium_compute.adapters.local_secrets import LocalSecretStore, open_local_secrets
from actium_compute.adapters.management import FabricManagementNetwork, PlainManagementNetwork
from actium_compute.adapters.namespaces import NamespaceMachines, NamespaceSettings
from actium_compute.adapters.noop import NoopAgents, NoopMachines
from actium_compute.agent_client import AgentClients
from actium_compute.agents import Agents
from actium_compute.amphora_drivers import DriverError, Drivers
from actium_compute.authority import open_authority
from actium_compute.booting import Booting, Provisions
from actium_compute.configuring import Configuring
from actium_compute.fencing import Fencing
from actium_compute.gateway import Gateway
from actium_compute.handlers import asks, handlers
from actium_compute.journal import Journal
from actium_compute.log_store import open_log_store
from actium_compute.notes import Notes
from actium_compute.plugging import Plugging
from actium_compute.ports import Machines, ManagementNetwork, SecretStore
from actium_compute.probing import Probing
from actium_compute.pulls import Pulls
from actium_compute.read_model import queries, secret_queries
from actium_compute.read_model.projections import NETWORK, NETWORK_SUBJECTS, OWN, READS, project
from actium_compute.read_model.secret_queries import KnownSecret
from actium_compute.read_model.tables import POSITIONS
from actium_compute.renewing import Renewing
from actium_compute.secret_keeping import SecretKeeper
from actium_compute.secret_use import Secrets
from actium_compute.settings import ComputeSettings
from actium_compute.strays import Strays
from actium_compute.succession import Succession
from actium_compute.watch import Watch
from actium_compute.workers import Workers
from actium_shared.bus import Bus
from actium_shared.clock import Clock, SystemClock
from actium_shared.commands.compute import AmphoraOrder, DeleteAmphora, FenceAmphora
from actium_shared.crypto import read_master_key
from actium_shared.errors import SettingsError
from actium_shared.event_store import JetStreamEventStore, Recorded
from actium_shared.events.secret import SecretEvent
from actium_shared.failpoints import FAILPOINTS
from actium_shared.ids import SecretRef
from actium_shared.lease import Lease
from actium_shared.read_model import Database, Positions, Projector, types_of
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
    clock: Clock | None = None,
) -> None:
    """Run compute on whatever machines and network it is given; agents are on that network unless others are given."""
    clock = clock or SystemClock()
    lease = Lease(bus, "compute", clock)
    await lease.take()
    database = Database(settings.database_url)
    migrations.upgrade(database.engine)
    positions = Positions(POSITIONS)
    await positions.load(database)
    projector = Projector(database, positions, project)
    journal = Journal(JetStreamEventStore(bus), projector, positions, clock=clock)
    await journal.catch_up()

    authority = open_authority(settings.authority_folder, clock, lifetime=settings.certificate_lifetime)
    store, secrets = open_secrets(settings, database)
    keeper = SecretKeeper(store=store, journal=journal, database=database)
    await keeper.tidy()
    is_certified = agents is None
    agents = agents or AgentClients(network, authority.client_context)
    acquaintances = Acquaintances()
    plugging = Plugging(machines, database, acquaintances)
    drivers = open_drivers(settings.amphora_driver)
    configuring = Configuring(
        drivers=drivers,
        agents=agents,
        plugging=plugging,
        secrets=secrets,
        log_store=open_log_store(settings, clock),
        journal=journal,
        database=database,
        acquaintances=acquaintances,
    )
    provisions = Provisions(
        authority=authority,
        heartbeat_master_key=read_master_key(settings.heartbeat_master_key_file),
        relays=settings.relays,
        gateways=settings.gateways,
        heartbeat_interval_s=settings.heartbeat_interval_s,
    )
    booting = Booting(
        machines=machines,
        provisions=provisions,
        drivers=drivers,
        configuring=configuring,
        agents=agents,
        plugging=plugging,
        journal=journal,
        database=database,
        acquaintances=acquaintances,
        clock=clock,
    )
    renewing = Renewing(
        provisions=provisions,
        configuring=configuring,
        journal=journal,
        acquaintances=acquaintances,
        clock=clock,
        renew_before=settings.certificate_renew_before,
    )
    workers = Workers(
        booting=booting,
        configuring=configuring,
        renewing=renewing,
        machines=machines,
        authority=authority,
        notes=Notes(network, provisions, clock),
        database=database,
        acquaintances=acquaintances,
        clock=clock,
    )
    pulls = Pulls(
        configuring=configuring,
        renewing=renewing,
        database=database,
        acquaintances=acquaintances,
        wake=workers.wake,
    )
    succession = Succession(
        authority=authority,
        workers=workers,
        database=database,
        acquaintances=acquaintances,
        journal=journal,
        clock=clock,
        possible=is_certified,
    )
    fencing = Fencing(machines=machines, agents=agents, journal=journal, database=database, clock=clock)
    probing = Probing(machines=machines, agents=agents, database=database, clock=clock)

    async def caught_up() -> bool:
        return positions.of(OWN) >= await bus.last_sequence(OWN)

    watch = Watch(
        workers=workers,
        strays=Strays(
            machines=machines,
            journal=journal,
            database=database,
            clock=clock,
            caught_up=caught_up,
            grace_s=settings.stray_grace_s,
        ),
        machines=machines,
        database=database,
        acquaintances=acquaintances,
        clock=clock,
        check_every_s=settings.check_every_s,
        renew_before=settings.certificate_renew_before,
    )

    def begin(order: AmphoraOrder) -> None:
        match order:
            case FenceAmphora():
                fencing.fence(order.amphora_id)
                workers.interrupt(order.amphora_id)
            case DeleteAmphora():
                workers.interrupt(order.amphora_id)
            case _:
                workers.wake(order.amphora_id)

    async def follow(commits: Sequence[Recorded]) -> None:
        told = await projector.apply(commits)  # of the newest, where the first were applied before
        for item, touched in zip(commits[len(commits) - len(told) :], told, strict=True):
            is_of_secret = any(isinstance(event, SecretEvent) for event in item.commit.events)
            for amphora_id in touched:
                if is_of_secret:
                    acquaintances.of(amphora_id).note_changed_secret()
                workers.wake(amphora_id)

    async def answer() -> None:
        # With the feeds, not before them: who appends waits for the own tables.
        await bus.serve_asks("compute", asks(keeper, secrets, probing, succession, positions))
        await asyncio.Event().wait()

    service = Service("compute", bus, clock)
    foreign = types_of(READS)  # each of our own moves an aggregate, whatever it tells
    for stream, subjects in ((OWN, ()), (NETWORK, NETWORK_SUBJECTS)):
        service.feed(
            stream,
            follow,
            after=positions.of(stream),
            subjects=subjects,
            passes=lambda delivery: positions.passes(delivery, None if delivery.stream == OWN else foreign),
        )
    service.orders(handlers(database, begin, clock))
    service.loop("lease", lease.keep)
    service.loop("asks", answer)
    service.loop("workers", workers.run)
    service.loop("fencing", fencing.run)
    service.loop("watch", watch.run)
    service.loop("succession", succession.run)
    if settings.gateway:
        gateway = Gateway(network, settings.gateway, authority.gateway_context, pulls)
        service.loop("gateway", gateway.run)
        service.fact(gateway.status)
    service.fact(succession.status)
    service.fact(lambda: workers.status() | {"amphorae": _counts(database)})
    await service.run()


def open_drivers(only: str) -> Drivers:
    """
    Give the amphora drivers, or the one that speaks for all.

    Raises:
        SettingsError: that one is not to be had.
    """
    drivers = Drivers(only)
    if only:
        try:
            drivers.of(only)
        except DriverError as exc:
            raise SettingsError(f"setting ACTIUM_AMPHORA_DRIVER: {exc}") from exc
    return drivers


def open_secrets(settings: ComputeSettings, database: Database) -> tuple[LocalSecretStore, Secrets]:
    """Open the store of this world, and give it twice: as what is kept there, and as load balancers may use it."""

    async def known(refs: Collection[SecretRef]) -> Mapping[SecretRef, KnownSecret]:
        found = await database.read(lambda connection: secret_queries.known_of(connection, refs))
        return {ref: secret for ref, secret in found.items() if secret.digest is not None}

    async def digests(refs: Collection[SecretRef]) -> Mapping[SecretRef, str]:
        return {ref: secret.digest for ref, secret in (await known(refs)).items() if secret.digest is not None}

    store = open_local_secrets(settings.secrets_folder, digests)
    return store, Secrets(_readable(settings, store), known)


def _readable(settings: ComputeSettings, store: LocalSecretStore) -> SecretStore:
    if settings.secret_store == "local":  # noqa: S105 - a kind of store
        return store
    from actium_compute.adapters import barbican  # and with it all of keystoneauth

    return barbican.BarbicanSecretStore(barbican.connect(), beside=store)


def _counts(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        return queries.count_by_stage(connection)
