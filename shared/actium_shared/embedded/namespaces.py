"""
Network namespaces with names, as `ip netns` makes them, and the processes in them. Links are in `links`.

Everything here is short and blocks; a thread that enters a namespace is back in its own before anything is returned.
"""

import ctypes
import errno
import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from actium_shared.embedded.deadline import Deadline, locked
from actium_shared.errors import RetryableError

FOLDER = Path("/run/netns")

_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 0x1000, 0x4000, 0x100000, 2
_OWN = "/proc/thread-self/ns/net"
_KILL_CHECK_S = 0.003

_libc = ctypes.CDLL(None, use_errno=True)  # os.setns and os.unshare came with Python 3.12


def exists(name: str) -> bool:
    """Tell whether the name stands for a namespace; a plain file that a killed maker left does not."""
    try:
        return (FOLDER / name).stat().st_dev == os.stat(_OWN).st_dev  # noqa: PTH116 - pairs with the line's other half
    except FileNotFoundError:
        return False


def create(name: str, deadline: Deadline) -> None:
    """Make the namespace unless it exists; a half-made one is completed."""
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    with locked(FOLDER, deadline):  # `ip netns add` takes the same lock
        if not exists(name):
            _share_folder()
            (FOLDER / name).touch(mode=0o444)
            with _back_home_afterwards():
                _call("unshare", _CLONE_NEWNET)
                _call("mount", _OWN.encode(), bytes(FOLDER / name), b"none", _MS_BIND, None)


def remove(name: str) -> None:
    """Take the name away; the kernel frees the namespace once no process and no socket uses it."""
    while exists(name):
        _call("umount2", bytes(FOLDER / name), _MNT_DETACH)
    (FOLDER / name).unlink(missing_ok=True)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """
    Run the block inside the namespace. No `await` in the block: the whole thread is elsewhere meanwhile.

    Raises:
        RetryableError: there is no such namespace (yet).
    """
    if not exists(name):
        raise RetryableError(f"network namespace {name} does not exist")
    with _back_home_afterwards():
        _set_namespace(FOLDER / name)
        yield


def set_kernel(name: str, settings: Mapping[str, str]) -> None:
    """Set sysctls (slashes for dots) of the namespace; those that this kernel does not have are passed over."""
    with entered(name):
        for path in (Path("/proc/sys/net") / key for key in settings):
            if path.exists():
                path.write_text(settings[str(path.relative_to("/proc/sys/net"))])


def links(name: str | None) -> frozenset[str]:
    """Give the names of the links in the namespace (or this thread's own); empty where there is none of that name."""
    if name is None:
        return frozenset(link for _, link in socket.if_nameindex())
    if not exists(name):
        return frozenset()
    with entered(name):
        return frozenset(link for _, link in socket.if_nameindex())


def processes(names: Iterable[str]) -> dict[str, list[int]]:
    """Give the ids of the processes in each of the namespaces, this process left out; names without any are left out."""
    wanted = {(FOLDER / name).stat().st_ino: name for name in names if exists(name)}
    found: dict[str, list[int]] = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):  # noqa: PTH208 - five times faster than iterdir
        name = wanted.get(_namespace_of(pid)) if pid != os.getpid() else None
        if name is not None:
            found.setdefault(name, []).append(pid)
    return found


def kill_processes(names: Iterable[str], deadline: Deadline) -> None:
    """Kill all that runs in the namespaces and see it gone."""
    names = tuple(names)
    while found := processes(names):
        for pid in (pid for pids in found.values() for pid in pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(min(_KILL_CHECK_S, deadline.left_s()))


def _namespace_of(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino  # noqa: PTH116 - a Path costs more than the call
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0  # ended meanwhile, or not ours to look at and therefore in none of our namespaces


def _share_folder() -> None:
    # Shared, or a process with mounts of its own would keep a removed namespace alive.
    folder = bytes(FOLDER)
    try:
        _call("mount", b"", folder, b"none", _MS_SHARED | _MS_REC, None)
    except OSError as exc:
        if exc.errno != errno.EINVAL:
            raise
        _call("mount", folder, folder, b"none", _MS_BIND | _MS_REC, None)
        _call("mount", b"", folder, b"none", _MS_SHARED | _MS_REC, None)


@contextmanager
def _back_home_afterwards() -> Iterator[None]:
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            _call("setns", home, _CLONE_NEWNET)
        finally:
            os.close(home)


def _set_namespace(path: Path) -> None:
    target = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", target, _CLONE_NEWNET)
    finally:
        os.close(target)


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")
