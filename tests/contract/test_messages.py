"""Old bytes stay readable: golden bytes and a JSON Schema for every event, command and reply; upcasts by a test-only type."""

from typing import Any, ClassVar

import msgpack
import msgspec
import pytest

from actium_shared.codec import CODEC, Codec
from actium_shared.errors import UnreadableError
from actium_shared.message import CommandCause, Commit, Event, Message, WorkCause
from contract.catalogue import GOLDEN, MESSAGES, golden_file, schema_file, schema_text
from contract.samples import MOMENT, sample


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.TYPE)
def test_every_message_has_golden_bytes_and_an_up_to_date_schema(message: type[Message]) -> None:
    assert golden_file(message).exists(), "run: PYTHONPATH=tests python -m contract.catalogue"
    assert schema_file(message).read_text() == schema_text(message)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.msgpack")), ids=lambda path: path.stem)
def test_golden_bytes_decode_and_nothing_in_them_is_lost(path: Any) -> None:
    message_type, _, version = path.stem.rpartition(".v")
    body = path.read_bytes()
    message = CODEC.decode(message_type, int(version), body)
    assert message_type == message.TYPE
    newest = {type(message).VERSION: msgspec.msgpack.decode(CODEC.encode(message))}
    before = msgspec.msgpack.decode(body)
    if int(version) in newest:
        assert_contains(newest[int(version)], before)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.msgpack")), ids=lambda path: path.stem)
def test_both_libraries_read_the_same(path: Any) -> None:
    body = path.read_bytes()
    assert msgpack.unpackb(body, timestamp=3, strict_map_key=False) == msgspec.msgpack.decode(body)


def assert_contains(newer: Any, older: Any) -> None:
    """Added fields are fine; a field that was written once must still be read and written."""
    if isinstance(older, dict):
        for key, value in older.items():
            assert_contains(newer[key], value)
    elif isinstance(older, list):
        assert len(newer) == len(older)
        for one, other in zip(newer, older, strict=True):
            assert_contains(one, other)
    else:
        assert newer == older


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.TYPE)
def test_a_message_survives_the_wire(message: type[Message]) -> None:
    value = sample(message)
    assert CODEC.decode(message.TYPE, message.VERSION, CODEC.encode(value)) == value


def test_a_field_from_the_future_is_ignored() -> None:
    message = MESSAGES[0]
    fields = msgspec.msgpack.decode(CODEC.encode(sample(message))) | {"added_later": 1}
    assert CODEC.decode(message.TYPE, message.VERSION, msgspec.msgpack.encode(fields)) == sample(message)


class Renamed(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "test.renamed"
    VERSION: ClassVar[int] = 3

    timeout_ms: int
    name: str = ""


UPCASTS = {
    ("test.renamed", 1): lambda fields: {"timeout_s": fields.get("timeout_s", 50)},
    ("test.renamed", 2): lambda fields: {"timeout_ms": fields["timeout_s"] * 1_000},
}


def test_an_old_version_is_brought_to_the_newest_one_step_at_a_time() -> None:
    codec = Codec((Renamed,), UPCASTS)
    assert codec.decode("test.renamed", 1, msgspec.msgpack.encode({})) == Renamed(timeout_ms=50_000)
    assert codec.decode("test.renamed", 2, msgspec.msgpack.encode({"timeout_s": 2})) == Renamed(timeout_ms=2_000)
    assert codec.decode("test.renamed", 3, msgspec.msgpack.encode({"timeout_ms": 1})) == Renamed(timeout_ms=1)


@pytest.mark.parametrize(("message_type", "version"), [("test.unknown", 1), ("test.renamed", 4), ("test.renamed", 0)])
def test_what_cannot_be_read_is_never_guessed(message_type: str, version: int) -> None:
    codec = Codec((Renamed,), UPCASTS)
    with pytest.raises(UnreadableError):
        codec.decode(message_type, version, msgspec.msgpack.encode({"timeout_ms": 1}))


@pytest.mark.parametrize("kind", ["command", "work"])
def test_a_commit_keeps_its_cause_in_full(kind: str) -> None:
    command = next(sample(message) for message in MESSAGES if message.TYPE == "listener.update")
    cause = CommandCause(command=command) if kind == "command" else WorkCause(order_id="o")
    event = next(sample(message) for message in MESSAGES if issubclass(message, Event))
    commit = Commit(id="c", events=(event,), cause=cause, decided_at=MOMENT, reads={"S": 3})
    assert CODEC.decode_commit(CODEC.encode_commit(commit)) == commit
