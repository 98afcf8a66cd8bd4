"""
Who lives? What is known of each amphora's beats and of what the second witness says, and what follows. Pure.

All times are unix seconds of the bus (see `listening.py`), not of whoever reads. Nobody is lost for silence alone: the
witness (compute, over mTLS) must have found nobody, or cannot be asked while others are heard.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from actium_health.listening import Listening
from actium_health.storm import Budget, Quota

SHOWN_MOST = 100
HELD_AGAIN_S = 5.0
MUTE_AGAIN_S = 10.0


OVERALL = Quota(floor=10, share=0.1)
PER_HOST = Quota(floor=10, share=0.5)


class Verdict(StrEnum):
    """What was last recorded of an amphora's life."""

    NONE = ""
    LOST = "lost"
    HELD_BACK = "held-back"


class Word(StrEnum):
    """What the witness says: the agent answered, it did not, or that cannot be known now."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When silence is death. `ahead_s` before the limit the witness is asked, so that the verdict is not late."""

    silent_most_s: float = 3.0
    spare_silent_most_s: float = 60.0
    farewell_silent_most_s: float = 1.0
    ahead_s: float = 1.0
    grace_s: float = 6.0
    """After the limit, where the witness cannot be asked."""
    mute_most_s: float = 60.0
    """Who answers and is silent for longer is told of once; it is left alone."""
    many_floor: int = 5
    many_share: float = 0.5
    limited: bool = True
    overall: Quota = OVERALL
    per_host: Quota = PER_HOST


@dataclass(slots=True, kw_only=True)
class Pulse:
    """
    One amphora. `since`: its silence counts from here; `heard_at`: when it was last believed, None for never.

    `role` and `epoch` are what it says, `said_role` and `said_epoch` what was recorded of it.
    """

    amphora_id: str
    since: float = float("-inf")
    heard_at: float | None = None
    appliance_id: str = ""
    host: str = ""
    spare: bool = False
    expected: bool = False
    farewell: bool = False
    verdict: Verdict = Verdict.NONE
    released: bool = False
    word: Word | None = None
    detail: str = ""
    asked_at: float = float("-inf")
    asking: bool = False
    mute_told: bool = False
    role: str = ""
    epoch: int = 0
    said_role: str = ""
    said_epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict that is to be recorded, lost or held back; void once the amphora is heard after `since`."""

    pulse: Pulse
    since: float
    verdict: Verdict
    reason: str

    @property
    def holds(self) -> bool:
        return self.pulse.expected and self.pulse.since == self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one look at everybody leads to. `probes` begin with who has been silent longest."""

    probes: tuple[Pulse, ...] = ()
    findings: tuple[Finding, ...] = ()
    mute: tuple[Pulse, ...] = ()
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    pulse: Pulse
    silent_s: float
    limit_s: float
    word: Word | None

    @property
    def is_due(self) -> bool:
        return self.silent_s >= self.limit_s


NOTHING = Sweep()


