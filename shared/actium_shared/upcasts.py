"""Old versions made new: a function per step (type, version) -> the fields of version + 1. Readers know only the newest."""

from collections.abc import Callable, Mapping
from typing import Any

Fields = dict[str, Any]
Upcast = Callable[[Fields], Fields]

UPCASTS: Mapping[tuple[str, int], Upcast] = {}


def upcast(
    message_type: str, version: int, fields: Fields, *, newest: int, steps: Mapping[tuple[str, int], Upcast]
) -> Fields:
    """
    Bring `fields` from `version` to `newest`, one step at a time.

    Raises:
        KeyError: there is no step from some version on.
    """
    for step in range(version, newest):
        fields = steps[(message_type, step)](fields)
    return fields
