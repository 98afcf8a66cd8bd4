"""How many amphorae may be judged lost a minute, in all and in one failure domain: a storm is more likely our mistake. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field, replace

WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """`floor` a minute, or this share of the amphorae that there are, whichever is more."""

    floor: int
    share: float

    def of(self, count: int) -> int:
        return max(self.floor, int(self.share * count))


@dataclass(slots=True)
class Budget:
    """Verdicts of the last minute, whoever of the replicas gave them, against what is allowed."""

    overall: Quota
    per_host: Quota
    limited: bool = True
    _losses: deque[tuple[float, str]] = field(default_factory=deque)

    def spend(self, at: float, host: str) -> None:
        self._losses.append((at, host))

    def copied(self) -> "Budget":
        """Give one to plan with."""
        return replace(self, _losses=self._losses.copy())

    def refusal(self, host: str, *, now: float, fleet: int, on_host: int) -> str | None:
        """Say which limit holds a verdict on `host` back; `fleet` and `on_host` are how many amphorae the minute began with."""
        if not self.limited:
            return None
        lost = self._of_last_minute(now)
        here = sum(1 for _, where in lost if where == host)
        if len(lost) >= (most := self.overall.of(fleet)):
            return f"{len(lost)} amphorae were lost within a minute, {most} are the limit"
        if here >= (most := self.per_host.of(on_host)):
            return f"{here} amphorae were lost on host {host} within a minute, {most} are the limit"
        return None

    def hosts(self, now: float) -> Counter[str]:
        """Give how many were lost on each host within the last minute."""
        return Counter(host for _, host in self._of_last_minute(now))

    def _of_last_minute(self, now: float) -> deque[tuple[float, str]]:
        while self._losses and self._losses[0][0] <= now - WINDOW_S:
            self._losses.popleft()
        return self._losses
