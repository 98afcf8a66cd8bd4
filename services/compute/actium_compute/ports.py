"""What compute needs from a world: machines, a way to their agents, and secrets. Adapters are in `adapters`."""

import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from actium_shared.errors import PermanentError
from actium_shared.ids import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePort:
    """A port of the network service, as a machine sees it."""

    port_id: str
    mac: str
    address: str
    prefix_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineWish:
    """
    An amphora as it shall be. `files` makes what goes where its agent reads it, which holds keys; it is asked for that,
    in any thread, where a machine is switched on.

    `host` is where it must be, `avoid_hosts` where it must not: logical hosts, which fail together. No two of the same
    `group` are ever on one host. Softer, and never a reason to refuse: another host than `prefer_not_hosts`, and another
    one than those of the same `spread`.
    """

    amphora_id: str
    image_tag: str
    management_port: MachinePort
    files: Callable[[], Mapping[str, bytes]] = field(repr=False)
    host: str | None = None
    avoid_hosts: frozenset[str] = frozenset()
    group: str = ""
    prefer_not_hosts: frozenset[str] = frozenset()
    spread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An amphora that exists; `powered` is false for one that never started or was killed."""

    compute_id: str
    host: str
    powered: bool = True


class Machines(Protocol):
    """
    The machines of one world.

    Every call may be repeated, also after a process was killed in the midst of it: what is there is kept, what is
    missing is made. All raise `RetryableError` when the world does not answer or the deadline passes. Calls for one
    amphora run one after the other, in the order they were made; those that only look, and `cut_links`, wait for none.
    """

    @property
    def boots_at_once(self) -> int:
        """How many amphorae the world boots side by side before each comes later for it, until their agents answer."""
        ...

    async def boot(self, machine: MachineWish, *, timeout_s: float) -> Machine:
        """
        Make the amphora run; one that runs is returned as it is. Its agent may need longer to answer.

        Raises:
            RetryableError: its management port does not exist yet, or it is not done in time.
            PermanentError: the image is unknown, or no host is left; the message names it.
        """
        ...

    async def attach(self, amphora_id: str, port: MachinePort, *, timeout_s: float) -> None:
        """
        Give the amphora an interface; nothing changes for one that it has, wherever its agent has put it.

        Raises:
            RetryableError: the port or the amphora does not exist (yet).
        """
        ...

    async def detach(self, amphora_id: str, port_id: str, *, timeout_s: float) -> None:
        """Take the interface away; the port remains. Nothing happens for one that the amphora does not have."""
        ...

    async def cut_links(self, amphora_id: str) -> None:
        """
        Fence: no interface of the amphora carries anything any more, nor does one that is being attached just now.

        For good; only `delete` comes after it. Nothing happens for an amphora that does not exist.
        """
        ...

    async def power_off(self, amphora_id: str, *, timeout_s: float) -> None:
        """Switch it off, without asking its agent; its ports stay, and `boot` makes it run again with new files."""
        ...

    async def delete(self, amphora_id: str, *, timeout_s: float) -> None:
        """Leave nothing of the amphora: no process, file, key, namespace, or port that is attached to it."""
        ...

    async def running(self) -> Mapping[str, Machine]:
        """Give every amphora of which there is a record, by id: for adoption, and to find what should not be."""
        ...

    async def leftovers(self) -> frozenset[str]:
        """Give the amphorae of this world of which something exists, but no record: `delete` removes that, too."""
        ...

    async def tidy(self) -> None:
        """See to it that what machines leave behind while they run, such as their output, does not grow for ever."""
        ...

    async def power(self, amphora_id: str) -> bool:
        """Tell whether the amphora is switched on; its agent may still be dead."""
        ...


class ManagementNetwork(Protocol):
    """Sockets on the network where the agents are. All are non-blocking, and their caller closes them."""

    async def connect(self, address: str, port: int, *, timeout_s: float) -> socket.socket:
        """
        Open a TCP connection to an agent.

        Raises:
            RetryableError: refused, unreachable, or no answer within `timeout_s`.
        """
        ...

    def datagram_socket(self, bind: tuple[str, int]) -> socket.socket:
        """
        Open a UDP socket bound to the address.

        Raises:
            RetryableError: the address is not there (yet) or taken.
        """
        ...

    def listen(self, bind: tuple[str, int]) -> socket.socket:
        """
        Open a TCP socket that listens on the address.

        Raises:
            RetryableError: the address is not there (yet) or taken.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """
    What one reference leads to, as PEM texts; which of them are there depends on what was stored.

    A certificate comes with its key and the intermediates that its chain needs, leaf's issuer first, without the root.
    """

    certificate_pem: bytes = b""
    private_key_pem: bytes = field(default=b"", repr=False)
    intermediates_pem: bytes = b""
    ca_pem: bytes = b""
    crl_pem: bytes = b""


class SecretStore(Protocol):
    """Where secrets are kept. What is read is held in memory no longer than a rendering takes."""

    async def read(self, refs: Collection[SecretRef]) -> Mapping[SecretRef, Secret | PermanentError]:
        """
        Give what is stored under each reference now; an error of one where nothing is, or what cannot be understood.

        The error names the reference.

        Raises:
            RetryableError: the store does not answer.
        """
        ...
