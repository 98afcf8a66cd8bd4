"""Wires the API: bus, read model, projector, web server."""

import asyncio
import contextlib

from actium_api import drivers, migrations, server
from actium_api.access import admission
from actium_api.app import application
from actium_api.asks import Asks
from actium_api.projector import Projector
from actium_api.read_model.tables import POSITIONS
from actium_api.settings import ApiSettings
from actium_shared.clock import SystemClock
from actium_shared.ids import RandomIds
from actium_shared.read_model import Database, Positions
from actium_shared.service import Service, connect

LISTEN_AFTER_S = 10.0
"""Until then nobody is let in before the read model has caught up; later tenants are told to wait (503)."""


async def main(settings: ApiSettings) -> None:
    """Run until told to stop."""
    clock = SystemClock()
    authenticator, policy = admission.authenticator(settings, clock), admission.policy(settings)
    tenant_secrets = admission.tenant_secrets(settings)
    database = Database(settings.database_url, clock=clock)
    migrations.upgrade(database.engine)
    positions = Positions(POSITIONS, clock=clock)
    await positions.load(database)
    try:
        async with connect("api", settings) as bus:
            service = Service("api", bus, clock)
            projector = Projector(bus=bus, database=database, positions=positions, clock=clock)
            projector.attach(service)
            asks = Asks(bus=bus, positions=positions, clock=clock)
            app = application(
                with_facade=settings.facade,
                authenticator=authenticator,
                policy=policy,
                tenant_secrets=tenant_secrets,
            )
            app.state.bus = bus
            app.state.stopping = asyncio.Event()  # ends answers that have no end of their own
            app.state.database = database
            app.state.settings = settings
            app.state.clock = clock
            app.state.ids = RandomIds()
            app.state.asks = asks
            app.state.caught_up = projector.caught_up
            app.state.drivers = drivers.load(settings, asks=asks, database=database, ids=app.state.ids)
            drivers.attach(
                service,
                app.state.drivers,
                settings,
                asks=asks,
                database=database,
                clock=clock,
                caught_up=projector.caught_up,
            )

            def stopping() -> None:
                app.state.stopping.set()
                asks.stop()

            async def http() -> None:
                with contextlib.suppress(TimeoutError):  # a long rebuild shows itself to operators meanwhile
                    async with asyncio.timeout(LISTEN_AFTER_S):
                        await projector.caught_up.wait()
                await server.serve(app, settings, stopping=stopping)

            service.loop("http", http)
            await service.run()
    finally:
        if authenticator is not None:
            await authenticator.close()
        if tenant_secrets is not None:
            tenant_secrets.close()
        database.close()
