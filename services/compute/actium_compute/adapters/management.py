"""Sockets to the agents: plain ones, and ones made inside the embedded world's fabric namespace."""

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext

from actium_shared.embedded import namespaces
from actium_shared.errors import RetryableError

_BACKLOG = 256


class PlainManagementNetwork:
    """`ManagementNetwork` where this process is on the management network itself."""

    async def connect(self, address: str, port: int, *, timeout_s: float) -> socket.socket:
        endpoint = self._socket(socket.SOCK_STREAM)
        try:
            endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().sock_connect(endpoint, (address, port))
        except BaseException as exc:
            endpoint.close()
            if isinstance(exc, TimeoutError):
                raise RetryableError(f"agent at {address}:{port}: no answer within {timeout_s:g} s") from exc
            if isinstance(exc, OSError):
                raise RetryableError(f"agent at {address}:{port}: {exc.strerror or exc}") from exc
            raise
        return endpoint

    def datagram_socket(self, bind: tuple[str, int]) -> socket.socket:
        return self._bound(socket.SOCK_DGRAM, bind)

    def listen(self, bind: tuple[str, int]) -> socket.socket:
        endpoint = self._bound(socket.SOCK_STREAM, bind)
        endpoint.listen(_BACKLOG)
        return endpoint

    def _bound(self, kind: socket.SocketKind, bind: tuple[str, int]) -> socket.socket:
        endpoint = self._socket(kind)
        try:
            if kind is socket.SOCK_STREAM:
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            endpoint.bind(bind)
        except OSError as exc:
            endpoint.close()
            raise RetryableError(f"socket on {bind[0]}:{bind[1]}: {exc.strerror or exc}") from exc
        return endpoint

    def _socket(self, kind: socket.SocketKind) -> socket.socket:
        with self._entered():
            endpoint = socket.socket(socket.AF_INET, kind)
        endpoint.setblocking(False)
        return endpoint

    def _entered(self) -> AbstractContextManager[None]:
        return nullcontext()


class FabricManagementNetwork(PlainManagementNetwork):
    """The same from inside the fabric: a socket stays in the namespace where it was made."""

    def __init__(self, fabric_namespace: str) -> None:
        self._namespace = fabric_namespace

    def _entered(self) -> AbstractContextManager[None]:
        return namespaces.entered(self._namespace)
