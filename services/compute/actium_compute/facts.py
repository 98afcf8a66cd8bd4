"""What is known of one amphora when its next step is chosen. Values only; `read_model.queries` fills them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from actium_shared.commands.compute import AmphoraOrder, BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.events.network import Port
from actium_shared.ids import AmphoraId, ApplianceId, PortId, SecretRef

O_co = TypeVar("O_co", bound=AmphoraOrder, covariant=True)


class Stage(StrEnum):
    """How far the log says that it came."""

    WISHED = "wished"
    BOOTED = "booted"
    FAILED = "failed"
    FENCED = "fenced"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[O_co]):
    """An order as it came, with what belongs into the envelope of its outcome."""

    order: O_co
    correlation_id: str
    traceparent: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    All of it. `ports` are those that exist, its own and its peers'; `attached` those that may be plugged in.

    `appliance_id` is whom the newest order is for: a spare was its pool's before. `applied` is the configuration that the
    agent last took, which may be newer than `configured_bundle` on the log.
    """

    amphora_id: AmphoraId
    appliance_id: ApplianceId
    stage: Stage = Stage.WISHED
    sequence: int = 0
    image_tag: str | None = None
    management_address: str | None = None
    certificate_expires_at: datetime | None = None
    configured_bundle: int = 0
    refused_bundle: int = 0
    digest: str | None = None
    heartbeat_key_version: int = 1
    credentials_edition: int = 1
    boot: Stored[BootAmphora] | None = None
    configure: Stored[ConfigureAmphora] | None = None
    fence: Stored[FenceAmphora] | None = None
    delete: Stored[DeleteAmphora] | None = None
    applied: Stored[ConfigureAmphora] | None = None
    ports: Mapping[PortId, Port]
    attached: frozenset[PortId] = frozenset()

    @property
    def settled_bundle(self) -> int:
        """The newest bundle whose outcome is on the log; a new epoch always comes with a new bundle."""
        return max(self.configured_bundle, self.refused_bundle)

    @property
    def target(self) -> Stored[ConfigureAmphora] | None:
        """What should run: the newest wish, or the last good one where that is known never to run."""
        refused = self.configure is not None and self.configure.order.bundle == self.refused_bundle
        return self.applied if refused else self.configure


def own_ports(order: ConfigureAmphora) -> frozenset[PortId]:
    """Give the ports that are the amphora's own, and to be plugged into it."""
    return frozenset((order.vip_port_id, *order.member_ports.values()))


def peer_ports(order: ConfigureAmphora) -> frozenset[PortId]:
    """Give the ports of its peers: they have to be known, to tell it where those are, and are plugged in elsewhere."""
    return frozenset(peer.vip_port_id for peer in order.peers)


def named_ports(order: ConfigureAmphora) -> frozenset[PortId]:
    """Give all ports that have to exist before it can be configured so."""
    return own_ports(order) | peer_ports(order)


def named_secrets(order: ConfigureAmphora) -> frozenset[SecretRef]:
    """Give every secret that is named, whether it is needed now or not."""
    listeners = (listener.secret_refs for wish in order.load_balancers for listener in wish.listeners)
    pools = (each.pool.secret_refs for wish in order.load_balancers for each in wish.pools)
    return frozenset[SecretRef]().union(*listeners, *pools)
