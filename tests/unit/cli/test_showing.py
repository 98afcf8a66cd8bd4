"""What is shown: durations that people read, and nothing that a terminal would obey."""

import pytest

from actium_api.cli import showing


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 ms"), (0.0124, "12 ms"), (1.5, "1.50 s"), (75, "1 min 15 s"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations_are_shown_in_units_that_matter(seconds: float, shown: str) -> None:
    assert showing.duration(seconds) == shown


def test_control_characters_of_tenants_do_not_reach_the_terminal() -> None:
    assert showing.clean("we\x1b[31mb\n\u202e\x9b") == "we\\x1b[31mb\\n\\u202e\\x9b"


def test_times_are_shown_in_utc_to_the_millisecond() -> None:
    assert showing.time("2026-01-01T10:00:00.123456Z") == "2026-01-01 10:00:00.123"
    assert showing.time("2026-01-01T10:00:00+00:00") == "2026-01-01 10:00:00.000"


def test_failures_stand_out() -> None:
    assert showing.colour("loadbalancer.round-failed") == "bold red"
    assert showing.colour("listener.created") == "cyan"


def test_facts_name_what_there_is_and_count_what_lies_deep() -> None:
    facts = {"beats": {"accepted": 3, "stale": 0}, "amphorae": {"heard": {"a": {"at": 1}}}, "serving": True, "none": {}}
    assert showing._facts(facts).plain == "beats.accepted 3, amphorae.heard 1, serving True"
