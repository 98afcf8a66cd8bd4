"""
One loop that looks at everybody a few times a second, asks the witness, and has verdicts recorded.

Before a verdict it makes sure that every signal there is has been read: our own absence is never their death.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from actium_health.beats import Beats
from actium_health.liveness import Finding, Liveness, Pulse, Sweep, Verdict, Word
from actium_health.recorder import Recorder
from actium_shared import tasks
from actium_shared.bus import Bus, Question
from actium_shared.clock import Clock
from actium_shared.commands.compute import AmphoraProbed, ProbeAmphora
from actium_shared.commands.health import ReleaseHeldLosses
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.ids import AmphoraId
from actium_shared.message import Accepted, Cause, CommandCause, Position, Reason, Rejected, Reply
from actium_shared.read_model import Positions
from actium_shared.streams import SIGNALS, events_of

log = logging.getLogger(__name__)

READ_UP_S = 1.0
"""So long to read what the bus holds, before a verdict; else the next sweep tries."""

ANSWER_S = 1.0
"""Beyond the probe itself: a probe that finds nobody takes its whole time, and the answer has a way to go."""

TELL_EVERY_S = 5.0


class Sweeper:
    """Owns the sweeps and the questions to the witness."""

    def __init__(
        self,
        bus: Bus,
        beats: Beats,
        liveness: Liveness,
        recorder: Recorder,
        positions: Positions,
        *,
        every_s: float,
        probes_most: int,
        clock: Clock,
    ) -> None:
        self._bus, self._beats, self._liveness, self._recorder = bus, beats, liveness, recorder
        self._positions, self._clock = positions, clock
        self._every_s, self._probes_most = every_s, probes_most
        self._late_most_s = liveness.limits.silent_most_s / 3
        self._probing: dict[str, asyncio.Task[None]] = {}
        self._released: dict[str, Cause] = {}
        self._news = asyncio.Event()
        self._swept = asyncio.Condition()
        self._told_at: dict[str, float] = {}
        self._last = Sweep()
        bus.on_reconnect(liveness.listening.restart)

    def facts(self) -> Mapping[str, object]:
        return {
            **self._liveness.facts(self._liveness.listening.now(self._clock.monotonic())),
            "many_silent_at_once": self._last.many,
        }

    async def run(self) -> None:
        """Sweep for ever, once the beats are read up to the present."""
        await self._beats.caught_up.wait()
        self._liveness.listening.restart()
        try:
            while True:
                await self._pause()
                await self._sweep()
                async with self._swept:
                    self._swept.notify_all()
        finally:
            await tasks.end(self._probing.values())

    async def release(self, question: Question, command: ReleaseHeldLosses) -> Reply:
        """
        Have verdicts that are held back fall now, whatever the limit says; answer when they have.

        Raises:
            RetryableError: not all did in time.
        """
        released = self._liveness.release(command.host)
        if not released:
            where = f" on host {command.host}" if command.host else ""
            return Rejected(reason=Reason.NOT_FOUND, detail=f"nothing is held back{where}", field="host")
        cause = CommandCause(command=command, actor=question.envelope.actor)
        self._released.update({pulse.amphora_id: cause for pulse in released})
        self._news.set()
        try:
            async with asyncio.timeout(max(0.0, question.deadline - self._clock.monotonic())), self._swept:
                await self._swept.wait_for(lambda: not any(self._is_held(pulse) for pulse in released))
        except TimeoutError as exc:
            raise RetryableError("not all verdicts have fallen yet") from exc
        own = events_of("health")
        return Accepted(position=Position(own, self._positions.of(own)))

    def _is_held(self, pulse: Pulse) -> bool:
        return pulse.expected and pulse.verdict is Verdict.HELD_BACK

    async def _pause(self) -> None:
        """Wait for the next sweep, or an answer. Whoever comes late himself was paused or too busy to listen."""
        due = self._clock.monotonic() + self._every_s
        try:
            async with asyncio.timeout(self._every_s):
                await self._news.wait()
        except TimeoutError:
            pass  # nothing new: time for a look all the same
        self._news.clear()
        late_s = self._clock.monotonic() - due
        if late_s > self._late_most_s:
            log.warning("we were late ourselves: nobody is judged for now", extra={"late_s": round(late_s, 2)})
            self._liveness.listening.restart()

    async def _sweep(self) -> None:
        self._last = sweep = self._look()
        self._ask(sweep.probes)
        for pulse in sweep.mute:
            log.warning("answers but does not beat", extra={"amphora_id": pulse.amphora_id, "host": pulse.host})
        if sweep.many:
            self._tell("many amphorae fell silent at once: none is judged before all were asked about")
        if sweep.findings and await self._has_read_everything():
            await self._record(self._look().findings)

    def _look(self) -> Sweep:
        return self._liveness.sweep(self._liveness.listening.now(self._clock.monotonic()))

    async def _has_read_everything(self) -> bool:
        try:
            async with asyncio.timeout(READ_UP_S):
                await self._beats.have_read(await self._bus.last_sequence(SIGNALS))
        except (TimeoutError, RetryableError) as exc:
            self._tell("cannot read all beats now: nobody is judged", error=str(exc))
            return False
        return True

    async def _record(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            pulse = finding.pulse
            done = await self._recorder.record(finding, cause=self._released.get(pulse.amphora_id))
            if done and finding.verdict is Verdict.LOST:
                self._released.pop(pulse.amphora_id, None)

    # -- the witness

    def _ask(self, pulses: Iterable[Pulse]) -> None:
        for pulse in pulses:
            if len(self._probing) >= self._probes_most:
                return
            pulse.asking = True
            asked_at = self._liveness.listening.now(self._clock.monotonic())
            task = asyncio.create_task(self._probe(pulse, asked_at), name=f"probe {pulse.amphora_id}")
            self._probing[pulse.amphora_id] = task
            task.add_done_callback(lambda _, pulse=pulse: self._asked(pulse))  # type: ignore[misc]

    def _asked(self, pulse: Pulse) -> None:
        pulse.asking = False
        self._probing.pop(pulse.amphora_id, None)
        self._news.set()

    async def _probe(self, pulse: Pulse, asked_at: float) -> None:
        timeout_s = self._liveness.limits.ahead_s
        probe = ProbeAmphora(amphora_id=AmphoraId(pulse.amphora_id), timeout_s=timeout_s)
        try:
            word, detail = _word(await self._bus.ask(probe, timeout_s=timeout_s + ANSWER_S))
        except (RetryableError, PermanentError) as exc:
            word, detail = Word.UNKNOWN, str(exc)
            self._tell("the witness cannot be asked", error=detail)
        self._liveness.testified(pulse, word, asked_at=asked_at, detail=detail)

    def _tell(self, text: str, **about: object) -> None:
        now = self._clock.monotonic()
        if now - self._told_at.get(text, float("-inf")) >= TELL_EVERY_S:
            self._told_at[text] = now
            log.warning(text, extra=about)


def _word(reply: Reply) -> tuple[Word, str]:
    match reply:
        case AmphoraProbed(answers=True, detail=detail):
            return Word.ANSWERED, detail
        case AmphoraProbed(detail=detail):
            return Word.FAILED, detail
        case Rejected(reason=Reason.NOT_FOUND, detail=detail):
            return Word.FAILED, detail
        case Rejected(detail=detail):
            return Word.UNKNOWN, detail
        case _:
            return Word.UNKNOWN, f"an answer of type {reply.TYPE}"
