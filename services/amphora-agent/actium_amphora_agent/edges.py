"""haproxy's log lines about servers and frontends, as edges for the relay: told at once, not at the next beat. Pure."""

import re

_SERVER = re.compile(
    r"(?:Backup )?[Ss]erver (?P<pool>[^\s/:]+)(?::\S*?)?/(?P<member>\S+) "
    r"(?P<change>is UP|is DOWN|is going DOWN for maintenance|is going MAINT|enters maintenance|enters drain state)"
    r"(?P<rest>[^\n]*)"
)
_FRONTEND = re.compile(r"(?P<change>Paused|Resumed|Stopped|Enabled) frontend (?P<listener>[^\s.]+)")
_IN_BRACKETS = re.compile(r"[^(,.]*\(([^)]*)\)")
_STATUS = {
    "is UP": "UP",
    "is DOWN": "DOWN",
    "is going DOWN for maintenance": "MAINT",
    "is going MAINT": "MAINT",
    "enters maintenance": "MAINT",
    "enters drain state": "DRAIN",
    "Paused": "STOP",
    "Stopped": "STOP",
    "Resumed": "OPEN",
    "Enabled": "OPEN",
}


def parse(line: str) -> dict[str, str] | None:
    """The edge in one line of haproxy's log; None where the line tells of something else."""
    if server := _SERVER.search(line):
        return {
            "kind": "member",
            "id": server["member"],
            "pool_id": server["pool"],
            "status": _STATUS[server["change"]],
            "reason": _reason(server["rest"])[:200],
        }
    if (frontend := _FRONTEND.search(line)) and not frontend["listener"].startswith(("_", "GLOBAL", "MASTER")):
        return {"kind": "listener", "id": frontend["listener"], "status": _STATUS[frontend["change"]], "reason": ""}
    return None


def _reason(rest: str) -> str:
    """After "reason:" up to the count of what is left, or in brackets after a command; not everything has one."""
    if in_brackets := _IN_BRACKETS.match(rest):
        return in_brackets[1]
    return rest.partition("reason: ")[2].partition(". ")[0]
