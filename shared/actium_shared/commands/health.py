"""What can be asked of health: to take figures that no beat of an amphora brings, to let verdicts fall that are held back."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from actium_shared.ids import AmphoraId, ListenerId, LoadBalancerId
from actium_shared.message import Command, Reply
from actium_shared.statistics import ListenerTotals
from actium_shared.wishes import Value


class ReportStatistics(Command, frozen=True, kw_only=True):
    """
    Traffic figures of listeners that another vendor's driver serves: totals, in place of what it said before.

    Answered by `Accepted`; listeners that health does not know (yet) are passed over.
    """

    TYPE: ClassVar[str] = "statistics.report"
    SERVICE: ClassVar[str] = "health"
    TARGET: ClassVar[str] = "load_balancer_id"

    load_balancer_id: LoadBalancerId
    provider: str
    listeners: Mapping[ListenerId, ListenerTotals]


class FindLastHeard(Command, frozen=True, kw_only=True):
    """When were amphorae heard last? Answered by `LastHeard`; `asked_by` only says which replica answers."""

    TYPE: ClassVar[str] = "health.find-last-heard"
    SERVICE: ClassVar[str] = "health"
    TARGET: ClassVar[str] = "asked_by"

    asked_by: str = "operator"


class LogFigures(Value, frozen=True, kw_only=True):
    """Lines of listeners' logs that an amphora brought to the object store since its boot, and those that it lost, by reason."""

    shipped: int = 0
    lost: Mapping[str, int] = {}


class LastHeard(Reply, frozen=True, kw_only=True):
    """All amphorae that were ever heard by whoever answers, and are not forgotten; `logs` of those that ship any."""

    TYPE: ClassVar[str] = "reply.last-heard"

    heard_at: Mapping[AmphoraId, datetime]
    logs: Mapping[AmphoraId, LogFigures] = {}


class ReleaseHeldLosses(Command, frozen=True, kw_only=True):
    """
    An operator's word that a storm is real: losses that a limit holds back (on this `host`, or "" on all) are judged now.

    Answered by `Accepted` once they are on the log; by `Rejected` where nothing is held back. Those that are held back
    later are not meant.
    """

    TYPE: ClassVar[str] = "liveness.release-held-losses"
    SERVICE: ClassVar[str] = "health"
    TARGET: ClassVar[str] = "host"

    host: str = ""
    reason: str = ""


COMMANDS = (ReportStatistics, FindLastHeard, ReleaseHeldLosses)
REPLIES = (LastHeard,)
