"""Traffic figures of listeners, as an amphora counts them since its boot: merging, summing. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from actium_health.report import FIGURE_MOST, ListenerReport
from actium_shared.statistics import ListenerTotals

_NAMES = ListenerTotals.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One listener's figures of one boot, as of `at` (unix seconds, the amphora's)."""

    at: float
    figures: ListenerTotals


def counted(report: ListenerReport, *, at: float) -> Counted:
    """Give the figures in a listener's report."""
    return Counted(at=at, figures=ListenerTotals(**{name: getattr(report, name) for name in _NAMES}))


def merged(one: Counted, other: Counted) -> Counted:
    """Give the furthest of two looks at the same boot, in whatever order they come."""
    figures = {name: max(getattr(one.figures, name), getattr(other.figures, name)) for name in _NAMES}
    newest = max(one, other, key=lambda counted: counted.at)
    figures["active_connections"] = newest.figures.active_connections
    return Counted(at=newest.at, figures=ListenerTotals(**figures))


def total(boots: Iterable[Counted]) -> ListenerTotals:
    """Give the sum over all boots; what is open now, only the newest knows."""
    boots = list(boots)
    figures = {name: min(FIGURE_MOST, sum(getattr(boot.figures, name) for boot in boots)) for name in _NAMES}
    newest = max(boots, key=lambda boot: boot.at)
    figures["active_connections"] = newest.figures.active_connections
    return ListenerTotals(**figures)
