"""
What numbers and texts may be, where the data plane depends on it.

The API says the same, more finely and earlier; commands may come from elsewhere.
"""

import re
from collections.abc import Collection

from actium_planner.validation.refusals import Refusals, invalid

PORTS = (1, 65535)
BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]")
URL = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)


def within(name: str, value: int | None, least: int, most: int | None = None) -> Refusals:
    """Refuse a number outside its range; none at all is in it."""
    if value is None or (value >= least and (most is None or value <= most)):
        return
    wanted = f"at least {least}" if most is None else f"{least} to {most}"
    yield invalid(f"{name} must be {wanted}, not {value}.", field=name)


def one_of(name: str, value: str, known: Collection[str]) -> Refusals:
    """Refuse a word that is not known."""
    if value not in known:
        yield invalid(f"{name} must be one of {', '.join(sorted(known))}, not {value!r}.", field=name)


def matches(name: str, value: str | None, pattern: re.Pattern[str], wanted: str) -> Refusals:
    """Refuse a text of the wrong form; none at all is right."""
    if value is not None and not pattern.fullmatch(value):
        yield invalid(f"{name} must be {wanted}.", field=name)


def printable(name: str, value: str | None) -> Refusals:
    """Refuse what could end a line of a configuration, or is not seen in one."""
    if value is not None and not value.isprintable():
        yield invalid(f"{name} must not contain characters that cannot be printed.", field=name)
