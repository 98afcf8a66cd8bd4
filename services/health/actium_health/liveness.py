"""When each amphora was first and last heard of. Pure, in memory only; whoever judges life and death will ask here."""

from dataclasses import dataclass, field

SHOWN_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Unix seconds, by the amphora's clock."""

    first_at: float
    last_at: float


@dataclass(slots=True)
class Liveness:
    """Knows only amphorae whose datagrams were believed."""

    _heard: dict[str, Heard] = field(default_factory=dict)

    def heard(self, amphora_id: str, *, at: float) -> None:
        before = self._heard.get(amphora_id)
        self._heard[amphora_id] = Heard(
            first_at=min(at, before.first_at) if before else at, last_at=max(at, before.last_at) if before else at
        )

    def forget(self, amphora_id: str) -> None:
        self._heard.pop(amphora_id, None)

    def facts(self) -> dict[str, object]:
        """Give how many there are, and the times of those that have been silent longest."""
        longest = sorted(self._heard.items(), key=lambda item: item[1].last_at)[:SHOWN_MOST]
        shown = {key: {"first_heard_at": heard.first_at, "last_heard_at": heard.last_at} for key, heard in longest}
        return {"amphorae": {"count": len(self._heard), "heard": shown}}
