"""
Datagrams from the bus to evidence: each is verified again, found known and fresh, or refused and counted.

The relay has verified signatures, but health believes nobody; only here a datagram becomes something to act upon. Ten
thousand amphorae speak each second: nothing is asked of the tables for one that is known, and nothing is awaited.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from actium_health import report as reports
from actium_health.judge import Evidence
from actium_health.keys import Datagram, KeyRing
from actium_health.listening import LOSSY_HEADER
from actium_health.liveness import Liveness, Pulse
from actium_health.publisher import Publisher
from actium_health.read_model import queries
from actium_health.read_model.queries import KnownAmphora
from actium_health.refusals import Refusals
from actium_health.report import Edge, LogReport, Parts
from actium_shared.bus import Bus, Delivery
from actium_shared.clock import Clock
from actium_shared.commands.health import LogFigures
from actium_shared.errors import PermanentError
from actium_shared.heartbeat import BadSignature, Freshness, HeartbeatError
from actium_shared.ids import AmphoraId
from actium_shared.read_model import Database
from actium_shared.streams import SIGNALS

log = logging.getLogger(__name__)

REASONS = ("accepted", "replayed", "stale", "unknown", "bad_signature", "malformed", "overtaken", "other_boot")

ROLES = ("MASTER", "BACKUP", "LEARNING", "FAULT")
"""What keepalived decides; where it does not run there is nothing to tell of."""

FIRST_EPOCH = 1

_DATAGRAMS = msgspec.msgpack.Decoder(list[bytes])


@dataclass(slots=True)
class Amphora:
    """What is kept in memory of one that beats; `known` is None when the tables may say something else by now."""

    pulse: Pulse
    known: KnownAmphora | None = None
    fresh: dict[str, Freshness] = field(default_factory=dict)
    """By relay: each passes on the same datagrams, and only the second one from the same relay is a replay."""
    concerned_by: frozenset[str] = frozenset()
    """The appliance and the load balancers that it was last known to be of."""
    newest: Datagram | None = None
    parts: Parts = field(default_factory=Parts)
    logs: LogReport | None = None


class Beats:
    """
    Reads SIGNALS; fills `evidence` and `liveness`.

    Tells `mark` which load balancers it matters to, and `note` which amphora there is something to record of.
    """

    def __init__(
        self,
        keys: KeyRing,
        database: Database,
        publisher: Publisher,
        evidence: dict[str, Evidence],
        liveness: Liveness,
        *,
        mark: Callable[[Iterable[str]], None],
        note: Callable[[str], None],
        age_most_s: float,
        clock: Clock,
    ) -> None:
        self._keys, self._database, self._publisher = keys, database, publisher
        self._evidence, self._mark, self._note = evidence, mark, note
        self._age_most_s, self._clock = age_most_s, clock
        self._amphorae: dict[str, Amphora] = {}
        self._concerned: dict[str, set[str]] = {}
        self._refusals = Refusals(log, clock, reasons=REASONS)
        self._liveness = liveness
        self._last = 0
        self._moved = asyncio.Event()
        self.caught_up = asyncio.Event()

    def facts(self) -> dict[str, object]:
        return {"beats": dict(self._refusals.counts), "logs": self._all_logs()}

    def logs(self) -> dict[AmphoraId, LogFigures]:
        """Give what became of listeners' logs, by amphora; those that ship none are left out."""
        return {
            AmphoraId(key): LogFigures(shipped=amphora.logs.shipped, lost=amphora.logs.lost)
            for key, amphora in self._amphorae.items()
            if amphora.logs is not None
        }

    def _all_logs(self) -> dict[str, object]:
        told = self.logs().values()
        lost: Counter[str] = Counter()
        for each in told:
            lost.update(each.lost)
        return {"shipped": sum(each.shipped for each in told), "lost": dict(lost)}

    async def run(self, bus: Bus, ready: Callable[[], Awaitable[None]]) -> None:
        """Once `ready` returns, as nobody is known before: read what came while nobody listened, then what comes."""
        await ready()
        async for delivery in bus.feed(SIGNALS, after=0, until_end=True):
            await self.take(delivery)
        self.caught_up.set()
        async for delivery in bus.feed(SIGNALS, after=self._last):
            await self.take(delivery)
            await asyncio.sleep(0)  # a feed that has more at hand does not wait, and others have deadlines

    async def have_read(self, sequence: int) -> None:
        """Return once everything up to this sequence has been taken."""
        while self._last < sequence:
            self._moved.clear()
            await self._moved.wait()

    def look_again(self, about: str) -> None:
        """Who runs what has changed: ask the tables anew about the amphora, or those of the appliance or load balancer."""
        for amphora_id in self._concerned.get(about, (about,)):
            if (amphora := self._amphorae.get(amphora_id)) is not None:
                amphora.known = None

    def forget(self, amphora_id: str) -> None:
        """It was deleted: nothing of it is believed any more."""
        if (amphora := self._amphorae.pop(amphora_id, None)) is not None:
            self._index(amphora_id, amphora.concerned_by, frozenset())
        self._evidence.pop(amphora_id, None)
        self._liveness.forget(amphora_id)

    def _index(self, amphora_id: str, before: frozenset[str], now: frozenset[str]) -> None:
        for about in before - now:
            self._concerned[about].discard(amphora_id)
            if not self._concerned[about]:
                del self._concerned[about]
        for about in now - before:
            self._concerned.setdefault(about, set()).add(amphora_id)

    async def take(self, delivery: Delivery) -> None:
        """Take one list of datagrams. Its age counts from when the bus got it: we may have been away."""
        relay, arrived_at = delivery.subject.rpartition(".")[2], delivery.time.timestamp()
        try:
            datagrams = _DATAGRAMS.decode(delivery.body)
        except msgspec.DecodeError as exc:
            self._refusals.refuse("malformed", subject=delivery.subject, error=str(exc))
        else:
            for datagram in datagrams:
                await self._take(datagram, relay, arrived_at)
            self._heard_relay(relay, arrived_at, lossy=LOSSY_HEADER in delivery.headers)
        self._last = delivery.sequence
        self._moved.set()

    def _heard_relay(self, relay: str, arrived_at: float, *, lossy: bool) -> None:
        """After what it brought: time must not pass before whoever spoke in it was heard."""
        self._liveness.listening.message(relay, arrived_at, read_at=self._clock.monotonic(), lossy=lossy)

    async def _take(self, datagram: bytes, relay: str, arrived_at: float) -> None:
        try:
            heartbeat = self._keys.open(datagram)
        except HeartbeatError as exc:
            reason = "bad_signature" if isinstance(exc, BadSignature) else "malformed"
            self._refusals.refuse(reason, relay=relay, error=str(exc))
            return
        amphora = self._amphorae.get(heartbeat.amphora_id)
        if amphora is None or amphora.known is None:
            amphora = await self._look_up(heartbeat.amphora_id)
        if amphora is None or amphora.known is None or heartbeat.key_version < amphora.known.key_version:
            self._refusals.refuse("unknown", relay=relay, amphora_id=heartbeat.amphora_id)
            return
        fresh = amphora.fresh.get(relay)
        if fresh is None:
            fresh = amphora.fresh[relay] = Freshness(limit_s=self._age_most_s)
        if (why := fresh.refusal(heartbeat, now=arrived_at)) is not None:
            self._refusals.refuse(why.replace(" ", "_"), relay=relay, amphora_id=heartbeat.amphora_id)
            return
        try:
            self._believe(amphora, amphora.known, heartbeat, arrived_at)
        except PermanentError as exc:
            self._refusals.refuse("malformed", relay=relay, amphora_id=heartbeat.amphora_id, error=str(exc))
            return
        self._refusals.counts["accepted"] += 1

    def _note_news(self, pulse: Pulse) -> None:
        """Have it recorded; not of who was judged, by what came while nobody listened: that may be older than the verdict."""
        if self.caught_up.is_set() or not pulse.verdict:
            self._note(pulse.amphora_id)

    async def _look_up(self, amphora_id: str) -> Amphora | None:
        known = await self._database.read(lambda connection: queries.amphora(connection, amphora_id))
        if known is None or known.deleted:
            return None
        amphora = self._amphorae.get(amphora_id)
        if amphora is None:
            amphora = self._amphorae[amphora_id] = Amphora(pulse=self._liveness.pulse(amphora_id))
        amphora.known = known
        concerned_by = known.load_balancer_ids | {known.appliance_id}
        self._index(amphora_id, amphora.concerned_by, concerned_by)
        amphora.concerned_by = concerned_by
        return amphora

    def _believe(self, amphora: Amphora, known: KnownAmphora, heartbeat: Datagram, arrived_at: float) -> None:
        pulse = amphora.pulse
        before = amphora.newest
        same_boot = before is not None and before.boot_id == heartbeat.boot_id
        if before is not None and (heartbeat.counter <= before.counter if same_boot else heartbeat.at <= before.at):
            return  # another relay was faster
        amphora.newest = heartbeat
        if heartbeat.kind == "farewell":
            self._liveness.farewell(pulse, arrived_at)
        else:
            self._liveness.heard(pulse, arrived_at)
        if pulse.verdict:
            self._note_news(pulse)
        match heartbeat.kind:
            case "beat":
                self._beat(amphora, known, heartbeat, same_boot=same_boot)
            case "edge":
                self._edges(amphora, known, heartbeat, same_boot=same_boot)
            case _:
                pass

    def _beat(self, amphora: Amphora, known: KnownAmphora, heartbeat: Datagram, *, same_boot: bool) -> None:
        whole = amphora.parts.add(reports.read_beat(heartbeat.body))
        if whole is None:
            return
        amphora.logs = whole.logs
        evidence = self._evidence.get(heartbeat.amphora_id) if same_boot else None
        report = reports.from_beat(whole, evidence.report if evidence else None)
        if evidence is None or report is not evidence.report:
            self._has_changed(known, heartbeat, Evidence(report=report, source=_source(heartbeat)))
        # Only what it carries: an amphora that was broken into must not speak for others.
        listeners = whole.listeners
        if not listeners.keys() <= known.listeners:
            listeners = {key: value for key, value in listeners.items() if key in known.listeners}
        self._publisher.observe(heartbeat.amphora_id, heartbeat.boot_id, listeners, at=heartbeat.at)
        if whole.role in ROLES:
            self._plays(amphora.pulse, known, whole.role, whole.epoch or FIRST_EPOCH)

    def _edges(self, amphora: Amphora, known: KnownAmphora, heartbeat: Datagram, *, same_boot: bool) -> None:
        edges = reports.read_edges(heartbeat.body)
        evidence = self._evidence.get(heartbeat.amphora_id) if same_boot else None
        if evidence is not None:
            report = reports.with_edges(evidence.report, edges)
            if report != evidence.report:
                self._has_changed(known, heartbeat, Evidence(report=report, source=_source(heartbeat)))
        role = _last_role(edges)
        if role in ROLES:
            self._plays(amphora.pulse, known, role, amphora.pulse.epoch or FIRST_EPOCH)

    def _has_changed(self, known: KnownAmphora, heartbeat: Datagram, evidence: Evidence) -> None:
        before = self._evidence.get(heartbeat.amphora_id)
        self._evidence[heartbeat.amphora_id] = evidence
        if known.in_service and (before is None or before.report != evidence.report):
            self._mark(known.load_balancer_ids)

    def _plays(self, pulse: Pulse, known: KnownAmphora, role: str, epoch: int) -> None:
        pulse.role, pulse.epoch = role, epoch
        if known.in_service and (pulse.role != pulse.said_role or pulse.epoch != pulse.said_epoch):
            self._note_news(pulse)


def _last_role(edges: Iterable[Edge]) -> str:
    return next((edge.status for edge in reversed(tuple(edges)) if edge.kind == "role"), "")


def _source(heartbeat: Datagram) -> str:
    return f"amphora.{heartbeat.kind}/{heartbeat.amphora_id}/{heartbeat.boot_id}/{heartbeat.counter}"
