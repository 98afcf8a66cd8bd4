"""Everything is counted, little is logged."""

import logging

import pytest

from actium_health.refusals import Refusals


class MovedByHand:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_reason_is_logged_once_a_second_and_counted_always(caplog: pytest.LogCaptureFixture) -> None:
    clock = MovedByHand()
    refusals = Refusals(logging.getLogger("test"), clock, reasons=("stale", "replayed"))
    for _ in range(100):
        refusals.refuse("stale")
    refusals.refuse("replayed")
    clock.seconds = 1.0
    refusals.refuse("stale")
    assert refusals.counts == {"stale": 101, "replayed": 1}
    assert [(record.reason, record.so_far) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("stale", 1),
        ("replayed", 1),
        ("stale", 101),
    ]
