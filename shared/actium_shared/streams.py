"""
Every subject, stream, retention and permission on the bus. Nothing else decides any of these.

`evt.<owner>.<aggregate>.<id>` is appended to by exactly one service; the bus's permissions, made from this table, enforce it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")

PARTITIONS = 16
"""How many ways the work on commands is divided; fixed for ever, as consumers are named by it."""

MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
DUPLICATE_WINDOW_S = 120.0

SERVICES = ("api", "planner", "compute", "network", "health", "relay")

EVENT_OWNERS: Mapping[str, tuple[str, ...]] = {
    "planner": ("loadbalancer", "appliance", "project", "spares", "catalogue", "rollout"),
    "compute": ("amphora", "secret", "authority"),
    "network": ("network", "vip", "port", "route"),
    "health": ("health", "liveness"),
}
"""Service -> the aggregates whose events it alone writes."""

COMMAND_SENDERS: Mapping[str, tuple[str, ...]] = {"planner": ("compute", "network")}
"""Service -> the services that it sends orders to."""

ASKERS: Mapping[str, tuple[str, ...]] = {"api": SERVICES, "health": ("compute",)}
"""Service -> the services that it asks, for a decision or for their status."""

ALONE = ("compute", "network")
"""Services of which one process works at a time (`lease`): they hold a world in their hands, and what they promised of it."""

FEEDS: Mapping[str, tuple[str, ...]] = {
    "api": ("planner", "compute", "network", "health"),
    "planner": ("planner", "compute", "network", "health"),
    "compute": ("compute", "network"),
    "network": ("network", "planner"),
    "health": ("health", "planner", "compute"),
}
"""Service -> whose events it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """
    One JetStream stream. Ages in seconds, 0 is for ever.

    `owner` is the service that changes the stream when its entry here has changed. What is permanent has none: who may
    change a log's settings may have it forget; that is left to an operator. `unsynced` messages are not written to the
    disk one by one: a power cut takes the last ones.
    """

    name: str
    subjects: tuple[str, ...]
    owner: str | None = None
    in_memory: bool = False
    workqueue: bool = False
    max_age_s: float = 0.0
    permanent: bool = False
    compressed: bool = False
    transform: tuple[str, str] | None = None
    last_per_subject: bool = False
    unsynced: bool = False


COMMANDS = "COMMANDS"
SIGNALS = "SIGNALS"
STATISTICS = "STATISTICS"
DEAD_LETTERS = "DEAD_LETTERS"
DEAD_LETTERS_PARTITION = "dead-letters"
"""In place of a partition's number, where a service is asked about messages that it has parked."""

SNAPSHOTS = "SNAPSHOTS"


def events_of(owner: str) -> str:
    """Give the name of the stream that holds a service's events."""
    return f"EVENTS_{owner.upper()}"


STREAMS: tuple[Stream, ...] = (
    *(
        Stream(name=events_of(owner), subjects=(f"evt.{owner}.>",), permanent=True, compressed=True)
        for owner in EVENT_OWNERS
    ),
    Stream(
        name=COMMANDS,
        subjects=("cmd.*.*",),
        owner="planner",
        in_memory=True,
        workqueue=True,
        transform=("cmd.*.*", f"cmd.{{{{wildcard(1)}}}}.{{{{partition({PARTITIONS},2)}}}}.{{{{wildcard(2)}}}}"),
    ),
    Stream(name=SIGNALS, subjects=("sig.>",), owner="health", in_memory=True, max_age_s=60.0),
    Stream(
        name=STATISTICS,
        subjects=("stat.*",),
        owner="health",
        max_age_s=7 * 86_400.0,
        compressed=True,
        unsynced=True,  # cumulative: the next figures say it all again
    ),
    Stream(name=DEAD_LETTERS, subjects=("dead.*",), permanent=True),
    Stream(name=SNAPSHOTS, subjects=("snap.>",), owner="planner", last_per_subject=True, unsynced=True),
)
BY_NAME: Mapping[str, Stream] = {stream.name: stream for stream in STREAMS}


def event_subject(owner: str, aggregate: str, aggregate_id: str) -> str:
    """Give the subject of one aggregate's commits; always this same string, as expected sequences are keyed on it."""
    if aggregate not in EVENT_OWNERS[owner]:
        raise ValueError(f"{owner} does not write {aggregate} events")
    return f"evt.{owner}.{aggregate}.{token(aggregate_id)}"


