"""One table decides every subject: permissions leave each event subject exactly one writer, and no doors open."""

import fnmatch
import re

import pytest

from actium_shared import streams


def matches(pattern: str, subject: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", "[^.]+").replace(r"\.>", r"\..+").replace(">", ".+")
    return re.fullmatch(expression, subject) is not None


def may_publish(user: str, subject: str) -> bool:
    return any(matches(pattern, subject) for pattern in streams.permissions(user)["publish"])


@pytest.mark.parametrize(
    ("owner", "aggregate"),
    [(owner, aggregate) for owner, aggregates in streams.EVENT_OWNERS.items() for aggregate in aggregates],
)
def test_every_event_subject_has_exactly_one_writer(owner: str, aggregate: str) -> None:
    subject = streams.event_subject(owner, aggregate, "some-id")
    assert [user for user in streams.SERVICES if may_publish(user, subject)] == [owner]


def test_nobody_may_delete_or_purge_anything() -> None:
    for user in streams.SERVICES:
        for verb in ("DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE"):
            for stream in streams.STREAMS:
                assert not may_publish(user, f"$JS.API.STREAM.{verb}.{stream.name}"), (user, verb)


@pytest.mark.parametrize("stream", streams.STREAMS, ids=lambda stream: stream.name)
def test_nobody_may_change_a_log_and_only_its_owner_any_other_stream(stream: streams.Stream) -> None:
    """An update may set an age limit: whoever may send one may have the stream forget."""
    allowed = [user for user in streams.SERVICES if may_publish(user, f"$JS.API.STREAM.UPDATE.{stream.name}")]
    assert allowed == ([] if stream.permanent else [stream.owner])


def test_every_log_is_permanent_and_synced_to_disk() -> None:
    for owner in streams.EVENT_OWNERS:
        log = streams.BY_NAME[streams.events_of(owner)]
        assert (log.permanent, log.in_memory, log.unsynced, log.max_age_s) == (True, False, False, 0.0)


@pytest.mark.parametrize("user", streams.SERVICES)
def test_a_service_may_make_and_see_every_stream_that_it_uses(user: str) -> None:
    used = streams.used_streams(user)
    assert set(streams.readable_streams(user)) <= set(used)
    assert all(may_publish(user, f"$JS.API.STREAM.{verb}.{name}") for name in used for verb in ("CREATE", "INFO"))


@pytest.mark.parametrize("user", streams.SERVICES)
def test_a_service_listens_only_to_its_own_asks_and_inbox(user: str) -> None:
    listens = streams.permissions(user)["subscribe"]
    for other in streams.SERVICES:
        heard = [any(matches(pattern, f"ask.{other}.3") for pattern in listens)]
        heard.append(any(matches(pattern, f"{streams.inbox_prefix(other)}.abc") for pattern in listens))
        assert heard == [other == user] * 2


def test_only_the_planner_gives_orders_and_only_receivers_read_them() -> None:
    assert [user for user in streams.SERVICES if may_publish(user, "cmd.compute.some-id")] == ["planner"]
    assert may_publish("compute", "$JS.API.CONSUMER.CREATE.COMMANDS.compute-3.cmd.compute.3.*")
    assert not may_publish("compute", "$JS.API.CONSUMER.CREATE.COMMANDS.network-3.cmd.network.3.*")
    assert not may_publish("health", "$JS.API.CONSUMER.CREATE.COMMANDS.health-3.cmd.compute.3.*")


@pytest.mark.parametrize("text", ["", "a b", "a.b", "*", ">", "ü", "nova:az-1"])
def test_outside_text_is_one_token(text: str) -> None:
    token = streams.token(text)
    assert token
    assert not set(token) & set(". *>")
    assert not fnmatch.fnmatch(token, "*[! -~]*")


def test_different_texts_are_different_tokens() -> None:
    texts = ["", "=", "a.b", "a=2Eb", "a_b", "a b"]
    assert len({streams.token(text) for text in texts}) == len(texts)
