"""What compute needs of amphora agents. Talking with real ones is in `agent_client`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from actium_compute.amphora_drivers.bundle import Bundle


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle is in force; `result` is unchanged, runtime or reload."""

    result: str
    digest: str
    bundle: int
    took_ms: float


@dataclass(frozen=True, slots=True)
class Refused:
    """It can never be; the one before it serves on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outdated:
    """The agent has seen a newer bundle or epoch."""

    reason: str


class AgentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an agent says of itself, as far as it matters here.

    `drift`: why what runs is not what `digest` stands for. `heartbeat_key_version`, `credentials_edition`: 0 where it does
    not say.
    """

    amphora_id: str
    boot_id: str
    digest: str | None = None
    bundle: int = 0
    drift: str | None = None
    heartbeat_key_version: int = 0
    credentials_edition: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """By what an agent shall be known, and whom it shall trust."""

    pem: bytes = field(repr=False)
    expires_at: datetime
    ca: bytes
    edition: int
    heartbeat_key: bytes = field(repr=False)
    heartbeat_key_version: int

    def to_body(self) -> bytes:
        names = ("pem", "ca", "edition", "heartbeat_key", "heartbeat_key_version")
        return msgspec.msgpack.encode({name: getattr(self, name) for name in names})


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent goes by after it was given credentials: 0 where it knows nothing of such things, and keeps its own."""

    heartbeat_key_version: int = 0
    credentials_edition: int = 0


class Agent(Protocol):
    """One agent; one call at a time. What it refuses on good grounds is a value; what fails on the way is raised."""

    @property
    def address(self) -> str: ...

    @property
    def certificate_expires_at(self) -> datetime | None:
        """Of the certificate that the agent showed last."""
        ...

    async def configure(self, bundle: Bundle) -> Applied | Refused | Outdated:
        """
        Have the agent run the bundle.

        Raises:
            RetryableError: no answer in time, or none that can be read; the agent may have taken the bundle or not.
            PermanentError: the agent does not understand what we send.
        """
        ...

    async def status(self) -> AgentStatus:
        """
        Ask the agent how it is.

        Raises:
            RetryableError: as `configure`.
        """
        ...

    async def take_credentials(self, credentials: Credentials) -> Taken:
        """
        Have the agent go by these from the next connection, and the next beat, on.

        Raises:
            RetryableError: as `configure`.
            PermanentError: the agent cannot use it.
        """
        ...


class Agents(Protocol):
    """The ways to all agents."""

    def of(self, amphora_id: str, address: str) -> Agent:
        """Give the way to one; nothing is sent yet."""
        ...

    async def fence(
        self, amphora_id: str, address: str, bundle: Bundle, *, timeout_s: float
    ) -> Applied | Refused | Outdated:
        """
        Have one run a bundle that fences it, without waiting for whatever else is being said to it.

        Raises:
            RetryableError, PermanentError: as `Agent.configure`.
        """
        ...

    async def probe(self, amphora_id: str, address: str, *, timeout_s: float) -> AgentStatus:
        """
        Ask one how it is, whatever else is being said to it, and without waiting for that.

        Raises:
            RetryableError: no answer within `timeout_s`, or none that can be believed.
        """
        ...

    def forget(self, amphora_id: str) -> None:
        """The agent is gone, or will show another certificate."""
        ...
