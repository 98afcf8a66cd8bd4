"""What the server is told of a stream, and what it means when a stream that exists was told something else. Pure."""

from collections.abc import Mapping
from typing import Any

from actium_shared import streams

NANO = 1_000_000_000

LEFT_TO_OPERATORS = ("num_replicas",)
"""Only where a stream is made; a cluster's operator may well want more."""

HARMLESS = ("duplicate_window", "compression", "persist_mode", "deny_delete", "deny_purge")
"""Services work with other values, too. All else they rely on: what is stored where, for how long, and how it is found."""

FOR_EVER = ("persist_mode", "storage")
"""The server takes no update that changes one of these."""


def settings_of(stream: streams.Stream) -> dict[str, object]:
    """Give the stream's settings as the server takes them."""
    window_s = min(streams.DUPLICATE_WINDOW_S, stream.max_age_s or streams.DUPLICATE_WINDOW_S)
    settings: dict[str, object] = {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "storage": "memory" if stream.in_memory else "file",
        "retention": "workqueue" if stream.workqueue else "limits",
        "max_age": int(stream.max_age_s * NANO),
        "duplicate_window": int(window_s * NANO),
        "deny_delete": stream.permanent,
        "deny_purge": stream.permanent,
        "allow_direct": True,
        "num_replicas": 1,
        "max_msgs_per_subject": 1 if stream.last_per_subject else -1,
        "compression": "s2" if stream.compressed else "none",
    }
    if stream.unsynced:
        settings["persist_mode"] = "async"
    if stream.transform:
        settings["subject_transform"] = {"src": stream.transform[0], "dest": stream.transform[1]}
    return settings


def differences(stream: streams.Stream, found: Mapping[str, Any]) -> dict[str, object]:
    """Give the settings that are not as the table says, with the values that it wants; None where it wants none."""
    wanted = settings_of(stream)
    names = (wanted.keys() | {"subject_transform"}) - set(LEFT_TO_OPERATORS)
    return {name: wanted.get(name) for name in sorted(names) if found.get(name) != wanted.get(name)}


def harmful(different: Mapping[str, object]) -> list[str]:
    """Give those of the differing settings that services cannot live with."""
    return [name for name in different if name not in HARMLESS]
