"""Traffic figures of listeners, as an amphora counts them since its boot: reading, merging, summing. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from actium_shared.errors import PermanentError
from actium_shared.statistics import ListenerTotals

FIGURE_MOST = 2**63 - 1
"""What a database's integer holds; an amphora that reports more is not to be believed."""

_NAMES = ListenerTotals.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One listener's figures of one boot, as of `at` (unix seconds, the amphora's)."""

    at: float
    figures: ListenerTotals


def from_beat(listeners: Mapping[str, Mapping[str, Any]], *, at: float) -> dict[str, Counted]:
    """
    Give the figures of each listener in a beat's body.

    Raises:
        PermanentError: one of them is missing or no count.
    """
    return {key: Counted(at=at, figures=_figures(key, value)) for key, value in listeners.items()}


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


def _figures(listener_id: str, value: Mapping[str, Any]) -> ListenerTotals:
    try:
        figures = {name: value[name] for name in _NAMES}
    except (KeyError, TypeError) as exc:
        raise PermanentError(f"listener {listener_id}: no figure {exc}") from exc
    for name, figure in figures.items():
        if type(figure) is not int or not 0 <= figure <= FIGURE_MOST:
            raise PermanentError(f"listener {listener_id}: {name} is {figure!r}, not a count")
    return ListenerTotals(**figures)
