"""
What can be asked of compute: to boot, configure and delete amphorae, by the planner on the COMMANDS stream; and, by the
API as asks, to keep secrets and to say whether they can be used.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, PortId, ProjectId, SecretRef, SubnetId
from actium_shared.message import Command, Order, Reply
from actium_shared.wishes import LoadBalancerWish, Value


class AmphoraOrder(Order, frozen=True, kw_only=True):
    """Base of this module's orders."""

    SERVICE: ClassVar[str] = "compute"
    TARGET: ClassVar[str] = "amphora_id"

    amphora_id: AmphoraId
    appliance_id: ApplianceId


class BootAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """
    Make the machine exist and its agent answer.

    Compute waits until the network service has made the ports named here; a spare has no VIP port yet. An amphora boots
    once: a second try is another amphora. No two of the same `group` ever share a host, nor is it on one of `avoid_hosts`.
    Softer: those of the same `spread` share no host, nor is one of `prefer_not_hosts` taken, while there are others.
    `driver` names the entry point that speaks its language.
    """

    TYPE: ClassVar[str] = "amphora.boot"

    image_tag: str
    management_port_id: PortId
    vip_port_id: PortId | None = None
    deadline_s: float
    avoid_hosts: tuple[str, ...] = ()
    group: str = ""
    prefer_not_hosts: tuple[str, ...] = ()
    spread: str = ""
    driver: str = "haproxy"
    compute_flavor: str | None = None
    compute_zone: str | None = None

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/1"


class Peer(Value, frozen=True, kw_only=True):
    """Another amphora of the same appliance, by the port that leads to the VIPs' network."""

    amphora_id: AmphoraId
    vip_port_id: PortId


class ConfigureAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """
    Make one amphora serve exactly this configuration.

    Complete and final: everything to render is in it, and only numbers grow: an amphora refuses any bundle or epoch
    below the last that it applied. `member_ports`: which port leads to which member subnet; `vip_port_id` leads to the
    VIPs. Ports are attached when they exist, and detached when they are no longer named.

    `role` is STANDALONE, or MASTER or BACKUP in a pair, whose other amphora is in `peers`: keepalived then decides who
    holds the VIPs. `rank` counts those of a pair who have been of it for longer: of two who could be master it is the one with
    the lowest. Alone it holds them while `holds_vips`; before that everything else runs already. `yields`: let the
    partner be master. `fence`: send and answer nothing.

    `front_end` L2: who holds the VIPs answers for them on their network. L3: all have them, where nobody is told of them, and
    a router leads them to the `routing_addresses` (with prefix length), which are held in their place.
    """

    TYPE: ClassVar[str] = "amphora.configure"

    bundle: int
    epoch: int
    role: str
    vip_port_id: PortId
    load_balancers: tuple[LoadBalancerWish, ...]
    member_ports: Mapping[SubnetId, PortId] = {}
    peers: tuple[Peer, ...] = ()
    holds_vips: bool = True
    yields: bool = False
    fence: bool = False
    advert_interval_ms: int = 100
    driver: str = "haproxy"
    front_end: str = "L2"
    routing_addresses: tuple[str, ...] = ()
    rank: int | None = None

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/{self.epoch}.{self.bundle}"


class FenceAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """Let nothing that it sends arrive anywhere any more, whether its agent answers or not; answered by `AmphoraFenced`."""

    TYPE: ClassVar[str] = "amphora.fence"

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/1"


class DeleteAmphora(AmphoraOrder, frozen=True, kw_only=True):
    """Make nothing of it exist, whether it ever booted or not; no other order is followed after this one."""

    TYPE: ClassVar[str] = "amphora.delete"

    @property
    def order_id(self) -> str:
        return f"{self.TYPE}/{self.amphora_id}/1"


class ProbeAmphora(Command, frozen=True, kw_only=True):
    """Is it alive? Its agent is asked over mTLS, for `timeout_s` at most. Answered by `AmphoraProbed`, or `Rejected`."""

    TYPE: ClassVar[str] = "amphora.probe"
    SERVICE: ClassVar[str] = "compute"
    TARGET: ClassVar[str] = "amphora_id"

    amphora_id: AmphoraId
    timeout_s: float = 1.0


