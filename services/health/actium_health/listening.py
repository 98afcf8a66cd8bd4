"""
Did we listen? Every message of a relay proves it, at the time at which the bus got it. Pure; all but `read_at` is the bus's time.

Who is silent is judged on this clock alone: however late we read, pause or lag, what came in between is read before.
"""

from dataclasses import dataclass, field

LOSSY_HEADER = "actium-lossy"
"""Of a relay's message: datagrams had to be dropped before it, as they came too fast or the bus was away."""

FORGOTTEN_S = 3_600.0
"""A relay that is away for longer is not shown any more."""


@dataclass(slots=True)
class Ear:
    """One relay: `since` when it has passed messages on without a gap, and when the last one came."""

    since: float
    last_at: float


@dataclass(slots=True)
class Listening:
    """All relays together: one that listens without a gap is enough, as every amphora sends to each."""

    gap_most_s: float
    """A relay that says nothing for longer, not even that there is nothing to say, was away."""

    ears: dict[str, Ear] = field(default_factory=dict)
    restarts: int = 0
    _last_at: float = float("-inf")
    _read_at: float = float("-inf")
    _not_before: float | None = None
    _lossy_until: float = float("-inf")

    def message(self, relay: str, at: float, *, read_at: float, lossy: bool = False) -> None:
        """A relay said something. `lossy`: it had to drop datagrams before. `read_at` is monotonic seconds, ours."""
        ear = self.ears.get(relay)
        if ear is None:
            self.ears[relay] = Ear(since=at, last_at=at)
        else:
            if at - ear.last_at > self.gap_most_s:
                ear.since = at
            ear.last_at = at
        if lossy:
            self._lossy_until = at + 2 * self.gap_most_s
        if self._not_before is None:
            self._not_before = at
        self._last_at, self._read_at = at, read_at

    def restart(self) -> None:
        """We were away ourselves: what counts begins with the next message."""
        self._not_before = None
        self.restarts += 1

    def now(self, monotonic: float) -> float:
        """Give what the bus's clock shows by now, or a little less."""
        return self._last_at + max(0.0, monotonic - self._read_at)

    def since(self, now: float) -> float | None:
        """Give from when on every beat would have been noticed; None where that cannot be said just now."""
        if self._not_before is None:
            return None
        listening = [ear.since for ear in self.ears.values() if now - ear.last_at <= self.gap_most_s]
        return max(min(listening), self._not_before) if listening else None

    def is_lossy(self, now: float) -> bool:
        """A beat may have been dropped on the way, so that silence alone proves little."""
        return now < self._lossy_until

    def facts(self, now: float) -> dict[str, object]:
        self.ears = {name: ear for name, ear in self.ears.items() if now - ear.last_at < FORGOTTEN_S}
        since = self.since(now)
        return {
            "for_s": None if since is None else round(now - since, 1),
            "relays": {name: {"silent_s": round(now - ear.last_at, 1)} for name, ear in self.ears.items()},
            "restarts": self.restarts,
        }
