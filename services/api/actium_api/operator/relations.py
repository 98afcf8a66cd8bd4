"""Which appliance carries which load balancers and consists of which amphorae, ever: learned from the log, kept in memory."""

import asyncio
from collections.abc import Mapping

from actium_shared.bus import Bus
from actium_shared.errors import RetryableError, UnreadableError
from actium_shared.event_store import Recorded, recorded
from actium_shared.events.appliance import AmphoraAppointed, LoadBalancerAdmitted
from actium_shared.streams import event_subject, events_of

STREAM = events_of("planner")
SUBJECTS = ("evt.planner.appliance.*",)
REFRESH_TIMEOUT_S = 30.0


class Relations:
    """
    Never forgets: the story of what is deleted is still told. One for all requests of a process.

    The first `refresh` reads all there is about appliances, later ones what was added.
    """

    def __init__(self) -> None:
        self._reached = 0
        self._load_balancers: dict[str, list[str]] = {}
        self._appliances: dict[str, list[str]] = {}
        self._amphorae: dict[str, list[str]] = {}
        self._appliance_of: dict[str, str] = {}
        self._refreshing = asyncio.Lock()

    async def refresh(self, bus: Bus) -> None:
        """
        Learn all that is on the log now.

        Raises:
            RetryableError: the bus does not give it in time.
        """
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT_S), self._refreshing:
                async for delivery in bus.feed(STREAM, after=self._reached, subjects=SUBJECTS, until_end=True):
                    try:
                        self.learn(recorded(delivery))
                    except UnreadableError:  # shown as such to who reads the log; there is nothing to learn from it
                        continue
                    finally:
                        self._reached = delivery.sequence
        except TimeoutError as exc:
            raise RetryableError(f"the log was not read within {REFRESH_TIMEOUT_S:.0f} s") from exc

    def learn(self, commit: Recorded) -> None:
        """Take in one commit; again does no harm."""
        for event in commit.commit.events:
            match event:
                case LoadBalancerAdmitted(appliance_id=appliance_id, load_balancer_id=load_balancer_id):
                    _add(self._load_balancers, appliance_id, load_balancer_id)
                    _add(self._appliances, load_balancer_id, appliance_id)
                case AmphoraAppointed(appliance_id=appliance_id, amphora_id=amphora_id):
                    _add(self._amphorae, appliance_id, amphora_id)
                    self._appliance_of[amphora_id] = appliance_id
                case _:
                    pass

    def knows_amphora(self, amphora_id: str) -> bool:
        return amphora_id in self._appliance_of

    def load_balancers(self, aggregate: str, aggregate_id: str) -> tuple[str, ...]:
        """Give the load balancers that an aggregate serves or served, the oldest first."""
        match aggregate:
            case "loadbalancer" | "vip" | "health":
                return (aggregate_id,)
            case "appliance" | "route":
                return tuple(self._load_balancers.get(aggregate_id, ()))
            case "amphora" | "port" | "liveness":
                return tuple(self._load_balancers.get(self._appliance_of.get(aggregate_id, ""), ()))
            case _:
                return ()

    def subjects(self, load_balancer_id: str) -> Mapping[str, tuple[str, ...]]:
        """Give the subjects, by stream, on which everything about a load balancer stands."""
        appliances = self._appliances.get(load_balancer_id, [])
        amphorae = [one for appliance_id in appliances for one in self._amphorae.get(appliance_id, ())]
        return {
            events_of("planner"): (
                event_subject("planner", "loadbalancer", load_balancer_id),
                *(event_subject("planner", "appliance", one) for one in appliances),
            ),
            events_of("compute"): tuple(event_subject("compute", "amphora", one) for one in amphorae),
            events_of("network"): (
                event_subject("network", "vip", load_balancer_id),
                *(event_subject("network", "port", one) for one in amphorae),
                *(event_subject("network", "route", one) for one in appliances),
            ),
            events_of("health"): (
                event_subject("health", "health", load_balancer_id),
                *(event_subject("health", "liveness", one) for one in amphorae),
            ),
        }


def _add(relation: dict[str, list[str]], key: str, value: str) -> None:
    values = relation.setdefault(key, [])
    if value not in values:
        values.append(value)
