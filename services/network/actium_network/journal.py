"""The service's own log, and where on it things stand."""

from actium_shared import journal, streams
from actium_shared.bus import Bus
from actium_shared.clock import Clock
from actium_shared.event_store import EventStore
from actium_shared.message import Position
from actium_shared.read_model import Positions, Projector


class Journal(journal.Journal):
    """Appends, and waits for streams that are read."""

    def __init__(
        self, bus: Bus, store: EventStore, projector: Projector[None], positions: Positions, clock: Clock
    ) -> None:
        super().__init__("network", store, positions, projector.apply, apply_next=projector.apply_next, clock=clock)
        self._bus = bus

    async def reach_end_of(self, stream: str, subjects: str = ">") -> int:
        """Wait until the tables contain all that is on a stream now, by these subjects; give the position."""
        end = await self._bus.last_sequence(stream, subjects)
        await self._positions.wait_for(Position(stream, end), timeout_s=journal.OWN_WRITE_TIMEOUT_S)
        return end


def vip_subject(load_balancer_id: str) -> str:
    return streams.event_subject("network", "vip", load_balancer_id)


def ports_subject(amphora_id: str) -> str:
    return streams.event_subject("network", "port", amphora_id)


def routes_subject(appliance_id: str) -> str:
    return streams.event_subject("network", "route", appliance_id)


def network_subject(network_id: str) -> str:
    return streams.event_subject("network", "network", network_id)