def event_subjects(owner: str, aggregate: str) -> str:
    """Give the filter that all commits of one kind of aggregate pass."""
    return f"evt.{owner}.{aggregate}.*"


def token(text: str) -> str:
    """Encode outside text as one subject token: letters, digits, `-` and `_` stay, all else becomes `=XX`."""
    if _PLAIN.fullmatch(text):
        return text
    if not text:
        return "="
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in "-_")
        else "".join(f"={byte:02X}" for byte in char.encode())
        for char in text
    )


def untoken(encoded: str) -> str:
    """Give the text that `token` encoded."""
    return unquote(encoded.replace("=", "%")) if encoded != "=" else ""


def ask_subject(service: str, partition: int | str) -> str:
    """Give the subject on which the owner of a partition answers; `status` is answered by every replica."""
    return f"ask.{service}.{partition}"


def order_subject(service: str, target: str) -> str:
    """Give the subject to publish an order on; the stream adds the partition."""
    return f"cmd.{service}.{token(target)}"


def inbox_prefix(user: str) -> str:
    """Give the private inbox of a user: nobody else may listen there."""
    return f"_INBOX_{user}"


def permissions(user: str) -> dict[str, list[str]]:
    """Give what a service's bus user may publish and subscribe; everything else is refused by the server."""
    publish = [f"evt.{user}.{aggregate}.*" for aggregate in EVENT_OWNERS.get(user, ())]
    publish += [f"cmd.{service}.*" for service in COMMAND_SENDERS.get(user, ())]
    publish += [f"ask.{service}.*" for service in ASKERS.get(user, ())]
    publish += [f"{inbox_prefix(asker)}.>" for asker, asked in ASKERS.items() if user in asked]
    publish += [f"ask.{user}.*", f"{inbox_prefix(user)}.>"] if user in ALONE else []
    publish += [f"dead.{user}", f"$JS.API.DIRECT.GET.{DEAD_LETTERS}", f"snap.{user}.>", "$JS.API.INFO"]
    publish += {"relay": ["sig.beats.>", "sig.edges.>"], "health": ["stat.*"]}.get(user, [])
    for stream in readable_streams(user):
        publish += _read_api(stream, user)
    publish += [f"$JS.API.STREAM.{verb}.{stream.name}" for stream in STREAMS for verb in ("CREATE", "INFO")]
    publish += [f"$JS.API.STREAM.UPDATE.{stream.name}" for stream in STREAMS if stream.owner == user]
    return {"publish": publish, "subscribe": [f"{inbox_prefix(user)}.>", f"ask.{user}.*"]}


def readable_streams(user: str) -> tuple[str, ...]:
    """Give the streams that a service may read."""
    feeds = tuple(events_of(owner) for owner in FEEDS.get(user, ()))
    own = {"api": (STATISTICS, DEAD_LETTERS), "health": (SIGNALS, STATISTICS)}.get(user, ())
    receives = (COMMANDS,) if any(user in receivers for receivers in COMMAND_SENDERS.values()) else ()
    return (*feeds, *own, *receives, SNAPSHOTS)


def used_streams(user: str) -> tuple[str, ...]:
    """Give the streams that a service reads or writes, and makes if they do not exist."""
    writes = [events_of(user)] if user in EVENT_OWNERS else []
    writes += [COMMANDS] if user in COMMAND_SENDERS else []
    writes += [SIGNALS] if user in ("relay", "health") else []
    return tuple(dict.fromkeys((*readable_streams(user), *writes, DEAD_LETTERS)))


def _read_api(stream: str, user: str) -> list[str]:
    filters = [f"cmd.{user}.>"] if stream == COMMANDS else [f"snap.{user}.>"] if stream == SNAPSHOTS else [">"]
    return [
        *(f"$JS.API.CONSUMER.CREATE.{stream}.*.{subjects}" for subjects in filters),
        *([f"$JS.API.CONSUMER.CREATE.{stream}.*"] if stream not in (COMMANDS, SNAPSHOTS) else []),
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.>",
        f"$JS.API.CONSUMER.INFO.{stream}.>",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.ACK.{stream}.>",
    ]
