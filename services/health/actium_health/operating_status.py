"""
Operating statuses: a load balancer's tree and what its amphora reports -> a status per object. Pure.

Disabled is OFFLINE whatever is reported. An object that the report lacks is judged only when the bundle in force holds
its newest wish: before, nobody was told to run it. And one report alone is not believed that a listener is missing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from actium_health.report import Report
from actium_shared.events.health import StatusChange


class Kind(StrEnum):
    LOAD_BALANCER = "loadbalancer"
    LISTENER = "listener"
    POOL = "pool"
    MEMBER = "member"


class Status(StrEnum):
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    DEGRADED = "DEGRADED"
    ERROR = "ERROR"
    DRAINING = "DRAINING"
    NO_MONITOR = "NO_MONITOR"


START = Status.OFFLINE
"""What the API shows of anything but a member before anything was recorded; a member may start as NO_MONITOR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One object of the tree. `generation` is the wish that changed it last; `monitored` is a pool's."""

    kind: Kind
    id: str
    enabled: bool
    generation: int
    parent_id: str = ""
    monitored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A load balancer as it is wished for, as far as its health is concerned."""

    load_balancer: Node
    listeners: tuple[Node, ...] = ()
    pools: tuple[Node, ...] = ()
    members: tuple[Node, ...] = ()


Key = tuple[str, str]
"""Kind and id."""

Statuses = dict[Key, Status]


def leading(reports: Iterable[Report]) -> Report | None:
    """Give the report to go by: of whoever serves, not of whoever stands by; the newest bundle where several do."""
    return max(
        reports, key=lambda report: (report.role not in ("BACKUP", "LEARNING", "FAULT"), report.bundle), default=None
    )


def operating_statuses(tree: Tree, report: Report, *, held: int) -> Statuses:
    """
    Judge every object that the report says something about.

    `held` is the wish of this load balancer that the reported bundle holds, 0 for none: then nothing can be said.
    """
    if held == 0 or (not report.settled and _lacks_a_listener(tree, report, held)):
        return {}
    missing = held if report.settled else 0
    statuses: Statuses = {}
    for listener in tree.listeners:
        _put(statuses, listener, _listener(tree.load_balancer, listener, report, missing))
    pools = {pool.id: pool for pool in tree.pools}
    for pool in tree.pools:
        _put(statuses, pool, _pool(pool, report, missing))
    for member in (member for member in tree.members if member.parent_id in pools):
        _put(statuses, member, _member(pools[member.parent_id], member, report, missing))
    _put(statuses, tree.load_balancer, _load_balancer(tree, statuses))
    return statuses


def changes(statuses: Statuses, recorded: Mapping[Key, str], reasons: Mapping[str, str]) -> tuple[StatusChange, ...]:
    """Give what differs from what was last recorded, parents first."""
    order = list(Kind)
    return tuple(
        StatusChange(kind=kind, id=about, operating_status=status, reason=reasons.get(about))
        for (kind, about), status in sorted(statuses.items(), key=lambda item: order.index(Kind(item[0][0])))
        if recorded.get((kind, about), None if kind == Kind.MEMBER else START) != status
    )


def _lacks_a_listener(tree: Tree, report: Report, held: int) -> bool:
    wanted = (node for node in tree.listeners if node.enabled and node.generation <= held)
    return tree.load_balancer.enabled and any(node.id not in report.listeners for node in wanted)


def _put(statuses: Statuses, node: Node, status: Status | None) -> None:
    if status is not None:
        statuses[(node.kind, node.id)] = status


def _listener(load_balancer: Node, listener: Node, report: Report, missing: int) -> Status | None:
    if not (listener.enabled and load_balancer.enabled):
        return Status.OFFLINE
    match report.listeners.get(listener.id):
        case "OPEN":
            return Status.ONLINE
        case "FULL":
            return Status.DEGRADED
        case "STOP":
            return Status.ERROR
        case None if missing >= max(listener.generation, load_balancer.generation):
            return Status.ERROR  # wished for, in force, and yet not there
        case _:
            return None


def _pool(pool: Node, report: Report, missing: int) -> Status | None:
    if not pool.enabled:
        return Status.OFFLINE
    reported = report.pools.get(pool.id)
    if reported is None:
        return Status.OFFLINE if missing >= pool.generation else None  # used by no listener
    if reported.status == "DOWN":
        return Status.ERROR
    down = any(word.startswith("DOWN") for word in reported.members.values())
    return Status.DEGRADED if down else Status.ONLINE


def _member(pool: Node, member: Node, report: Report, missing: int) -> Status | None:
    if not member.enabled:
        return Status.OFFLINE
    reported = report.pools.get(pool.id)
    word = reported.members.get(member.id) if reported else None
    if word is None:
        if missing < max(member.generation, pool.generation):
            return None
        return Status.OFFLINE if pool.monitored else Status.NO_MONITOR
    status = _of_word(word)
    # An edge says UP of every member that leaves maintenance, also where nobody checks: a beat would say "no check".
    return Status.NO_MONITOR if status is Status.ONLINE and not pool.monitored else status


def _of_word(word: str) -> Status | None:
    known = {
        "UP": Status.ONLINE,
        "DOWN": Status.ERROR,
        "DRAIN": Status.DRAINING,
        "NOLB": Status.DRAINING,
        "MAINT": Status.OFFLINE,
        "NO CHECK": Status.NO_MONITOR,
    }
    return next((status for start, status in known.items() if word.upper().startswith(start)), None)


def _load_balancer(tree: Tree, statuses: Statuses) -> Status:
    if not tree.load_balancer.enabled:
        return Status.OFFLINE
    found = {status for (kind, _), status in statuses.items() if kind in (Kind.LISTENER, Kind.POOL)}
    if Status.ERROR in found:
        return Status.ERROR
    return Status.DEGRADED if Status.DEGRADED in found else Status.ONLINE
