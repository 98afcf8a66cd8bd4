"""How the network service is wired together, and the order in which it starts."""

import asyncio
import logging
from collections.abc import Sequence

from actium_network import discovery, handlers, migrations
from actium_network.adapters import fabric_file
from actium_network.adapters.fabric_file import FabricPlan
from actium_network.adapters.netlink import NetlinkFabric
from actium_network.adapters.noop import NoopFabric
from actium_network.journal import Journal
from actium_network.making import PortMaker
from actium_network.orders import Orders
from actium_network.ports import Network, NetworkDriver
from actium_network.read_model.projections import OWN, PLANNER, PLANNER_SUBJECTS, READS, project
from actium_network.read_model.tables import POSITIONS
from actium_network.reservations import Reservations
from actium_network.routes import Routes
from actium_network.settings import NetworkSettings
from actium_network.settlements import Settlements
from actium_network.strays import Strays
from actium_network.survey import Survey
from actium_network.workers import Workers
from actium_shared.bus import Bus
from actium_shared.clock import Clock, SystemClock
from actium_shared.errors import PermanentError, RetryableError, SettingsError, VersionConflictError
from actium_shared.event_store import EventStore, JetStreamEventStore
from actium_shared.failpoints import FAILPOINTS
from actium_shared.lease import Lease
from actium_shared.read_model import Database, Positions, Projector, types_of
from actium_shared.service import Service, connect

log = logging.getLogger(__name__)


async def main(settings: NetworkSettings) -> None:
    """Be the network service of one of the worlds that this machine can have by itself."""
    plan = fabric_file.read(settings.fabric_file)
    if plan.world != settings.world_name:
        raise SettingsError(f"fabric file {settings.fabric_file} is of world {plan.world}, not {settings.world_name}")
    async with connect("network", settings) as bus:
        await serve(settings, bus, driver=world(settings, plan), store=JetStreamEventStore(bus))


def world(settings: NetworkSettings, plan: FabricPlan) -> NetworkDriver:
    """Give the world that the settings name."""
    match settings.world_kind:
        case "embedded":
            return NetlinkFabric(plan)
        case "noop":
            named_file = settings.noop_file or settings.fabric_file.with_name("noop-networks.jsonl")
            return NoopFabric([network.as_network(plan.world) for network in plan.networks], named_file)


async def serve(
    settings: NetworkSettings, bus: Bus, *, driver: NetworkDriver, store: EventStore, clock: Clock | None = None
) -> None:
    """Run the service on the given world and log until it is told to stop."""
    clock = clock or SystemClock()
    lease = Lease(bus, "network", clock)
    await lease.take()
    database = Database(settings.database_url)
    try:
        migrations.upgrade(database.engine)
        await driver.ensure()
        app = App(
            settings,
            bus,
            database,
            driver=FAILPOINTS.guard(driver, "driver"),
            store=store,
            lease=lease,
            clock=clock,
        )
        await app.run(await driver.networks())
    finally:
        database.close()


class App:
    """One running network service."""

    def __init__(
        self,
        settings: NetworkSettings,
        bus: Bus,
        database: Database,
        *,
        driver: NetworkDriver,
        store: EventStore,
        lease: Lease,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._bus = bus
        self._database = database
        self._clock = clock
        self._positions = Positions(POSITIONS)
        self._projector = Projector(database, self._positions, project)
        self._journal = Journal(bus, store, self._projector, self._positions, clock)
        self._maker = PortMaker(
            driver=driver, clock=clock, timeout_s=settings.port_timeout_s, tries=settings.port_tries
        )
        self._is_serving = False

    async def run(self, seen: Sequence[Network]) -> None:
        """Catch up with the own log first, as nothing may be decided on tables that lag; then do everything at once."""
        await self._positions.load(self._database)
        await self._journal.catch_up(OWN)
        kept = discovery.kept_addresses(seen)
        allocating = asyncio.Lock()
        survey = Survey(driver=self._maker.driver, database=self._database, journal=self._journal)
        reservations = Reservations(
            database=self._database,
            journal=self._journal,
            survey=survey,
            kept=kept,
            allocating=allocating,
            clock=self._clock,
        )
        settlements = Settlements(
            database=self._database, journal=self._journal, maker=self._maker, kept=kept, allocating=allocating
        )
        routes = Routes(
            database=self._database,
            journal=self._journal,
            driver=self._maker.driver,
            kept=kept,
            allocating=allocating,
            timeout_s=self._settings.port_timeout_s,
        )
        strays = Strays(
            maker=self._maker,
            database=self._database,
            journal=self._journal,
            allocating=allocating,
            clock=self._clock,
            grace_s=self._settings.stray_grace_s,
        )
        releasing = Workers("release", reservations.work_release, self._clock)
        settling = Workers("settle", settlements.work, self._clock)
        routing = Workers("route", routes.work, self._clock)
        orders = Orders(database=self._database, releases=releasing, settlements=settling, routes=routing)

        async def work() -> None:
            await discovery.discover(seen, self._database, self._journal)
            await discovery.restore_ports(self._maker, self._database)
            await routes.restore()
            await self._remove_strays_at_start(strays)
            await self._bus.serve_asks("network", handlers.asks(reservations, survey))
            await orders.resume()
            self._is_serving = True
            async with asyncio.TaskGroup() as group:
                group.create_task(releasing.run())
                group.create_task(settling.run())
                group.create_task(routing.run())
                group.create_task(self._lapse(reservations))
                group.create_task(strays.look_forever(every_s=self._settings.stray_check_s))

        service = Service("network", self._bus, self._clock)
        foreign = types_of(READS)  # each of our own moves an aggregate, whatever it tells
        for stream, subjects in ((OWN, ()), (PLANNER, PLANNER_SUBJECTS)):
            service.feed(
                stream,
                self._projector.apply,
                after=self._positions.of(stream),
                subjects=subjects,
                passes=lambda delivery: self._positions.passes(delivery, None if delivery.stream == OWN else foreign),
            )
        service.orders(handlers.orders(orders))
        service.loop("lease", self._lease.keep)
        service.loop("work", work)
        service.fact(lambda: self._facts(releasing, settling, routing))
        await service.run()

    async def _remove_strays_at_start(self, strays: Strays) -> None:
        # What a loss of the tables in the midst of work left behind; where that fails, the later looks go on.
        try:
            await strays.look(at_once=True)
        except (RetryableError, PermanentError, VersionConflictError) as exc:
            log.warning("not all strays removed", extra={"error": str(exc)})

    async def _lapse(self, reservations: Reservations) -> None:
        await reservations.lapse_forever(lapse_s=self._settings.vip_lapse_s, check_s=self._settings.vip_lapse_check_s)

    def _facts(self, *workers: Workers) -> dict[str, object]:
        working = {workers.name: {"busy": workers.busy, "failing": workers.failing} for workers in workers}
        return {"serving": self._is_serving, "work": working}
