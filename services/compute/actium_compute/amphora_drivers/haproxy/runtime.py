"""
What can change without a reload: the difference between two configurations as commands of haproxy's runtime API. Pure.

Only servers change so.
"""

from collections.abc import Iterator
from dataclasses import replace

from actium_compute.amphora_drivers.haproxy.model import Backend, Configuration, Server
from actium_compute.amphora_drivers.haproxy.words import Word

ELSEWHERE = {
    4: (Word("192.0.2.1"), Word("192.0.2.2")),
    6: (Word("2001:db8::1"), Word("2001:db8::2")),
}
"""Addresses where nobody is, of either family; nothing is sent there."""

MOST_COMMANDS = 200
"""Beyond this many the reload is quicker, and the answer is due within two seconds."""


def commands(before: Configuration, after: Configuration) -> tuple[str, ...] | None:
    """Give the commands that lead from one to the other; none where nothing changes, None where only a reload helps."""
    if _without_servers(before) != _without_servers(after):
        return None
    found: list[str] = []
    for old, new in zip(before.backends, after.backends, strict=True):
        changes = _backend_changes(old, new)
        if changes is None:
            return None
        found += changes
    return tuple(found) if len(found) <= MOST_COMMANDS else None


def _without_servers(configuration: Configuration) -> Configuration:
    return replace(configuration, backends=tuple(replace(backend, servers=()) for backend in configuration.backends))


def _backend_changes(before: Backend, after: Backend) -> list[str] | None:
    if before.servers == after.servers:
        return []
    old = {server.name: server for server in before.servers}
    new = {server.name: server for server in after.servers}
    added = [server for name, server in new.items() if name not in old]
    kept = [(old[name], server) for name, server in new.items() if name in old]
    if any(not _same_kind(*pair) for pair in kept):
        return None
    found = [command for server in added for command in _add(after, server)]
    found += [command for pair in kept for command in _change(after, *pair)]
    found += [command for name in old if name not in new for command in _remove(after, old[name])]
    return found


def _same_kind(before: Server, after: Server) -> bool:
    return replace(before, weight=after.weight, disabled=after.disabled) == after


def _add(backend: Backend, server: Server) -> Iterator[str]:
    name = f"{backend.name}/{server.name}"
    if backend.persistence and backend.persistence.cookie:
        # haproxy makes a server's cookie when its file is read, and whenever its address changes: hence the detour.
        yield f"add server {name} {server.words_at(_elsewhere(server))}"
        yield f"set server {name} addr {server.address}"
    else:
        yield f"add server {name} {server.words}"
    if server.check:
        yield f"enable health {name}"
    if not server.disabled:
        yield f"set server {name} state ready"


def _elsewhere(server: Server) -> Word:
    one, other = ELSEWHERE[6 if ":" in server.address else 4]
    return one if server.address != one else other


def _change(backend: Backend, before: Server, after: Server) -> Iterator[str]:
    name = f"{backend.name}/{after.name}"
    if before.weight != after.weight:
        yield f"set server {name} weight {after.weight}"
    if before.disabled != after.disabled:
        yield f"set server {name} state {'maint' if after.disabled else 'ready'}"


def _remove(backend: Backend, server: Server) -> Iterator[str]:
    # haproxy refuses to delete one that is in use; the agent then reloads, which lets its sessions end in peace.
    name = f"{backend.name}/{server.name}"
    yield f"set server {name} state maint"
    yield f"del server {name}"
