"""
Whose turn it is at each load balancer of one provider: its driver is at work on one thing at a time, as it expects.

A call that is late keeps the turn until it comes back, so that what undoes it cannot overtake it.
"""

import logging
from types import TracebackType
from typing import Self

from actium_api.faults import Fault
from actium_shared.clock import Clock
from actium_shared.ids import LoadBalancerId

log = logging.getLogger(__name__)

GIVEN_UP_S = 600.0
"""A call that has not come back so long after its turn began is not waited for any longer: it hangs for good."""


class Turn:
    """To be entered with `with`; over when it is left and no call of it runs any more."""

    def __init__(self, turns: "Turns", load_balancer_id: LoadBalancerId, *, since: float) -> None:
        self._turns, self.load_balancer_id, self.since = turns, load_balancer_id, since
        self._parts = 0

    def __enter__(self) -> Self:
        self._parts += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.ended()

    def begun(self) -> None:
        """Note a call that begins."""
        self._parts += 1

    def ended(self) -> None:
        """Note the end of a call, or of what made the calls."""
        self._parts -= 1
        if self._parts == 0:
            self._turns.over(self)


class Turns:
    """All turns that are taken."""

    def __init__(self, provider: str, clock: Clock) -> None:
        self._provider, self._clock = provider, clock
        self._taken: dict[LoadBalancerId, Turn] = {}

    def take(self, load_balancer_id: LoadBalancerId) -> Turn:
        """
        Give the turn.

        Raises:
            Fault: 409, it is somebody else's.
        """
        now, earlier = self._clock.monotonic(), self._taken.get(load_balancer_id)
        about = {"provider": self._provider, "load_balancer_id": load_balancer_id}
        if earlier is not None and now - earlier.since < GIVEN_UP_S:
            busy = f"provider '{self._provider}' is still at work on an earlier request"
            raise Fault(409, f"Load balancer {load_balancer_id} is immutable and cannot be updated: {busy}.")
        if earlier is not None:
            log.error("call hangs and is waited for no longer", extra=about)
        turn = self._taken[load_balancer_id] = Turn(self, load_balancer_id, since=now)
        return turn

    def over(self, turn: Turn) -> None:
        """Forget a turn."""
        if self._taken.get(turn.load_balancer_id) is turn:
            del self._taken[turn.load_balancer_id]
