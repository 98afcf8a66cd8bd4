"""
Courtesy: in a burst of creations, what follows from one waits for a moment while others are still to be answered.

What is a burst, how long the wait may last and what ends it are here; `handlers` tells what is asked, and waits.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from actium_shared.clock import Clock
from actium_shared.commands.planner import CreateLoadBalancer
from actium_shared.event_store import Recorded
from actium_shared.events.load_balancer import LoadBalancerCreated
from actium_shared.message import Command, CommandCause

CROWD = 4
WITHIN_S = 0.07
"""So many creations asked for in this time begin a burst. Who waits for each to be ACTIVE asks for fewer, and nothing waits."""

LULL_S = 0.04
"""A burst is over when no creation was asked for in this time."""

LATE_MOST_S = 4.0
"""After this a creation is followed up, however long the burst: so long a thousand take to be answered."""

HURRY_S = 1.0
"""Once something came that is not to wait, nothing does that is on the log by then, or comes in this time."""

LOOK_S = 0.005
"""So soon a wait ends when something comes that is not to wait behind it."""


class Courtesy:
    """Knows what is asked, and lets follow-up work wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: deque[float] = deque(maxlen=CROWD)
        self._burst_until = 0.0
        self._hurry_until = datetime.min.replace(tzinfo=UTC)

    def asked(self, command: Command) -> None:
        """Note what somebody waits for: creations may come in bursts, all else is in a hurry."""
        if not _may_wait(command):
            self.hurry()
            return
        now = self._clock.monotonic()
        self._asked.append(now)
        is_crowd = len(self._asked) == CROWD and now - self._asked[0] < WITHIN_S
        if is_crowd or now < self._burst_until:
            self._burst_until = now + LULL_S

    def hurry(self) -> None:
        """
        Let nothing wait that stands on the log by now or before long: what serves already is concerned, and stands behind it.

        It counts when a creation came there, not when its turn is: behind many that may be seconds later.
        """
        self._hurry_until = self._clock.now() + timedelta(seconds=HURRY_S)

    async def give_way(self, commits: Sequence[Recorded]) -> None:
        """Return when these may be followed up: at once, unless creations are among them in a burst and none is late yet."""
        if any(map(_changes, commits)):
            self.hurry()  # once more: the next that follows from it comes to the log only now
        oldest = min((each.stored_at for each in commits if creates(each)), default=None)
        if oldest is None:
            return
        oldest = min(oldest, now := self._clock.now())  # the log's own clock may be ahead
        until = self._clock.monotonic() + LATE_MOST_S - (now - oldest).total_seconds()
        while oldest > self._hurry_until and self._clock.monotonic() < min(until, self._burst_until):
            await self._clock.sleep(LOOK_S)


def _may_wait(command: Command) -> bool:
    return isinstance(command, CreateLoadBalancer)


def _changes(recorded: Recorded) -> bool:
    cause = recorded.commit.cause
    return isinstance(cause, CommandCause) and not _may_wait(cause.command)


def creates(recorded: Recorded) -> bool:
    """Say whether what follows from it may wait."""
    return any(isinstance(event, LoadBalancerCreated) for event in recorded.commit.events)
