"""
UDP as the bundle describes it (checks.json), and the part of its nftables rules that depends on which members live. Pure.

A branch is one listener in one family of addresses. nftables.rules holds everything fixed: what arrives, the chain `to-...` of
each member, empty chains `pick-...`, `gate-...` and an empty map `alive-...`. Those three are filled here.
"""

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import gcd, log
from typing import Any

from actium_amphora_agent.errors import Invalid

TABLE = "actium_udp"
VERDICTS = "alive-"
"""How the names of the maps begin that lead to chains."""

DOWN, UP, UNCHECKED = "DOWN", "UP", "no check"
SLOTS = 1024
"""Clients are dealt out by hash over so many slots. A member that dies gives up its own slots and no other moves."""

_SERVING = (UP, UNCHECKED)
_SEED = "0x61637469"
"""Fixed: a client's slot must not change with each new rule."""

_SOURCES = {4: "ip saddr", 6: "ip6 saddr"}
_REJECTS = {4: "icmp type port-unreachable", 6: "icmpv6 type port-unreachable"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    member: str
    chain: str
    mark: int
    weight: int
    backup: bool


@dataclass(frozen=True, slots=True)
class Branch:
    name: str
    listener: str
    pool: str
    family: int
    select: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP check's: what to send, and which answers are good."""

    text: str
    expected: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Check:
    """How one member is checked. While all of it is the same, so is the verdict."""

    member: str
    pool: str
    kind: str
    address: str
    port: int
    interface: str | None
    mark: int
    delay_s: float
    timeout_s: float
    rise: int
    fall: int
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    branches: tuple[Branch, ...] = ()
    listeners: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Listener to the marks of its flows."""

    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Pool to member to haproxy's word for it, as long as no check says otherwise."""

    checks: tuple[Check, ...] = ()

    @property
    def marks(self) -> frozenset[int]:
        return frozenset(target.mark for branch in self.branches for target in branch.targets)


def parse(text: bytes) -> Spec:
    """
    Raises:
        Invalid: not what compute renders.
    """
    if not text:
        return Spec()
    try:
        fields = json.loads(text)
        return Spec(
            branches=tuple(_branch(item) for item in fields["branches"]),
            listeners={name: tuple(map(int, marks)) for name, marks in fields["listeners"].items()},
            pools={name: dict(members) for name, members in fields["pools"].items()},
            checks=tuple(check(item) for item in fields["checks"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Invalid(f"checks.json: {type(exc).__name__}: {exc}") from exc


def _branch(item: Mapping[str, Any]) -> Branch:
    return Branch(
        name=_name(item["name"]),
        listener=_name(item["listener"]),
        pool=str(item["pool"]),
        family={4: 4, 6: 6}[item["family"]],
        select={"inc": "inc", "source": "source", "source-port": "source-port"}[item["select"]],
        targets=tuple(
            Target(str(one["member"]), _name(one["chain"]), int(one["mark"]), int(one["weight"]), bool(one["backup"]))
            for one in item["targets"]
        ),
    )


def check(item: Mapping[str, Any]) -> Check:
    """A check from its fields, as compute gives them or as they were put down here."""
    request = item.get("request")
    expected = tuple((int(least), int(most)) for least, most in request["expected"]) if request else ()
    return Check(**{**item, "request": Request(str(request["text"]), expected) if request else None})


def _name(text: Any) -> str:
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of nftables")
    return text


def picks(spec: Spec, down: AbstractSet[tuple[str, str]]) -> str:
    """The lines that fill every branch; `down` are the (pool, member) that failed their checks."""
    return "".join(f"{line}\n" for branch in spec.branches for line in _fill(branch, down))


def _fill(branch: Branch, down: AbstractSet[tuple[str, str]]) -> Iterable[str]:
    living = [target for target in branch.targets if (branch.pool, target.member) not in down]
    yield from (f"flush chain inet {TABLE} {name}-{branch.name}" for name in ("pick", "gate"))
    yield f"flush map inet {TABLE} {VERDICTS}{branch.name}"
    if living:
        elements = ", ".join(f"0x{target.mark:08x} : goto {target.chain}" for target in living)
        yield f"add element inet {TABLE} {VERDICTS}{branch.name} {{ {elements} }}"
    if chosen := choosable(living):
        yield f"add rule inet {TABLE} pick-{branch.name} {_selection(branch, chosen)}"
    else:
        # Before anything is remembered of the flow: the next packet is judged anew, and the client is told meanwhile.
        yield f"add rule inet {TABLE} gate-{branch.name} reject with {_REJECTS[branch.family]}"


def choosable(living: Sequence[Target]) -> list[Target]:
    """Those that get new flows: backups only where nobody else can; weight 0 drains."""
    weighted = [target for target in living if target.weight > 0]
    return [target for target in weighted if not target.backup] or weighted


def _selection(branch: Branch, chosen: Sequence[Target]) -> str:
    source = _SOURCES[branch.family]
    match branch.select:
        case "source":
            return f"jhash {source} mod {SLOTS} seed {_SEED} vmap {{ {_by_slot(chosen)} }}"
        case "source-port":
            return f"jhash {source} . udp sport mod {SLOTS} seed {_SEED} vmap {{ {_by_slot(chosen)} }}"
        case _:
            total, elements = _in_turn(chosen)
            return f"numgen inc mod {total} vmap {{ {elements} }}"


def _in_turn(chosen: Sequence[Target]) -> tuple[int, str]:
    """Slots in a row, as many as the weights say, without what all weights have in common."""
    common = gcd(*(target.weight for target in chosen))
    ends, elements = 0, []
    for target in chosen:
        begins, ends = ends, ends + target.weight // common
        elements.append(_element(begins, ends, target.chain))
    return ends, ", ".join(elements)


def _by_slot(chosen: Sequence[Target]) -> str:
    """Each slot goes to the member that wants it most: only the slots of one that comes or goes change hands."""
    owners, best = [""] * SLOTS, [float("-inf")] * SLOTS
    alike = len({target.weight for target in chosen}) == 1
    for target in chosen:
        for slot, desire in enumerate(_desires(target, alike=alike)):
            if desire > best[slot]:
                owners[slot], best[slot] = target.chain, desire
    elements, begins = [], 0
    for slot in range(1, SLOTS + 1):
        if slot == SLOTS or owners[slot] != owners[begins]:
            elements.append(_element(begins, slot, owners[begins]))
            begins = slot
    return ", ".join(elements)


def _desires(target: Target, *, alike: bool) -> Iterable[float]:
    numbers = _numbers(target.member)
    # Where all weigh the same the numbers themselves are in the same order, and a thousand members need no logarithms.
    return numbers if alike else (log((number + 1) / 2**32) / target.weight for number in numbers)


def _numbers(member: str) -> tuple[int, ...]:
    """A number for each slot, the same wherever and whenever it is asked."""
    return struct.unpack(f"<{SLOTS}I", hashlib.shake_128(member.encode()).digest(4 * SLOTS))


def _element(begins: int, ends: int, chain: str) -> str:
    slots = str(begins) if ends - begins == 1 else f"{begins}-{ends - 1}"
    return f"{slots} : goto {chain}"


def pools(spec: Spec, down: AbstractSet[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Each pool as haproxy would tell of it."""
    return {pool_id: _pool(pool_id, members, down) for pool_id, members in spec.pools.items()}


def _pool(pool_id: str, members: Mapping[str, str], down: AbstractSet[tuple[str, str]]) -> dict[str, Any]:
    words = {
        member: DOWN if (pool_id, member) in down and word != "MAINT" else word for member, word in members.items()
    }
    serves = not words or any(word in _SERVING for word in words.values())
    return {"status": UP if serves else DOWN, "members": words}
