"""What travels about traffic can be read back, and nothing else is taken for it."""

import msgspec
import pytest

from actium_shared.errors import UnreadableError
from actium_shared.ids import ListenerId
from actium_shared.statistics import ListenerTotals, LoadBalancerStatistics, decode, encode, subject
from builders import LB, LISTENER
from unit.health.given import AMPHORA, NOW

TOLD = LoadBalancerStatistics(
    load_balancer_id=LB, amphora_id=AMPHORA, at=NOW, listeners={LISTENER: ListenerTotals(bytes_in=7)}
)


def test_statistics_survive_the_wire() -> None:
    assert decode(encode(TOLD)) == TOLD
    assert subject(LB) == f"stat.{LB}"


def test_a_field_of_a_newer_writer_is_passed_over_and_a_newer_version_refused() -> None:
    fields = msgspec.msgpack.decode(encode(TOLD))
    assert decode(msgspec.msgpack.encode(fields | {"new": 1})) == TOLD
    with pytest.raises(UnreadableError, match="version 2"):
        decode(msgspec.msgpack.encode(fields | {"version": 2}))


@pytest.mark.parametrize("body", [b"", b"\xc1", msgspec.msgpack.encode({"listeners": {ListenerId("l"): {}}})])
def test_anything_else_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        decode(body)
