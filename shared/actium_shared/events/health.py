"""
What heartbeats tell that is worth remembering: edges only. Written by health.

Two aggregates: `health` (by load balancer id: operating statuses) and `liveness` (by amphora id: the rest).
"""

from datetime import datetime
from typing import ClassVar

from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId
from actium_shared.message import Event
from actium_shared.wishes import Value


class StatusChange(Value, frozen=True, kw_only=True):
    """One object's new operating status. `kind`: loadbalancer, listener, pool or member; `reason` is haproxy's words."""

    kind: str
    id: str
    operating_status: str
    reason: str | None = None


class OperatingStatusChanged(Event, frozen=True, kw_only=True):
    """All objects of one load balancer whose operating status is another than the one last recorded."""

    TYPE: ClassVar[str] = "health.operating-status-changed"

    load_balancer_id: LoadBalancerId
    changes: tuple[StatusChange, ...]


class LivenessEvent(Event, frozen=True, kw_only=True):
    """Base of what is told about one amphora; of a spare, `appliance_id` is its pool's."""

    amphora_id: AmphoraId
    appliance_id: ApplianceId


class AmphoraLost(LivenessEvent, frozen=True, kw_only=True):
    """
    The verdict: it has been silent for too long, and the second witness did not reach it either.

    `reason` is for people. `host` is the failure domain that it ran in.
    """

    TYPE: ClassVar[str] = "liveness.amphora-lost"

    last_heard_at: datetime
    reason: str
    host: str = ""


class AmphoraLossHeldBack(LivenessEvent, frozen=True, kw_only=True):
    """It would be judged lost, but too many are at once: the limit that `reason` names holds the verdict back."""

    TYPE: ClassVar[str] = "liveness.loss-held-back"

    last_heard_at: datetime
    reason: str
    host: str = ""


class AmphoraHeardAgain(LivenessEvent, frozen=True, kw_only=True):
    """One that was judged lost, or held back from it, is heard again."""

    TYPE: ClassVar[str] = "liveness.amphora-heard-again"


class AmphoraRoleChanged(LivenessEvent, frozen=True, kw_only=True):
    """
    What keepalived says on one amphora of a pair: MASTER, BACKUP or FAULT, while bundles of `epoch` are in force.

    LEARNING is a BACKUP whose haproxy has not been told yet by its partner's which client is on which member.
    """

    TYPE: ClassVar[str] = "liveness.role-changed"

    role: str
    epoch: int = 1


EVENTS = (OperatingStatusChanged, AmphoraLost, AmphoraLossHeldBack, AmphoraHeardAgain, AmphoraRoleChanged)
