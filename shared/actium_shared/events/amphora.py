"""What happens to an amphora, the machine: written by compute. Field names are the storage format."""

from datetime import datetime
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId
from actium_shared.message import Event


class AmphoraEvent(Event, frozen=True, kw_only=True):
    """Base of this module's events; the appliance is named so that its planner needs no look-up."""

    amphora_id: AmphoraId
    appliance_id: ApplianceId


class AmphoraBooted(AmphoraEvent, frozen=True, kw_only=True):
    """
    Its agent answers. Also recorded when it was booted again, then with a new certificate.

    `credentials_edition` counts what was given to all amphorae alike: whose certificate it has, and whom it trusts.
    """

    TYPE: ClassVar[str] = "amphora.booted"

    compute_id: str
    host: str
    image_tag: str
    management_address: str
    heartbeat_key_version: int
    certificate_expires_at: datetime
    credentials_edition: int = 1


class AmphoraBootFailed(AmphoraEvent, frozen=True, kw_only=True):
    """This amphora will not come; `reason` is for people ("out of resources: ...")."""

    TYPE: ClassVar[str] = "amphora.boot-failed"

    reason: str


class AmphoraConfigured(AmphoraEvent, frozen=True, kw_only=True):
    """The agent runs the bundle. `result` is the agent's word: unchanged, runtime or reload."""

    TYPE: ClassVar[str] = "amphora.configured"

    bundle: int
    digest: str
    result: str
    took_ms: float
    epoch: int = 1


class AmphoraConfigurationRefused(AmphoraEvent, frozen=True, kw_only=True):
    """
    The bundle can never run; the one before it still does. `reason` is haproxy's own words, or ours.

    `load_balancer_ids`: whose wishes it is for, where that is known.
    """

    TYPE: ClassVar[str] = "amphora.configuration-refused"

    bundle: int
    reason: str
    load_balancer_ids: tuple[LoadBalancerId, ...] = ()


class AmphoraCertificateRenewed(AmphoraEvent, frozen=True, kw_only=True):
    """
    Its agent shows a new certificate; nothing else changed.

    `heartbeat_key_version`: the key that its beats are signed with from now on, an older one proves nothing any more; 0
    where it kept the one that it has. So it is with `credentials_edition`.
    """

    TYPE: ClassVar[str] = "amphora.certificate-renewed"

    certificate_expires_at: datetime
    heartbeat_key_version: int = 0
    credentials_edition: int = 0


class AmphoraFenced(AmphoraEvent, frozen=True, kw_only=True):
    """Nothing that it sends arrives anywhere any more, for good; only its deletion follows."""

    TYPE: ClassVar[str] = "amphora.fenced"


class AmphoraDrifted(AmphoraEvent, frozen=True, kw_only=True):
    """It was found to run something else than it was given; `found` is that digest. It is configured anew."""

    TYPE: ClassVar[str] = "amphora.drifted"

    bundle: int
    digest: str
    found: str
    reason: str = ""


class AmphoraDeleted(AmphoraEvent, frozen=True, kw_only=True):
    """The machine, its certificate and its key exist no more."""

    TYPE: ClassVar[str] = "amphora.deleted"


class AmphoraStrayRemoved(Event, frozen=True, kw_only=True):
    """A machine that nobody ordered, or that was deleted before, was found and removed; `found` is for people."""

    TYPE: ClassVar[str] = "amphora.stray-removed"

    amphora_id: AmphoraId
    found: str


EVENTS = (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraConfigured,
    AmphoraConfigurationRefused,
    AmphoraCertificateRenewed,
    AmphoraFenced,
    AmphoraDrifted,
    AmphoraDeleted,
    AmphoraStrayRemoved,
)
