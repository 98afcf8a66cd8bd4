"""What travels beside a message, in NATS headers named after CloudEvents' attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from actium_shared.errors import UnreadableError
from actium_shared.message import Actor

COMMIT_TYPE = "actium.commit"
"""The `type` of a commit's envelope; the events inside carry their own."""

CALLERS_ID = "command/"
"""Begins the id of a command that its caller has named: who decides on it does so once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """
    Identity and origin of one message.

    `correlation_id` is the same for everything that one request set off; `causation_id` names the message that
    this one answers; `traceparent` is W3C trace context.
    """

    id: str
    type: str
    version: int
    source: str
    time: datetime
    correlation_id: str
    causation_id: str | None = None
    actor: Actor | None = None
    traceparent: str | None = None

    def to_headers(self) -> dict[str, str]:
        """Give the headers; what is unknown is left out."""
        headers = {
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-type": self.type,
            "ce-schemaversion": str(self.version),
            "ce-source": self.source,
            "ce-time": self.time.isoformat(),
            "ce-correlationid": self.correlation_id,
        }
        if self.causation_id is not None:
            headers["ce-causationid"] = self.causation_id
        if self.actor is not None:
            headers["ce-actoruser"] = self.actor.user_id
            headers["ce-actorproject"] = self.actor.project_id
            headers["ce-actorrequest"] = self.actor.request_id
        if self.traceparent is not None:
            headers["traceparent"] = self.traceparent
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "Envelope":
        """
        Read what `to_headers` wrote.

        Raises:
            UnreadableError: a required header is missing or malformed.
        """
        try:
            return cls(
                id=headers["ce-id"],
                type=headers["ce-type"],
                version=int(headers["ce-schemaversion"]),
                source=headers["ce-source"],
                time=datetime.fromisoformat(headers["ce-time"]),
                correlation_id=headers["ce-correlationid"],
                causation_id=headers.get("ce-causationid"),
                actor=_actor(headers),
                traceparent=headers.get("traceparent"),
            )
        except (KeyError, ValueError) as exc:
            raise UnreadableError(f"envelope without a valid {exc}") from exc


def _actor(headers: Mapping[str, str]) -> Actor | None:
    if "ce-actorrequest" not in headers:
        return None
    return Actor(
        user_id=headers.get("ce-actoruser", ""),
        project_id=headers.get("ce-actorproject", ""),
        request_id=headers["ce-actorrequest"],
    )
