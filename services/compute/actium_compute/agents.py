"""What compute needs of amphora agents. Talking with real ones is in `agent_client`."""

from dataclasses import dataclass
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
    """What an agent says of itself, as far as it matters here."""

    amphora_id: str
    boot_id: str
    digest: str | None = None


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

    async def take_certificate(self, pem: bytes) -> None:
        """
        Have the agent show this certificate, from the next connection on.

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

    def forget(self, amphora_id: str) -> None:
        """The agent is gone, or will show another certificate."""
        ...
