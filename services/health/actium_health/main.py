"""How the health service is wired together."""

import logging

from actium_health.beats import Beats
from actium_health.handlers import Handlers
from actium_health.judge import Evidence, Judge
from actium_health.keys import KeyRing
from actium_health.migrations import upgrade
from actium_health.publisher import Publisher
from actium_health.read_model import tables
from actium_health.read_model.projections import COMPUTE, OWN, PLANNER
from actium_health.settings import HealthSettings
from actium_shared.bus import Bus
from actium_shared.clock import Clock, SystemClock
from actium_shared.crypto import read_master_key
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore
from actium_shared.ids import RandomIds
from actium_shared.message import Position
from actium_shared.read_model import Database, Positions
from actium_shared.service import Service, connect, within_request

log = logging.getLogger(__name__)

FEEDS = (PLANNER, COMPUTE, OWN)
CATCH_UP_S = 30.0
"""Longer takes only a rebuild from nothing; going on is safe, as an append that is not up to date is refused."""


async def main(settings: HealthSettings) -> None:
    """Run until told to stop."""
    keys = KeyRing(read_master_key(settings.heartbeat_master_key_file))
    database = Database(settings.database_url)
    try:
        upgrade(database.engine)
        async with connect("health", settings) as bus:
            service = await assemble(bus, database, keys, age_most_s=settings.beat_age_most_s)
            await service.run()
    finally:
        database.close()


async def assemble(bus: Bus, database: Database, keys: KeyRing, *, age_most_s: float) -> Service:
    """Give the service, ready to run."""
    clock = SystemClock()
    positions = Positions(tables.positions)
    await positions.load(database)
    evidence: dict[str, Evidence] = {}
    judge = Judge(database, positions, JetStreamEventStore(bus), evidence, clock=clock, ids=RandomIds())
    publisher = Publisher(bus, database, clock)
    beats = Beats(keys, database, publisher, evidence, mark=judge.mark, age_most_s=age_most_s, clock=clock)
    handlers = Handlers(database, positions, judge=judge, beats=beats, publisher=publisher)

    service = Service("health", bus)
    for stream in FEEDS:
        service.feed(stream, handlers.commit, after=positions.of(stream))
    service.loop("beats", lambda: beats.run(bus, lambda: _read_to_the_end(bus, positions, clock)))
    service.loop("judge", lambda: judge.run(beats.caught_up))
    service.loop("statistics", publisher.run)
    service.fact(beats.facts)
    await bus.serve_asks("health", within_request(publisher.answer))
    return service


async def _read_to_the_end(bus: Bus, positions: Positions, clock: Clock) -> None:
    """Return when the tables contain what was on the log when we started: before, nobody is known."""
    deadline = clock.monotonic() + CATCH_UP_S
    for stream in FEEDS:
        try:
            end = Position(stream, await bus.last_sequence(stream))
            await positions.wait_for(end, timeout_s=max(0.0, deadline - clock.monotonic()))
        except RetryableError as exc:
            log.warning("reading beats before the tables are up to date", extra={"stream": stream, "error": str(exc)})
