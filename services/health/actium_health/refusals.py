"""Counts what is refused, by reason, and logs it: at most once a second per reason, whatever is thrown at us."""

import logging
from collections import Counter
from typing import Protocol

LOG_MOST_EVERY_S = 1.0


class Monotonic(Protocol):
    def monotonic(self) -> float: ...


class Refusals:
    """`counts` may hold what is accepted, too."""

    def __init__(self, log: logging.Logger, clock: Monotonic, *, reasons: tuple[str, ...]) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(reasons, 0))
        self._log, self._clock = log, clock
        self._logged_at: dict[str, float] = {}

    def refuse(self, reason: str, **about: object) -> None:
        self.counts[reason] += 1
        now = self._clock.monotonic()
        if now - self._logged_at.get(reason, float("-inf")) >= LOG_MOST_EVERY_S:
            self._logged_at[reason] = now
            self._log.warning("datagram refused", extra={"reason": reason, "so_far": self.counts[reason], **about})
