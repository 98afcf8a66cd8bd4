"""
Courtesy: in a burst of creations, what follows from one waits for a moment while others are still to be answered.

What is a burst, how long the wait may last and what ends it are here; `handlers` tells what is asked, and waits.
"""

from collections import deque
from collections.abc import Sequence

from actium_shared.clock import Clock
from actium_shared.commands.planner import CreateLoadBalancer
from actium_shared.event_store import Recorded
from actium_shared.events.load_balancer import LoadBalancerCreated
from actium_shared.message import Command

CROWD = 4
WITHIN_S = 0.07
"""So many creations asked for in this time begin a burst. Who waits for each to be ACTIVE asks for fewer, and nothing waits."""

LULL_S = 0.1
"""A burst is over when no creation was asked for in this time."""

LATE_MOST_S = 4.0
"""After this a creation is followed up, however long the burst: so long a thousand take to be answered."""

HURRY_S = 1.0
"""So long nothing waits once something came that is not to wait."""

LOOK_S = 0.005
"""So soon a wait ends when something comes that is not to wait behind it."""


class Courtesy:
    """Knows what is asked, and lets follow-up work wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: deque[float] = deque(maxlen=CROWD)
        self._burst_until = 0.0
        self._hurry_until = 0.0

    def asked(self, command: Command) -> None:
        """Note what somebody waits for: creations may come in bursts, all else is in a hurry."""
        if not isinstance(command, CreateLoadBalancer):
            self.hurry()
            return
        now = self._clock.monotonic()
        self._asked.append(now)
        is_crowd = len(self._asked) == CROWD and now - self._asked[0] < WITHIN_S
        if is_crowd or now < self._burst_until:
            self._burst_until = now + LULL_S

    def hurry(self) -> None:
        """Let nothing wait for a while: what serves already is concerned, and stands on the log behind creations."""
        self._hurry_until = self._clock.monotonic() + HURRY_S

    async def give_way(self, commits: Sequence[Recorded]) -> None:
        """Return when these may be followed up: at once, unless creations are among them in a burst and none is late yet."""
        oldest = min((each.stored_at for each in commits if _creates(each)), default=None)
        if oldest is None:
            return
        late_s = max(0.0, (self._clock.now() - oldest).total_seconds())
        until = self._clock.monotonic() + LATE_MOST_S - late_s
        while self._hurry_until <= self._clock.monotonic() < min(until, self._burst_until):
            await self._clock.sleep(LOOK_S)


def _creates(recorded: Recorded) -> bool:
    return any(isinstance(event, LoadBalancerCreated) for event in recorded.commit.events)
