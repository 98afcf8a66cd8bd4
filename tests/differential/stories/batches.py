"""Many members at once."""

from collections.abc import Iterator
from typing import Any

from differential.story import MEMBER, Story

SORTED = "?sort=protocol_port"


def _members(*ports: int, **fields: Any) -> list[dict[str, Any]]:
    return [{**MEMBER, "protocol_port": port, **fields} for port in ports]


def batches() -> Iterator[Story]:
    story = Story("batches of members")
    lb = story.load_balancer()
    pool = story.pool(lb)
    path = f"pools/{pool}/members"

    def batch(name: str, members: Any, words: str = "") -> None:
        story.put(f"{path}{words}", "members", members, name=name)
        story.get(f"{path}{SORTED}", name=f"after {name}")

    batch("two", _members(1, 2, name="n", weight=5, tags=["t"], backup=True, monitor_port=9))
    batch("the same again", _members(1, 2, name="n", weight=5, tags=["t"], backup=True, monitor_port=9))
    batch("fields left out", _members(1, 2))
    batch("one leaves", _members(2))
    batch("one comes", _members(3), "?additive_only=true")
    batch("nothing, additive", [], "?additive_only=true")
    batch("additive spelt otherwise", _members(4), "?additive_only=True")
    batch("additive nonsense", _members(5), "?additive_only=maybe")
    batch("all leave", [])
    batch("nothing", [])
    yield story


def wrong() -> Iterator[Story]:
    story = Story("batches that are refused")
    lb = story.load_balancer()
    pool = story.pool(lb)
    path = f"pools/{pool}/members"
    story.put(path, "members", _members(1), is_told=False)
    for name, members in {
        "a new one twice": _members(2, 2),
        "an old one twice": _members(1, 1),
        "a bad address": [{"address": "x", "protocol_port": 1}],
        "no address": [{"protocol_port": 1}],
        "a reserved address": [{"address": "169.254.169.254", "protocol_port": 1}],
        "an id": _members(1, id="x"),
        "a weight too large": _members(1, weight=257),
        "not objects": ["x"],
        "nulls": [None],
        "null": None,
        "an object": {},
    }.items():
        story.put(path, "members", members, name=name)
    story.ask("PUT", path, {})
    story.ask("PUT", path, {"member": []})
    story.get(f"{path}{SORTED}")
    yield story


def with_monitor() -> Iterator[Story]:
    story = Story("batches below a monitor")
    lb = story.load_balancer()
    listener = story.listener(lb)
    pool = story.pool(lb, loadbalancer_id=None, listener_id=listener)
    story.monitor(pool)
    story.put(f"pools/{pool}/members", "members", _members(1, 2))
    story.get(f"pools/{pool}/members{SORTED}")
    story.get(f"pools/{pool}")
    yield story


TELLERS = (batches, wrong, with_monitor)