@dataclass(slots=True)
class Liveness:
    """All amphorae: those of the tables that are expected to beat, and whoever else is heard."""

    limits: Limits = field(default_factory=Limits)
    listening: Listening = field(init=False)
    budget: Budget = field(init=False)
    _pulses: dict[str, Pulse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.listening = Listening(gap_most_s=self.limits.silent_most_s / 2)
        self.budget = Budget(self.limits.overall, self.limits.per_host, limited=self.limits.limited)

    # -- what is known of an amphora

    def pulse(self, amphora_id: str) -> Pulse:
        found = self._pulses.get(amphora_id)
        if found is None:
            found = self._pulses[amphora_id] = Pulse(amphora_id=amphora_id)
        return found

    def knows(self, amphora_id: str) -> bool:
        return amphora_id in self._pulses

    def expect(
        self, amphora_id: str, *, appliance_id: str, host: str, spare: bool, now: float, afresh: bool = False
    ) -> None:
        """Have it beat from now on; `afresh`: also where it did before, as it has booted again."""
        pulse = self.pulse(amphora_id)
        if not pulse.expected or afresh:
            pulse.since = max(pulse.since, now)
        pulse.expected, pulse.appliance_id, pulse.host, pulse.spare = True, appliance_id, host, spare

    def dismiss(self, amphora_id: str) -> None:
        """It need not beat any more."""
        if (pulse := self._pulses.get(amphora_id)) is not None:
            pulse.expected = False

    def forget(self, amphora_id: str) -> None:
        if (pulse := self._pulses.pop(amphora_id, None)) is not None:
            pulse.expected = False

    def heard(self, pulse: Pulse, at: float) -> None:
        """One of its datagrams came, and was believed."""
        pulse.since = pulse.heard_at = at
        pulse.farewell = False

    def farewell(self, pulse: Pulse, at: float) -> None:
        """It says that it ends: the witness is asked at once, and the limit is a shorter one."""
        pulse.since = pulse.heard_at = at
        pulse.farewell = True

    def testified(self, pulse: Pulse, word: Word, *, asked_at: float, detail: str = "") -> None:
        """The witness said this; it is worth something as long as the amphora has not been heard since `asked_at`."""
        pulse.word, pulse.detail, pulse.asked_at = word, detail, asked_at

    def said(self, amphora_id: str, verdict: Verdict, role: str, epoch: int) -> None:
        """This is what was last recorded of it."""
        pulse = self.pulse(amphora_id)
        pulse.verdict, pulse.said_role, pulse.said_epoch = verdict, role, epoch
        if verdict is not Verdict.HELD_BACK:
            pulse.released = False

    def release(self, host: str) -> list[Pulse]:
        """Have the verdicts fall that are held back, on this host or ("") on all."""
        held = [p for p in self._pulses.values() if p.verdict is Verdict.HELD_BACK and host in ("", p.host)]
        for pulse in held:
            pulse.released = True
        return held

    def heard_at(self) -> dict[str, float]:
        """Give when each was last believed that ever was."""
        return {key: pulse.heard_at for key, pulse in self._pulses.items() if pulse.heard_at is not None}

    # -- what follows

    def sweep(self, now: float) -> Sweep:
        """Look at everybody. Whatever of this is not done is found again by the next sweep."""
        listened_since = self.listening.since(now)
        if listened_since is None:
            return NOTHING
        suspects = sorted(self._suspects(now, listened_since), key=lambda suspect: -suspect.silent_s)
        if not suspects:
            return NOTHING
        expected = [pulse for pulse in self._pulses.values() if pulse.expected and pulse.verdict is not Verdict.LOST]
        many = self._many_at_once(suspects, expected)
        guilty = list(self._guilty(suspects, now, many=many, others=len(expected) > len(suspects)))
        return Sweep(
            probes=tuple(suspect.pulse for suspect in suspects if self._to_ask(suspect, now)),
            findings=tuple(self._limited(guilty, expected, now)),
            mute=tuple(self._newly_mute(suspects)),
            many=many,
        )

    def _suspects(self, now: float, listened_since: float) -> Iterator[Suspect]:
        recent = now - (self.limits.silent_most_s - self.limits.ahead_s)
        for pulse in self._pulses.values():
            if pulse.since > recent and not pulse.farewell:
                continue
            if not pulse.expected or pulse.verdict is Verdict.LOST:
                continue
            silent_s = now - max(pulse.since, listened_since)
            limit_s, ahead_s = self._timing(pulse)
            if silent_s >= limit_s - ahead_s:
                heard_at = pulse.since if pulse.heard_at is None else pulse.heard_at
                word = pulse.word if pulse.asked_at >= heard_at else None
                yield Suspect(pulse=pulse, silent_s=silent_s, limit_s=limit_s, word=word)

    def _timing(self, pulse: Pulse) -> tuple[float, float]:
        """Give the limit, and how long before it the witness is asked."""
        limits = self.limits
        if pulse.farewell:
            return limits.farewell_silent_most_s, limits.farewell_silent_most_s
        return (limits.spare_silent_most_s if pulse.spare else limits.silent_most_s), limits.ahead_s

    def _to_ask(self, suspect: Suspect, now: float) -> bool:
        pulse = suspect.pulse
        if pulse.asking:
            return False
        if suspect.word is None:
            return True
        return now - pulse.asked_at >= self._again_s(suspect)

    def _again_s(self, suspect: Suspect) -> float:
        if suspect.word is Word.ANSWERED:
            return MUTE_AGAIN_S if suspect.silent_s > self.limits.mute_most_s else self.limits.silent_most_s
        return HELD_AGAIN_S if suspect.pulse.verdict is Verdict.HELD_BACK else self.limits.ahead_s / 2

    def _many_at_once(self, suspects: list[Suspect], expected: list[Pulse]) -> bool:
        """Too many fall silent together for each to have died by itself: then the mistake may be ours."""
        if len(suspects) > self.limits.many_floor and len(suspects) > self.limits.many_share * len(expected):
            return True
        if len(suspects) < 4:  # two hosts of two
            return False
        silent = Counter(suspect.pulse.host for suspect in suspects if suspect.pulse.host)
        there = Counter(pulse.host for pulse in expected)
        return sum(1 for host, count in silent.items() if count == there[host] >= 2) >= 2

    def _guilty(
        self, suspects: list[Suspect], now: float, *, many: bool, others: bool
    ) -> Iterator[tuple[Suspect, str]]:
        if many and any(suspect.word in (None, Word.UNKNOWN) and not self._is_over(suspect) for suspect in suspects):
            return
        unheeded = others and not many and not self.listening.is_lossy(now)
        for suspect in suspects:
            if not suspect.is_due:
                continue
            if suspect.word is Word.FAILED:
                detail = f": {suspect.pulse.detail}" if suspect.pulse.detail else ""
                farewell = "it said farewell, " if suspect.pulse.farewell else ""
                heard_at = suspect.pulse.heard_at
                since = f"silent for {now - heard_at:.1f} s" if heard_at is not None else "never heard"
                yield suspect, f"{farewell}{since}, and its agent does not answer{detail}"
            elif suspect.word is not Word.ANSWERED and unheeded and self._is_over(suspect):
                yield (
                    suspect,
                    f"silent for {suspect.silent_s:.1f} s; nobody could be asked about it, and others are heard",
                )

    def _is_over(self, suspect: Suspect) -> bool:
        return suspect.silent_s >= suspect.limit_s + self.limits.grace_s

    def _limited(self, guilty: list[tuple[Suspect, str]], expected: list[Pulse], now: float) -> Iterator[Finding]:
        """Of those that wait for a place, they who serve come first."""
        if not guilty:
            return
        planned, on_host = self.budget.copied(), self.budget.hosts(now)
        on_host.update(pulse.host for pulse in expected)
        for suspect, reason in sorted(guilty, key=lambda item: item[0].pulse.spare):
            pulse = suspect.pulse
            limit = planned.refusal(pulse.host, now=now, fleet=on_host.total(), on_host=on_host[pulse.host])
            if limit is None or pulse.released:
                planned.spend(now, pulse.host)
                yield Finding(pulse=pulse, since=pulse.since, verdict=Verdict.LOST, reason=reason)
            elif pulse.verdict is Verdict.NONE:
                yield Finding(pulse=pulse, since=pulse.since, verdict=Verdict.HELD_BACK, reason=f"{limit}; {reason}")

    def _newly_mute(self, suspects: Iterable[Suspect]) -> Iterator[Pulse]:
        for suspect in suspects:
            if suspect.word is Word.ANSWERED and suspect.silent_s > self.limits.mute_most_s:
                if not suspect.pulse.mute_told:
                    suspect.pulse.mute_told = True
                    yield suspect.pulse
            else:
                suspect.pulse.mute_told = False

    # -- for people

    def facts(self, now: float) -> dict[str, object]:
        """Give how many there are, who was heard when, and whoever there is something to say of."""
        heard = [pulse for pulse in self._pulses.values() if pulse.heard_at is not None]
        longest = sorted(heard, key=lambda pulse: pulse.heard_at or 0.0)[:SHOWN_MOST]
        return {
            "amphorae": {
                "count": len(heard),
                "heard": {pulse.amphora_id: {"last_heard_at": pulse.heard_at} for pulse in longest},
            },
            "liveness": {
                "expected": sum(1 for pulse in self._pulses.values() if pulse.expected),
                "listening": self.listening.facts(now),
                **self._silent_facts(now),
                **self._verdict_facts(),
            },
        }

    def _silent_facts(self, now: float) -> dict[str, object]:
        since = self.listening.since(now)
        suspects = [] if since is None else list(self._suspects(now, since))
        due = [suspect for suspect in suspects if suspect.is_due]
        mute = [suspect for suspect in due if suspect.word is Word.ANSWERED]
        shown = {
            suspect.pulse.amphora_id: {"silent_s": round(suspect.silent_s, 1), "witness": suspect.word}
            for suspect in suspects[:SHOWN_MOST]
        }
        return {"silent": shown, "answering_but_silent": len(mute)}

    def _verdict_facts(self) -> dict[str, object]:
        def those(verdict: Verdict) -> list[str]:
            return [pulse.amphora_id for pulse in self._pulses.values() if pulse.verdict is verdict][:SHOWN_MOST]

        return {"held_back": those(Verdict.HELD_BACK), "lost": those(Verdict.LOST)}
