"""What can be asked of health: to take figures that no beat of an amphora brings."""

from collections.abc import Mapping
from typing import ClassVar

from actium_shared.ids import ListenerId, LoadBalancerId
from actium_shared.message import Command
from actium_shared.statistics import ListenerTotals


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


COMMANDS = (ReportStatistics,)
