"""Settings come from the environment, once, and a wrong one stops the process with a sentence."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from actium_shared.errors import SettingsError
from actium_shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Some(Settings):
    stale_after_s: float = 60.0
    addresses: tuple[str, ...] = ()
    key_file: Path


def test_values_are_converted_to_their_types() -> None:
    read = Some.from_environment(
        {"ACTIUM_KEY_FILE": "/k", "ACTIUM_STALE_AFTER_S": "3", "ACTIUM_ADDRESSES": "a:1, b:2", "HOME": "/"}
    )
    assert (read.key_file, read.stale_after_s, read.addresses) == (Path("/k"), 3.0, ("a:1", "b:2"))


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "ACTIUM_KEY_FILE"),
        ({"ACTIUM_KEY_FILE": "/k", "ACTIUM_STALE_AFTER": "3"}, "ACTIUM_STALE_AFTER"),
        ({"ACTIUM_KEY_FILE": "/k", "ACTIUM_STALE_AFTER_S": "soon"}, "ACTIUM_STALE_AFTER_S"),
    ],
)
def test_a_missing_unknown_or_wrong_setting_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Some.from_environment(environment)
