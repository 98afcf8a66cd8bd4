"""One instance of any message, made from its type alone and always the same, so that golden bytes can be compared."""

import enum
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import msgspec

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def sample(message: type[Any]) -> Any:
    """Give an instance in which every field holds something."""
    hints = get_type_hints(message)
    return message(**{name: _value(hints[name], name) for name in message.__struct_fields__})


def _value(wanted: Any, name: str) -> Any:
    if isinstance(wanted, NewType):
        return f"a-{name}"
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _value(next(kind for kind in get_args(wanted) if kind not in (type(None), msgspec.UnsetType)), name)
    if origin is tuple:
        return (_value(get_args(wanted)[0], name),)
    if origin in (Mapping, dict) or (origin is not None and issubclass(origin, Mapping)):
        key, value = get_args(wanted)
        return {_value(key, name): _value(value, name)}
    if origin is Literal:
        return get_args(wanted)[0]
    return _plain(wanted, name)


def _plain(wanted: Any, name: str) -> Any:
    if issubclass(wanted, enum.Enum):
        return next(iter(wanted))
    if issubclass(wanted, msgspec.Struct):
        return sample(wanted)
    by_type: dict[type[Any], Any] = {
        bool: True,
        int: 7,
        float: 1.5,
        str: f"a {name}",
        datetime: MOMENT,
        bytes: b"\x00\xff",
    }
    return by_type[wanted]
