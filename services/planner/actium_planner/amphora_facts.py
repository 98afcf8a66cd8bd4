"""What compute has told of machines that rollouts look at: what they run, since when, and until when their certificates last."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from actium_shared import streams
from actium_shared.event_store import EventStore, Recorded
from actium_shared.events.amphora import AmphoraBooted, AmphoraCertificateRenewed, AmphoraDeleted
from actium_shared.ids import AmphoraId

STREAM = streams.events_of("compute")
ALL_AMPHORAE = "evt.compute.amphora.*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One that booted, at first at `booted_at`."""

    image_tag: str
    booted_at: datetime
    certificate_expires_at: datetime


class AmphoraFacts:
    """Kept up with compute's stream. Not on our own log: `reads` says how far decisions have looked."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._position = 0
        self._machines: dict[AmphoraId, Machine] = {}

    async def load(self) -> None:
        """Learn of all machines that there are."""
        async for recorded in self._store.read(STREAM, after=0, subjects=(ALL_AMPHORAE,)):
            self.absorb(recorded)

    def absorb(self, recorded: Recorded) -> None:
        """Take over what a commit of compute says; another service's says nothing here."""
        if recorded.position.stream != STREAM or recorded.position.sequence <= self._position:
            return
        self._position = recorded.position.sequence
        for event in recorded.commit.events:
            match event:
                case AmphoraBooted():
                    self._booted(event, recorded.commit.decided_at)
                case AmphoraCertificateRenewed(amphora_id=amphora_id, certificate_expires_at=expires_at):
                    known = self._machines.get(amphora_id)
                    if known is not None:
                        self._machines[amphora_id] = replace(known, certificate_expires_at=expires_at)
                case AmphoraDeleted(amphora_id=amphora_id):
                    self._machines.pop(amphora_id, None)
                case _:
                    pass

    def reads(self) -> Mapping[str, int]:
        """Give how far compute's stream is contained."""
        return {STREAM: self._position} if self._position else {}

    def machine(self, amphora_id: AmphoraId) -> Machine | None:
        """Give what is known of an amphora's machine, once it has booted."""
        return self._machines.get(amphora_id)

    def _booted(self, event: AmphoraBooted, at: datetime) -> None:
        known = self._machines.get(event.amphora_id)
        self._machines[event.amphora_id] = Machine(
            image_tag=event.image_tag,
            booted_at=known.booted_at if known is not None else at,
            certificate_expires_at=event.certificate_expires_at,
        )
