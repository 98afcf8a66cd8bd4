"""A site in simulated time: amphorae that beat or do not, a relay, a witness, and verdicts that are recorded at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from actium_health.listening import Listening
from actium_health.liveness import Limits, Liveness, Verdict, Word

START = 1_000_000.0
TICK_S = 0.25
BEAT_TICKS = 4


def told(liveness: Liveness, amphora_id: str, verdict: Verdict) -> None:
    pulse = liveness.pulse(amphora_id)
    liveness.said(amphora_id, verdict, pulse.said_role, pulse.said_epoch)


@dataclass
class Site:
    """`dead` neither beat nor answer, `mute` answer only, `unknown` beat no more and nobody can be asked about them."""

    liveness: Liveness
    hosts: dict[str, str]
    dead: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    relays: dict[str, set[str]] = field(default_factory=lambda: {"relay": set()})
    """Which are up, and whom each does not hear."""
    asked: list[str] = field(default_factory=list)
    lost: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    told_mute: list[str] = field(default_factory=list)
    ticks: int = 0

    @property
    def now(self) -> float:
        return START + self.ticks * TICK_S

    @property
    def listening(self) -> Listening:
        return self.liveness.listening

    def run(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.ticks += 1
            self.beat()
            self.sweep()
            meanwhile()

    def beat(self) -> None:
        silent = self.dead | self.mute | self.unknown
        for relay, deaf_to in self.relays.items():
            for number, amphora_id in enumerate(self.hosts):
                if (self.ticks + number) % BEAT_TICKS == 0 and amphora_id not in silent | deaf_to:
                    self.liveness.heard(self.liveness.pulse(amphora_id), self.now)
            self.listening.message(relay, self.now, read_at=self.now)

    def sweep(self) -> None:
        sweep = self.liveness.sweep(self.listening.now(self.now))
        for pulse in sweep.probes:
            self.asked.append(pulse.amphora_id)
            self.liveness.testified(pulse, self._word(pulse.amphora_id), asked_at=self.now)
        self.told_mute += [pulse.amphora_id for pulse in sweep.mute]
        for finding in sweep.findings:
            assert finding.holds
            amphora_id = finding.pulse.amphora_id
            if finding.verdict is Verdict.LOST:
                self.lost[amphora_id] = self.now - START
                self.liveness.budget.spend(self.now, finding.pulse.host)
            else:
                assert amphora_id not in self.held, "held back twice"
                self.held[amphora_id] = self.now - START
            self.reasons[amphora_id] = finding.reason
            told(self.liveness, amphora_id, finding.verdict)

    def _word(self, amphora_id: str) -> Word:
        if amphora_id in self.unknown:
            return Word.UNKNOWN
        return Word.FAILED if amphora_id in self.dead else Word.ANSWERED


def site(count: int = 10, *, on_hosts: int = 5, spares: Iterable[str] = (), **limits: Any) -> Site:
    """So many amphorae, `a0` and so on, dealt out to hosts, all well for ten seconds."""
    liveness = Liveness(Limits(**limits))
    hosts = {f"a{number}": f"host-{number % on_hosts}" for number in range(count)}
    for amphora_id, host in hosts.items():
        liveness.expect(amphora_id, appliance_id="appliance", host=host, spare=amphora_id in spares, now=START)
    made = Site(liveness, hosts)
    made.run(10.0)
    assert not made.asked
    return made
