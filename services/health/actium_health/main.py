"""How the health service is wired together."""

import logging
from datetime import UTC, datetime

from actium_health.beats import Beats
from actium_health.handlers import Handlers
from actium_health.judge import Evidence, Judge
from actium_health.keys import KeyRing
from actium_health.liveness import Liveness
from actium_health.migrations import upgrade
from actium_health.publisher import Publisher
from actium_health.read_model import tables
from actium_health.read_model.projections import COMPUTE, OWN, PLANNER, READS
from actium_health.recorder import Recorder
from actium_health.settings import HealthSettings
from actium_health.sweeper import Sweeper
from actium_shared.bus import Bus, Question
from actium_shared.clock import Clock, SystemClock
from actium_shared.commands.health import FindLastHeard, LastHeard, ReleaseHeldLosses, ReportStatistics
from actium_shared.crypto import read_master_key
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.event_store import JetStreamEventStore
from actium_shared.ids import AmphoraId, RandomIds
from actium_shared.message import Position, Reply
from actium_shared.read_model import Database, Positions, types_of
from actium_shared.service import Service, connect, within_request

log = logging.getLogger(__name__)

FEEDS = (PLANNER, COMPUTE, OWN)
BATCH_MOST = 100
PAUSE_S = 0.02
"""Between takes of others' commits while many come: nobody waits for one of them, and a transaction for each is dear."""

CATCH_UP_S = 30.0
"""Longer takes only a rebuild from nothing; going on is safe, as an append that is not up to date is refused."""


async def main(settings: HealthSettings) -> None:
    """Run until told to stop."""
    keys = KeyRing(read_master_key(settings.heartbeat_master_key_file))
    database = Database(settings.database_url)
    try:
        upgrade(database.engine)
        async with connect("health", settings) as bus:
            service = await assemble(bus, database, keys, settings)
            await service.run()
    finally:
        database.close()


async def assemble(bus: Bus, database: Database, keys: KeyRing, settings: HealthSettings) -> Service:
    """Give the service, ready to run."""
    clock = SystemClock()
    positions = Positions(tables.positions)
    await positions.load(database)
    store, ids = JetStreamEventStore(bus), RandomIds()
    liveness = Liveness(settings.limits())
    recorder = Recorder(database, positions, store, liveness, clock=clock, ids=ids)
    evidence: dict[str, Evidence] = {}
    judge = Judge(database, positions, store, evidence, clock=clock, ids=ids)
    publisher = Publisher(bus, database, clock)
    beats = Beats(
        keys,
        database,
        publisher,
        evidence,
        liveness,
        mark=judge.mark,
        note=recorder.note,
        age_most_s=settings.beat_age_most_s,
        clock=clock,
    )
    sweeper = Sweeper(
        bus,
        beats,
        liveness,
        recorder,
        positions,
        every_s=settings.sweep_every_s,
        probes_most=settings.probes_most,
        clock=clock,
    )
    handlers = Handlers(
        database, positions, judge=judge, beats=beats, publisher=publisher, liveness=liveness, clock=clock
    )
    await handlers.load()
    is_new = positions.of(PLANNER) == 0

    async def ready() -> None:
        await _read_to_the_end(bus, positions, clock)
        if is_new:
            await publisher.restore()

    async def answer(question: Question) -> Reply:
        match question.command:
            case ReportStatistics() as command:
                return await publisher.report(command)
            case FindLastHeard():
                heard_at = liveness.heard_at()
                return LastHeard(
                    heard_at={AmphoraId(key): datetime.fromtimestamp(at, UTC) for key, at in heard_at.items()},
                    logs=beats.logs(),
                )
            case ReleaseHeldLosses() as command:
                return await sweeper.release(question, command)
            case command:
                raise PermanentError(f"health does not take {command.TYPE}")

    service = Service("health", bus)
    foreign = types_of(READS)  # each of our own moves an aggregate, whatever it tells
    for stream in FEEDS:
        service.feed(
            stream,
            handlers.commits,
            after=positions.of(stream),
            most=BATCH_MOST,
            passes=lambda delivery: positions.passes(delivery, None if delivery.stream == OWN else foreign),
            pause_s=0.0 if stream == OWN else PAUSE_S,
        )
    service.loop("beats", lambda: beats.run(bus, ready))
    service.loop("judge", lambda: judge.run(beats.caught_up))
    service.loop("recorder", recorder.run)
    service.loop("sweeper", sweeper.run)
    service.loop("statistics", publisher.run)
    service.fact(beats.facts)
    service.fact(sweeper.facts)
    await bus.serve_asks("health", within_request(answer))
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
