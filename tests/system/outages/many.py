"""Two dozen load balancers on one pair: made together, and watched together while something befalls their amphorae."""

from collections.abc import Callable
from typing import Any

from system.outages.drills import Site, outages_ms
from system.worlds import await_value

MANY = 24
WATCHED = (0, 5, 10, 15, 20, 23)
"""The first and the last, and some between: addresses move one after the other."""

EVERY_S = 0.02
"""For many clients at once: they all live in this one process, which would measure itself."""


def two_dozen(site: Site, **data: str | int) -> list[dict[str, Any]]:
    """Make them on the amphorae of the first, all others at once, and give them once all answer."""
    flavor = site.flavor(**data, load_balancers_per_appliance=MANY)
    first = site.serving(flavor, name="drill-0")
    others = [site.ordered(flavor, name=f"drill-{number}") for number in range(1, MANY)]
    return [first, *(site.answering(lb_id) for lb_id in others)]


def whole(site: Site, balancers: list[dict[str, Any]], *gone: str, size: int = 2) -> None:
    """Wait until so many amphorae serve them, none of those who are gone, and all of them are ACTIVE."""
    site.whole(balancers[0]["id"], size, without=gone)
    for lb in balancers:
        site.tenant.wait(lb["id"], within_s=60)


def longest_ms(
    balancers: list[dict[str, Any]], befall: Callable[[], object], after: Callable[[], object] | None = None
) -> float:
    """Give the longest time that any of those who are watched had no answer."""
    gaps = outages_ms([balancers[index] for index in WATCHED], befall, after, every_s=EVERY_S)
    print(f"{len(balancers)} load balancers: {sorted(round(gap) for gap in gaps)} ms")
    return max(gaps)


def without(site: Site, balancers: list[dict[str, Any]]) -> None:
    """Delete them all and whatever there was for them."""
    for lb in balancers:
        site.tenant.delete(lb["id"])
    for lb in balancers:
        site.tenant.wait_gone(lb["id"], within_s=60)
    site.without_spares()
    await_value(site.world.amphorae, lambda ids: not ids, 60)