class AmphoraProbed(Reply, frozen=True, kw_only=True):
    """`answers`: its agent did. `powered` is what the world says of its machine; `detail` is for people."""

    TYPE: ClassVar[str] = "reply.amphora-probed"

    answers: bool
    powered: bool
    detail: str = ""


class ReplaceAuthority(Command, frozen=True, kw_only=True):
    """
    Put another certificate authority into the place of the one that amphorae and controller trust.

    Begun at once and done step by step, each when all amphorae have taken the one before; traffic is not touched. Asked
    while that is under way, it changes nothing. Answered by `AuthorityReplacement` once it is on the log, or `Rejected`.
    """

    TYPE: ClassVar[str] = "authority.replace"
    SERVICE: ClassVar[str] = "compute"
    TARGET: ClassVar[str] = "authority"

    authority: str = "amphorae"
    reason: str = ""


class AuthorityReplacement(Reply, frozen=True, kw_only=True):
    """How far it is: `phase` is for people, `edition` grows with each step, `waiting_for` so many amphorae."""

    TYPE: ClassVar[str] = "reply.authority-replacement"

    edition: int
    phase: str
    waiting_for: int


class SecretKind(StrEnum):
    """What a secret is, and what it can be wanted for: a certificate comes with its key."""

    CERTIFICATE = "certificate"
    CA = "ca"
    CRL = "crl"


class SecretCommand(Command, frozen=True, kw_only=True):
    """Base of what is asked about secrets."""

    SERVICE: ClassVar[str] = "compute"
    TARGET: ClassVar[str] = "project_id"

    project_id: ProjectId


class FindSealingKey(SecretCommand, frozen=True, kw_only=True):
    """To what key is a secret to be sealed? Answered by `SealingKey`."""

    TYPE: ClassVar[str] = "secret.find-sealing-key"


class SealingKey(Reply, frozen=True, kw_only=True):
    """An X25519 public key, 32 bytes."""

    TYPE: ClassVar[str] = "reply.sealing-key"

    public_key: bytes


class PutSecret(SecretCommand, frozen=True, kw_only=True):
    """
    Keep a secret, or replace what is under its reference. Answered by `Accepted` or `Rejected`.

    `sealed` is the content (PEM or PKCS#12) in a box that only compute can open; it is never recorded. `kind` is what it
    must be: certificate, ca or crl; empty, it is what it is.
    """

    TYPE: ClassVar[str] = "secret.put"

    secret_ref: SecretRef
    name: str
    sealed: bytes
    kind: str = ""


def sealing_context(project_id: ProjectId, secret_ref: SecretRef) -> bytes:
    """Give what the box of a `PutSecret` is bound to: it puts nothing into another place."""
    return f"secret.put\n{project_id}\n{secret_ref}".encode()


class DeleteSecret(SecretCommand, frozen=True, kw_only=True):
    """
    Forget a secret; `unless_used`: not while a load balancer names it.

    What uses it keeps running with what it has. Its next change fails by the secret's name, and is tried again by itself
    when something is put under the reference.
    """

    TYPE: ClassVar[str] = "secret.delete"

    secret_ref: SecretRef
    unless_used: bool = False


class SecretUse(Value, frozen=True, kw_only=True):
    """A secret and what it is wanted for: certificate, ca or crl. A crl names in `ca_ref` the CA that must have signed it."""

    secret_ref: SecretRef
    purpose: str
    field: str
    ca_ref: SecretRef | None = None


class CheckSecrets(SecretCommand, frozen=True, kw_only=True):
    """Can these be read and used so? Answered by `Accepted`, or `Rejected` with the field and the reason."""

    TYPE: ClassVar[str] = "secret.check"

    uses: tuple[SecretUse, ...]


COMMANDS = (
    BootAmphora,
    ConfigureAmphora,
    FenceAmphora,
    DeleteAmphora,
    ProbeAmphora,
    ReplaceAuthority,
    FindSealingKey,
    PutSecret,
    DeleteSecret,
    CheckSecrets,
)
REPLIES = (AmphoraProbed, AuthorityReplacement, SealingKey)
