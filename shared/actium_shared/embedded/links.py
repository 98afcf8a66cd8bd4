"""
Network links, through `ip -batch`: as fast as pyroute2 here, without its 10 MB and quarter of a second per process.

Blocking; services call it in a thread. Only veth pairs are looked at: the worlds' other links are never moved.
"""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actium_shared.embedded import namespaces
from actium_shared.embedded.deadline import Deadline
from actium_shared.errors import RetryableError

_FAILED_LINE = re.compile(r"Command failed -:(\d+)")


@dataclass(frozen=True, slots=True)
class Link:
    """One end of a veth pair; `alias` is the id of its port, or what else it stands for, or empty."""

    name: str
    alias: str


def change(namespace: str | None, lines: Sequence[str], deadline: Deadline) -> None:
    """
    Run `ip` command lines in the namespace (or this process's own), one after the other, up to the first that fails.

    Raises:
        RetryableError: one failed, or the deadline passed; the message holds ip's words and the line.
    """
    if lines:
        _ip(namespace, "-batch", "-", deadline=deadline, lines=lines)


def veths(namespace: str | None, deadline: Deadline) -> list[Link]:
    """List the veth ends in the namespace (or this process's own); none where it does not exist."""
    if len(namespaces.links(namespace)) <= 1:  # lo at most: spares a process
        return []
    rows = json.loads(_ip(namespace, "-j", "link", "show", "type", "veth", deadline=deadline) or "[]")
    return [Link(row["ifname"], row.get("ifalias", "")) for row in rows if "ifname" in row]


def shown(namespace: str | None, *question: str, deadline: Deadline) -> list[dict[str, Any]]:
    """
    Give what `ip` shows on a question, such as `-6 route show`, as its rows; none where it shows nothing.

    Raises:
        RetryableError: it does not understand, or the deadline passed.
    """
    rows: list[dict[str, Any]] = json.loads(_ip(namespace, "-j", *question, deadline=deadline) or "[]")
    return [row for row in rows if row]


def delete(namespace: str | None, names: Sequence[str], deadline: Deadline) -> None:
    """Delete the links that are there, and with a veth end its peer, wherever that is."""
    if names:
        done = _run(namespace, "-force", "-batch", "-", deadline=deadline, lines=[f"link del {name}" for name in names])
        # A link may go with its peer or by somebody else's hand; only what is still there has failed.
        if left := namespaces.links(namespace).intersection(names):
            raise RetryableError(f"links {', '.join(sorted(left))} cannot be deleted: {done.stderr.strip()}")


def _ip(namespace: str | None, *arguments: str, deadline: Deadline, lines: Sequence[str] = ()) -> str:
    done = _run(namespace, *arguments, deadline=deadline, lines=lines)
    if done.returncode:
        raise RetryableError(f"ip in {namespace or 'the own namespace'}: {_explain(done.stderr, lines)}")
    return done.stdout


def _run(
    namespace: str | None, *arguments: str, deadline: Deadline, lines: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    command = ["ip", *(("-n", namespace) if namespace else ()), *arguments]
    try:
        return subprocess.run(
            command, input="\n".join(lines), capture_output=True, text=True, check=False, timeout=deadline.left_s()
        )
    except subprocess.TimeoutExpired as exc:
        raise deadline.lapsed() from exc


def _explain(words: str, lines: Sequence[str]) -> str:
    failed = _FAILED_LINE.search(words)
    said = " ".join(_FAILED_LINE.sub("", words).split())
    return f"{said} ({lines[int(failed[1]) - 1]})" if failed else said
