"""What heartbeats tell that is worth remembering: edges only. Written by health, by load balancer id."""

from typing import ClassVar

from actium_shared.ids import LoadBalancerId
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


EVENTS = (OperatingStatusChanged,)
