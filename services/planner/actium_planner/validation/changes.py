"""Laying changes over a value: only what was sent changes."""

from typing import TypeVar

import msgspec

from actium_shared.wishes import Value

V = TypeVar("V", bound=Value)


def apply_changes(value: V, changes: Value) -> V:
    """Give `value` with every set field of `changes` in place."""
    sent = {
        name: change for name in changes.__struct_fields__ if (change := getattr(changes, name)) is not msgspec.UNSET
    }
    return msgspec.structs.replace(value, **sent)
