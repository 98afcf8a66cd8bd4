"""What a stream that was made with other settings means for the services that use it."""

from dataclasses import replace

import pytest

from actium_shared import streams
from actium_shared.bus.stream_settings import differences, harmful, settings_of

STREAM = streams.BY_NAME["COMMANDS"]
LOG = streams.BY_NAME["EVENTS_PLANNER"]


@pytest.mark.parametrize("stream", streams.STREAMS, ids=lambda stream: stream.name)
def test_a_stream_as_the_table_says_does_not_differ(stream: streams.Stream) -> None:
    assert differences(stream, settings_of(stream)) == {}


def test_what_a_server_adds_of_its_own_is_no_difference() -> None:
    assert differences(LOG, settings_of(LOG) | {"metadata": {"a": "b"}, "discard": "old"}) == {}


def test_more_replicas_are_the_operators_business() -> None:
    assert differences(LOG, settings_of(LOG) | {"num_replicas": 3}) == {}


def test_a_setting_that_is_not_there_or_too_much_is_a_difference() -> None:
    assert "subject_transform" in differences(STREAM, settings_of(replace(STREAM, transform=None)))
    assert differences(replace(STREAM, transform=None), settings_of(STREAM)) == {"subject_transform": None}


@pytest.mark.parametrize("change", [{"max_age": 5}, {"storage": "memory"}, {"subjects": ["evt.other.>"]}])
def test_a_log_that_forgets_or_takes_other_subjects_is_not_lived_with(change: dict[str, object]) -> None:
    assert harmful(differences(LOG, settings_of(LOG) | change)) == list(change)


@pytest.mark.parametrize("change", [{"compression": "none"}, {"duplicate_window": 5}, {"persist_mode": "async"}])
def test_slower_or_less_careful_storing_is_lived_with(change: dict[str, object]) -> None:
    different = differences(LOG, settings_of(LOG) | change)
    assert list(different) in ([], list(change))
    assert harmful(different) == []
