"""
Datagrams from the bus to evidence: each is verified again, found known and fresh, or refused and counted.

The relay has verified signatures, but health believes nobody; only here a datagram becomes something to act upon.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from actium_health import report as reports
from actium_health.judge import Evidence
from actium_health.keys import KeyRing
from actium_health.liveness import Liveness
from actium_health.publisher import Publisher
from actium_health.read_model import queries
from actium_health.read_model.queries import KnownAmphora
from actium_health.refusals import Refusals
from actium_health.report import Parts, Report
from actium_shared.bus import Bus, Delivery
from actium_shared.clock import Clock
from actium_shared.errors import PermanentError
from actium_shared.heartbeat import BadSignature, Freshness, Heartbeat, HeartbeatError
from actium_shared.read_model import Database
from actium_shared.streams import SIGNALS

log = logging.getLogger(__name__)

REASONS = ("accepted", "replayed", "stale", "unknown", "bad_signature", "malformed", "overtaken", "other_boot")

_DATAGRAMS = msgspec.msgpack.Decoder(list[bytes])


@dataclass(slots=True)
class Amphora:
    """What is kept in memory of one that beats; `known` is None when the tables may say something else by now."""

    known: KnownAmphora | None = None
    fresh: dict[str, Freshness] = field(default_factory=dict)
    """By relay: each passes on the same datagrams, and only the second one from the same relay is a replay."""
    newest: Heartbeat | None = None
    parts: Parts = field(default_factory=Parts)


class Beats:
    """Reads SIGNALS; fills `evidence` and tells `mark` which load balancers it matters to."""

    def __init__(
        self,
        keys: KeyRing,
        database: Database,
        publisher: Publisher,
        evidence: dict[str, Evidence],
        *,
        mark: Callable[[Iterable[str]], None],
        age_most_s: float,
        clock: Clock,
    ) -> None:
        self._keys, self._database, self._publisher = keys, database, publisher
        self._evidence, self._mark, self._age_most_s = evidence, mark, age_most_s
        self._amphorae: dict[str, Amphora] = {}
        self._refusals = Refusals(log, clock, reasons=REASONS)
        self.liveness = Liveness()
        self.caught_up = asyncio.Event()

    def facts(self) -> dict[str, object]:
        return {"beats": dict(self._refusals.counts), **self.liveness.facts()}

    async def run(self, bus: Bus, ready: Callable[[], Awaitable[None]]) -> None:
        """Once `ready` returns, as nobody is known before: read what came while nobody listened, then what comes."""
        await ready()
        last = 0
        async for delivery in bus.feed(SIGNALS, after=0, until_end=True):
            await self.take(delivery)
            last = delivery.sequence
        self.caught_up.set()
        async for delivery in bus.feed(SIGNALS, after=last):
            await self.take(delivery)

    def look_again(self) -> None:
        """Who runs what has changed: ask the tables anew about each amphora."""
        for amphora in self._amphorae.values():
            amphora.known = None

    def forget(self, amphora_id: str) -> None:
        """It was deleted: nothing of it is believed any more."""
        self._amphorae.pop(amphora_id, None)
        self._evidence.pop(amphora_id, None)
        self.liveness.forget(amphora_id)

    async def take(self, delivery: Delivery) -> None:
        """Take one list of datagrams. Its age counts from when the bus got it: we may have been away."""
        try:
            datagrams = _DATAGRAMS.decode(delivery.body)
        except msgspec.DecodeError as exc:
            self._refusals.refuse("malformed", subject=delivery.subject, error=str(exc))
            return
        relay, arrived_at = delivery.subject.rpartition(".")[2], delivery.time.timestamp()
        for datagram in datagrams:
            await self._take(datagram, relay, arrived_at)

    async def _take(self, datagram: bytes, relay: str, arrived_at: float) -> None:
        try:
            heartbeat = self._keys.open(datagram)
        except HeartbeatError as exc:
            reason = "bad_signature" if isinstance(exc, BadSignature) else "malformed"
            self._refusals.refuse(reason, relay=relay, error=str(exc))
            return
        amphora = await self._amphora(heartbeat)
        if amphora is None or amphora.known is None:
            self._refusals.refuse("unknown", relay=relay, amphora_id=heartbeat.amphora_id)
            return
        fresh = amphora.fresh.setdefault(relay, Freshness(limit_s=self._age_most_s))
        if (why := fresh.refusal(heartbeat, now=arrived_at)) is not None:
            self._refusals.refuse(why.replace(" ", "_"), relay=relay, amphora_id=heartbeat.amphora_id)
            return
        try:
            self._believe(amphora, amphora.known, heartbeat)
        except PermanentError as exc:
            self._refusals.refuse("malformed", relay=relay, amphora_id=heartbeat.amphora_id, error=str(exc))
            return
        self._refusals.counts["accepted"] += 1

    async def _amphora(self, heartbeat: Heartbeat) -> Amphora | None:
        amphora = self._amphorae.get(heartbeat.amphora_id) or Amphora()
        if amphora.known is None:
            amphora.known = await self._database.read(
                lambda connection: queries.amphora(connection, heartbeat.amphora_id)
            )
        known = amphora.known
        if known is None or known.deleted or heartbeat.key_version < known.key_version:
            return None
        self._amphorae[heartbeat.amphora_id] = amphora
        return amphora

    def _believe(self, amphora: Amphora, known: KnownAmphora, heartbeat: Heartbeat) -> None:
        self.liveness.heard(heartbeat.amphora_id, at=heartbeat.at)
        before = amphora.newest
        same_boot = before is not None and before.boot_id == heartbeat.boot_id
        if before and (heartbeat.counter <= before.counter if same_boot else heartbeat.at <= before.at):
            return  # another relay was faster
        amphora.newest = heartbeat
        evidence = self._evidence.get(heartbeat.amphora_id) if same_boot else None
        report = self._report(amphora, known, heartbeat, evidence.report if evidence else None)
        if report is not None and (evidence is None or report != evidence.report):
            source = f"amphora.{heartbeat.kind}/{heartbeat.amphora_id}/{heartbeat.boot_id}/{heartbeat.counter}"
            self._evidence[heartbeat.amphora_id] = Evidence(report=report, source=source)
            if known.in_service:
                self._mark(known.load_balancer_ids)

    def _report(
        self, amphora: Amphora, known: KnownAmphora, heartbeat: Heartbeat, before: Report | None
    ) -> Report | None:
        match heartbeat.kind:
            case "beat" if (whole := amphora.parts.add(heartbeat.body)) is not None:
                report = reports.from_beat(whole, before)
                # Only what it carries: an amphora that was broken into must not speak for others.
                carried = {key: value for key, value in whole["listeners"].items() if key in known.listeners}
                self._publisher.observe(heartbeat.amphora_id, heartbeat.boot_id, carried, at=heartbeat.at)
                return report
            case "edge" if before is not None:
                return reports.with_edges(before, heartbeat.body)
            case _:
                return None
