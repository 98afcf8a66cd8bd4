"""Commits that wait together are handled side by side where they have nothing in common, else in their order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from actium_shared.errors import BrokenStoreError
from actium_shared.event_store import Recorded

Line = list[Recorded]
"""Commits that are handled one after the other."""

Concerns = Callable[[Recorded], frozenset[str] | None]
"""
Give the ids of all aggregates that may follow a commit, or nothing where that cannot be told beforehand.

An aggregate remembers the newest commit that it has followed, and takes any before for followed: one left out here may miss some.
"""


async def side_by_side(
    commits: Sequence[Recorded], concerns: Concerns, handle: Callable[[Line], Awaitable[None]]
) -> None:
    """
    Have all commits handled, in lines.

    Raises:
        Exception: of the first line that failed; the others have been handled to their ends.
    """
    rest = commits
    while rest:
        lines = stretch(rest, concerns)
        await _all(lines, handle)
        rest = rest[sum(map(len, lines)) :]


def stretch(commits: Sequence[Recorded], concerns: Concerns) -> list[Line]:
    """Give lines of the first commits: up to the first that may concern anything, or that one alone."""
    growing: list[_Growing] = []
    for recorded in commits:
        concerned = concerns(recorded)
        if concerned is None:
            break
        ids = concerned | {recorded.aggregate_id}
        met = [each for each in growing if not each.ids.isdisjoint(ids)]
        growing = [each for each in growing if each not in met] + [_joined(met, recorded, ids)]
    return [each.line for each in growing] or [[commits[0]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Growing:
    """A line, and whom its commits concern."""

    line: Line
    ids: frozenset[str]


def _joined(met: Sequence[_Growing], recorded: Recorded, ids: frozenset[str]) -> _Growing:
    """Give one line of those that a commit has something in common with, and the commit."""
    before = sorted((each for one in met for each in one.line), key=lambda each: each.position.sequence)
    return _Growing([*before, recorded], ids.union(*(each.ids for each in met)))


async def _all(lines: Sequence[Line], handle: Callable[[Line], Awaitable[None]]) -> None:
    if len(lines) == 1:
        await handle(lines[0])
        return
    outcomes = await asyncio.gather(*map(handle, lines), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        # A store that is broken ends the service, whatever else went wrong.
        raise next((one for one in failures if isinstance(one, BrokenStoreError)), failures[0])
