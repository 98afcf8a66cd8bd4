"""
Members are checked here, where haproxy does not: one task per member, verdicts by rise and fall, kept over the agent's own death.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass

from actium_amphora_agent import balancing
from actium_amphora_agent.balancing import DOWN, UP, Check
from actium_amphora_agent.logs import fields
from actium_amphora_agent.probes import Failed, Probes
from actium_amphora_agent.store import Store

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Pool and member."""

OnEdge = Callable[[Check, str, str], None]
"""The check, the new status, why."""

_REASON_CHARACTERS = 200


@dataclass(slots=True)
class _Watched:
    check: Check
    up: bool
    streak: int = 0
    task: asyncio.Task[None] | None = None


class Checks:
    """Like haproxy it takes a new member for alive until its checks fail."""

    def __init__(self, probes: Probes, store: Store, on_edge: OnEdge) -> None:
        self._probes = probes
        self._store = store
        self._on_edge = on_edge
        self._watched: dict[Key, _Watched] = {}

    @property
    def down(self) -> AbstractSet[Key]:
        return {key for key, watched in self._watched.items() if not watched.up}

    def down_of(self, checks: Iterable[Check]) -> AbstractSet[Key]:
        """
        Which members of this wish are known to be down already.

        Until a check passes they stay so, also where they are checked in another way from now on: a change of words revives nobody.
        """
        return self._known_down() & {_key(check) for check in checks}

    def follow(self, checks: Iterable[Check]) -> None:
        """Check exactly these from now on; a check that stays as it is goes on undisturbed."""
        wanted = {_key(check): check for check in checks}
        down = self.down_of(wanted.values())
        for key in [key for key, watched in self._watched.items() if wanted.get(key) != watched.check]:
            self._drop(self._watched.pop(key))
        for key in wanted.keys() - self._watched.keys():
            watched = _Watched(wanted[key], up=key not in down)
            watched.task = asyncio.create_task(self._watch(watched))
            self._watched[key] = watched
        self._save()

    async def stop(self) -> None:
        tasks = [watched.task for watched in self._watched.values() if watched.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, watched: _Watched) -> None:
        if watched.task:
            watched.task.cancel()
        self._probes.forget(watched.check)

    async def _watch(self, watched: _Watched) -> None:
        check = watched.check
        await asyncio.sleep(random.uniform(0, min(check.delay_s, 1.0)))  # noqa: S311 - a thousand must not start at once
        while True:
            began_at = asyncio.get_running_loop().time()
            try:
                await self._probes.run(check)
            except Failed as exc:
                self._count(watched, passed=False, reason=str(exc))
            except Exception:
                # The boundary: a fault of ours with one member must not end its checks unseen, nor those of the others.
                log.exception("check impossible", extra=fields(member=check.member, check=check.kind))
                self._count(watched, passed=False, reason="the agent failed; its log says why")
            else:
                self._count(watched, passed=True, reason="the check passed")
            await asyncio.sleep(max(0.0, began_at + check.delay_s - asyncio.get_running_loop().time()))

    def _count(self, watched: _Watched, *, passed: bool, reason: str) -> None:
        if passed == watched.up:
            watched.streak = 0
            return
        watched.streak += 1
        if watched.streak < (watched.check.rise if passed else watched.check.fall):
            return
        watched.up, watched.streak = passed, 0
        self._save()
        status = UP if passed else DOWN
        log.info("member", extra=fields(member=watched.check.member, status=status, reason=reason))
        self._on_edge(watched.check, status, reason[:_REASON_CHARACTERS])

    def _known_down(self) -> AbstractSet[Key]:
        if self._watched:
            return self.down
        return {_key(balancing.check(item)) for item in self._store.read("down").get("checks", ())}

    def _save(self) -> None:
        down = [asdict(watched.check) for watched in self._watched.values() if not watched.up]
        self._store.write("down", {"checks": down})


def _key(check: Check) -> Key:
    return check.pool, check.member
