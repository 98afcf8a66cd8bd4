"""What the network service has told that decisions look at: the ranges of subnets, and addresses that wait for their load balancer."""

from collections.abc import Mapping

from actium_shared import streams
from actium_shared.event_store import EventStore, Recorded
from actium_shared.events.network import NetworkDiscovered, NetworkVanished, VipReleased, VipReserved
from actium_shared.ids import LoadBalancerId, NetworkId, SubnetId
from actium_shared.message import Event

STREAM = streams.events_of("network")
ALL_NETWORKS = "evt.network.network.*"


class NetworkFacts:
    """Kept up with the network service's stream. Not on our own log: `reads` says how far decisions have looked."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._position = 0
        self._subnets: dict[NetworkId, dict[SubnetId, str]] = {}
        self._routed: dict[NetworkId, bool | None] = {}
        self._reserved: dict[LoadBalancerId, VipReserved] = {}
        self.cidrs: dict[SubnetId, str] = {}

    async def load(self) -> None:
        """Learn all networks; reservations are looked up when they are asked for."""
        async for recorded in self._store.read(STREAM, after=0, subjects=(ALL_NETWORKS,)):
            self.absorb(recorded)

    def absorb(self, recorded: Recorded) -> None:
        """Take over what a commit of the network service says; another service's says nothing here."""
        if recorded.position.stream == STREAM and recorded.position.sequence > self._position:
            self._position = recorded.position.sequence
            self._take(recorded)

    def reads(self) -> Mapping[str, int]:
        """Give how far the network service's stream is contained."""
        return {STREAM: self._position} if self._position else {}

    def is_routed(self, network_id: NetworkId) -> bool | None:
        """Say whether a router is on a network, None where that is not known."""
        return self._routed.get(network_id)

    def reservation(self, lb_id: LoadBalancerId) -> VipReserved | None:
        """Give the addresses that are reserved for a load balancer, as far as the feed has told."""
        return self._reserved.get(lb_id)

    async def look_up(self, lb_id: LoadBalancerId) -> VipReserved | None:
        """
        Give the addresses that are reserved for a load balancer now: the log is asked.

        Raises:
            RetryableError: the log does not answer.
        """
        subject = streams.event_subject("network", "vip", lb_id)
        async for recorded in self._store.read(STREAM, after=0, subjects=(subject,)):
            self._take(recorded)
        return self._reserved.get(lb_id)

    def created(self, lb_id: LoadBalancerId) -> None:
        """Forget a reservation that has come to its load balancer."""
        self._reserved.pop(lb_id, None)

    def _take(self, recorded: Recorded) -> None:
        for event in recorded.commit.events:
            self._learn(event)

    def _learn(self, event: Event) -> None:
        match event:
            case NetworkDiscovered(network=network):
                self._forget(network.id)
                self._subnets[network.id] = {subnet.id: subnet.cidr for subnet in network.subnets}
                self.cidrs |= self._subnets[network.id]
                self._routed[network.id] = network.routed
            case NetworkVanished(network_id=network_id):
                self._forget(network_id)
            case VipReserved(load_balancer_id=lb_id):
                self._reserved[lb_id] = event
            case VipReleased(load_balancer_id=lb_id):
                self._reserved.pop(lb_id, None)
            case _:
                return

    def _forget(self, network_id: NetworkId) -> None:
        self._routed.pop(network_id, None)
        for subnet_id in self._subnets.pop(network_id, {}):
            self.cidrs.pop(subnet_id, None)
