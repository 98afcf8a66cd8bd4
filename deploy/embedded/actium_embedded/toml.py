"""Writes the little TOML that a world needs; the standard library only reads it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def to_toml(values: Mapping[str, Any]) -> str:
    return "\n".join(_lines(values)) + "\n"


def _lines(values: Mapping[str, Any], inside: str = "") -> Iterator[str]:
    """Plain values come first: TOML counts whatever follows a table's head to that table."""
    for name, value in values.items():
        if not _is_table(value) and value is not None:
            yield f"{name} = {_value(value)}"
    for name, value in values.items():
        path = f"{inside}{name}"
        for head, table in _tables(path, value):
            yield ""
            yield head
            yield from _lines(table, f"{path}.")


def _tables(name: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        yield f"[{name}]", value
    elif _is_table(value):
        for table in value:
            yield f"[[{name}]]", table


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
    )


def _value(value: Any) -> str:
    """JSON's notation of strings, numbers, booleans and lists of these is TOML's too."""
    return json.dumps(value)
