"""For worlds that list all that they have: what is not listed is not there."""

from collections.abc import Sequence

from actium_network.ports import ExistingPort, Network, ObjectKind


class ListedNetworks:
    """The part of `NetworkDriver` that looks for what was not listed."""

    async def networks(self) -> Sequence[Network]:
        raise NotImplementedError

    async def find(
        self,
        *,
        network_id: str | None,
        subnet_id: str | None,
        address: str | None = None,  # noqa: ARG002 - a range is what it is
        timeout_s: float,  # noqa: ARG002 - a list is at hand
    ) -> Network | None:
        return listed(await self.networks(), network_id=network_id, subnet_id=subnet_id)

    async def find_port(self, port_id: str, *, timeout_s: float) -> ExistingPort | None:  # noqa: ARG002
        return None  # nobody else makes ports here

    async def has_object(self, kind: ObjectKind, object_id: str, *, timeout_s: float) -> bool:  # noqa: ARG002
        return False


def listed(networks: Sequence[Network], *, network_id: str | None, subnet_id: str | None) -> Network | None:
    """Give the network that has this id and this subnet, as far as they are named."""
    for network in networks:
        subnets = [subnet.id for subnet in network.subnets]
        if network_id in (None, network.id) and (subnet_id in subnets if subnet_id else network_id):
            return network
    return None
