"""
The traffic namespace, entered for a moment: sockets that live there, settings of its kernel.

Everything between `enter` and its end is synchronous, so nothing else of the agent ever runs in there.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from actium_amphora_agent.errors import Trouble

_SYSCTLS = Path("/proc/sys/net")
_NETWORK = 0x4000_0000


class Traffic:
    def __init__(self, namespace: Path) -> None:
        self._namespace = namespace

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """
        A socket stays where it was born.

        Raises:
            Trouble: there is no such namespace, or no socket of the kind.
        """
        with self._enter():
            try:
                return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
            except OSError as exc:
                raise Trouble(f"no socket in {self._namespace}: {exc.strerror}") from exc

    def set_kernel(self, settings: Mapping[str, str]) -> None:
        """
        Write what differs: some settings reset others when they are written.

        Raises:
            Trouble: the kernel took one not.
        """
        with self._enter():
            for name, value in settings.items():
                path = _SYSCTLS / name
                try:
                    if path.exists() and path.read_text().strip() != value:
                        path.write_text(value)
                except OSError as exc:
                    raise Trouble(f"{path}: {exc.strerror}") from exc

    @contextlib.contextmanager
    def _enter(self) -> Iterator[None]:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                there = os.open(self._namespace, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as exc:
                raise Trouble(f"{self._namespace}: {exc.strerror}") from exc
            try:
                _set_namespace(there)
                yield
            finally:
                os.close(there)
                try:
                    _set_namespace(home)
                except OSError:
                    os.abort()  # the agent must not go on among the tenants' traffic
        finally:
            os.close(home)


if sys.version_info >= (3, 12):

    def _set_namespace(fd: int) -> None:
        os.setns(fd, _NETWORK)

else:
    import ctypes

    _LIBC = ctypes.CDLL(None, use_errno=True)

    def _set_namespace(fd: int) -> None:
        if _LIBC.setns(fd, _NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
