"""The relay's socket: opened inside a network namespace where one is named, and told apart from its successor."""

import socket
import struct
from contextlib import nullcontext

from actium_shared.embedded import namespaces
from actium_shared.errors import RetryableError

RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024

_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_MEMINFO_FORMAT = "9I"


def open_socket(address: tuple[str, int], *, namespace: str) -> socket.socket:
    """
    Give a bound, non-blocking UDP socket with a large buffer.

    Raises:
        RetryableError: the namespace or the address does not exist (yet), or the port is taken.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with namespaces.entered(namespace) if namespace else nullcontext():
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            _enlarge(opened)
            opened.bind(address)
        except OSError as exc:
            opened.close()
            raise RetryableError(f"cannot receive on {address[0]}:{address[1]}: {exc.strerror}") from exc
    return opened


def identity(namespace: str) -> int | None:
    """Tell a namespace from another one that got its name later; None when there is none."""
    try:
        return (namespaces.FOLDER / namespace).stat().st_ino if namespace else 0
    except FileNotFoundError:
        return None


def kernel_drops(opened: socket.socket) -> int:
    """Give how many datagrams the kernel has dropped because we were too slow."""
    answer = opened.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, struct.calcsize(_MEMINFO_FORMAT))
    return int(struct.unpack(_MEMINFO_FORMAT, answer)[_MEMINFO_DROPS])


def _enlarge(opened: socket.socket) -> None:
    force = 33  # SO_RCVBUFFORCE, beyond the host's limit: needs CAP_NET_ADMIN
    try:
        opened.setsockopt(socket.SOL_SOCKET, force, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
