"""The same stories to upstream and to us: every difference is one that `intended` gives a reason for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from actium_shared.testing.nats_server import NatsServer
from differential import ours, upstream
from differential.comparing import Difference, differences
from differential.intended import TABLE, Intended
from differential.playing import Answer, Player
from differential.stories import busy, stories
from differential.story import Story

UPSTREAMS = 2
"""It is the slower side, and uses one processor."""

Answers = dict[str, dict[str, Answer]]
ALL = tuple(stories())
BUSY = tuple(story for teller in busy.TELLERS for story in teller())
"""What strict immutability makes a difference to."""

PLAYED = {False: ALL, True: BUSY}


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs, by strictness and story."""

    found: dict[tuple[bool, str], list[Difference]]

    def unexplained(self, story: str, *, strict: bool) -> list[Difference]:
        return [
            difference
            for difference in self.found[strict, story]
            if not any(entry.matches(difference, strict=strict) for entry in TABLE)
        ]

    def has(self, entry: Intended) -> bool:
        return any(entry.matches(each, strict=strict) for (strict, _), found in self.found.items() for each in found)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("differential")
    with ThreadPoolExecutor() as threads:
        theirs = threads.submit(lambda: asyncio.run(_play_upstream(folder)))
        own = {strict: _play_ours(folder / str(strict), strict=strict) for strict in (False, True)}
        expected = theirs.result()
    return Comparison(
        {
            (strict, story.name): list(differences(expected[story.name], own[strict][story.name], story=story.name))
            for strict, told in PLAYED.items()
            for story in told
        }
    )


async def _play_upstream(folder: Path) -> Answers:
    shares = [ALL[number::UPSTREAMS] for number in range(UPSTREAMS)]
    with ExitStack() as running:
        urls = [running.enter_context(upstream.serving(_made(folder / f"upstream-{at}"))) for at in range(UPSTREAMS)]
        players = [Player(upstream.Upstream(url)) for url in urls]
        played = await asyncio.gather(*(player.play(share) for player, share in zip(players, shares, strict=True)))
    return {name: answers for each in played for name, answers in each.items()}


def _play_ours(folder: Path, *, strict: bool) -> Answers:
    nats_server = NatsServer(folder / "nats")
    nats_server.start()
    try:
        return asyncio.run(_told_to_us(nats_server, folder, PLAYED[strict], strict=strict))
    finally:
        nats_server.stop()


async def _told_to_us(nats_server: NatsServer, folder: Path, told: tuple[Story, ...], *, strict: bool) -> Answers:
    async with ours.serving(nats_server, folder, strict_immutability=strict) as side:
        return await Player(side).play(told)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("strict", "story"), [(strict, story.name) for strict, told in PLAYED.items() for story in told]
)
def test_whatever_differs_from_upstream_is_intended(comparison: Comparison, strict: bool, story: str) -> None:
    unexplained = comparison.unexplained(story, strict=strict)
    assert not unexplained, "\n".join(str(each) for each in unexplained)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("entry", TABLE, ids=[f"{number}" for number, _ in enumerate(TABLE)])
def test_whatever_is_intended_still_differs(comparison: Comparison, entry: Intended) -> None:
    assert comparison.has(entry), f"nothing differs like this any more: {entry}"


def test_every_entry_has_a_reason_of_one_line() -> None:
    assert all(entry.why and "\n" not in entry.why for entry in TABLE)
