"""Watches a planner's shell: who is told of which commit when, and whether it was said beforehand whom a commit concerns."""

from collections import defaultdict
from typing import Any, TypeVar

from actium_planner.concerns import Concerns
from actium_planner.decide_and_append import Shell
from actium_planner.placing import Placing
from actium_planner.pools import Pools
from actium_planner.rollouts import ROLLOUT
from actium_planner.states import Aggregates, States
from actium_shared.event_store import Recorded
from actium_shared.message import Cause, EventCause, Position

S = TypeVar("S")

Told = dict[Position, frozenset[str] | None]
"""Whom each commit was said to concern, when it was last handled."""

Offered = defaultdict[tuple[str, str], set[int]]
"""By aggregate and stream: the commits that it was to follow, in this planner's life or one before."""


class InOrder(Shell):
    """
    Sees to it that nobody is to follow a commit behind one that stands after it on the log: it would be passed over.

    Nor one of which it was not told beforehand that it concerns them: others may be handled at the same time. But for a
    rollout that has just begun: it looks at all that is, once more behind its own commit, which stands after these.
    """

    __slots__ = ("offered", "told")
    offered: Offered
    told: Told

    def __init__(self, *parts: object, offered: Offered) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        object.__setattr__(self, "offered", offered)
        object.__setattr__(self, "told", {})

    async def decide(self, aggregates: Aggregates[S], aggregate_id: str, *words: Any, cause: Cause, **more: Any) -> Any:
        if not isinstance(cause, EventCause) or aggregates.kind == ROLLOUT:
            return await super().decide(aggregates, aggregate_id, *words, cause=cause, **more)
        offered, sequence = self.offered[aggregate_id, cause.position.stream], cause.position.sequence
        again = sequence in offered
        assert again or sequence >= max(offered, default=0), f"{aggregate_id} is told of {cause} too late"
        concerned = self.told[cause.position]
        assert concerned is None or aggregate_id in concerned, f"nobody said that {cause} concerns {aggregate_id}"
        offered.add(sequence)
        try:
            return await super().decide(aggregates, aggregate_id, *words, cause=cause, **more)
        except BaseException:
            if not again:  # it is to follow it still
                offered.discard(sequence)
            raise


class Noted(Concerns):
    """Notes what it says."""

    def __init__(self, states: States, placing: Placing, pools: Pools, told: Told) -> None:
        super().__init__(states, placing, pools)
        self.told_of = told

    def of_own(self, recorded: Recorded) -> frozenset[str] | None:
        return self._noted(recorded, super().of_own(recorded))

    def of_foreign(self, recorded: Recorded) -> frozenset[str] | None:
        return self._noted(recorded, super().of_foreign(recorded))

    def _noted(self, recorded: Recorded, concerned: frozenset[str] | None) -> frozenset[str] | None:
        self.told_of[recorded.position] = None if concerned is None else concerned | {recorded.aggregate_id}
        return concerned
