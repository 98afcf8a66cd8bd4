"""Totals never fall, in whatever order beats are read."""

import itertools

import msgpack
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from actium_health.report import FIGURE_MOST, read_beat
from actium_health.traffic import Counted, merged, total
from actium_shared.errors import PermanentError
from actium_shared.statistics import ListenerTotals
from builders import LISTENER
from unit.health.given import beat


def counted(bytes_in: int, *, at: float = 0.0, active: int = 0) -> Counted:
    return Counted(at=at, figures=ListenerTotals(bytes_in=bytes_in, active_connections=active))


def test_a_new_boot_adds_to_what_the_old_one_did() -> None:
    assert total([counted(100, at=1, active=5), counted(30, at=2, active=1)]) == ListenerTotals(
        bytes_in=130, active_connections=1
    )


def test_what_is_open_now_only_the_newest_beat_knows() -> None:
    assert merged(counted(9, at=2, active=1), counted(8, at=1, active=7)) == counted(9, at=2, active=1)


@for_all(st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_the_order_in_which_beats_of_a_boot_are_read_does_not_matter(growing: list[int]) -> None:
    beats = [counted(value, at=float(at)) for at, value in enumerate(sorted(growing))]
    for order in itertools.permutations(beats):
        found = order[0]
        for other in (*order[1:], *order):
            found = merged(found, other)
        assert found == beats[-1]


@pytest.mark.parametrize("figure", [-1, 1.5, "7", None, True, 2**63])
def test_a_figure_that_is_no_count_is_refused(figure: object) -> None:
    body = beat()
    body["listeners"][LISTENER]["bytes_in"] = figure
    with pytest.raises(PermanentError, match="bytes_in"):
        read_beat(msgpack.packb(body))


def test_a_sum_stays_within_what_a_database_holds() -> None:
    assert total([counted(FIGURE_MOST), counted(1)]).bytes_in == FIGURE_MOST
