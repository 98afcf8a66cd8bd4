"""For worlds with no router behind them: what would be routed."""

from collections.abc import Mapping
from dataclasses import replace

from actium_network.ports import Routing

Routings = Mapping[tuple[str, str], Routing]
"""By network and by whom they are led to."""


def after(before: Routings, routing: Routing) -> dict[tuple[str, str], Routing]:
    """Give what is routed after this; an address is led to one place only."""
    of, here = set(routing.addresses), (routing.network_id, routing.via)
    left = {
        key: replace(other, addresses=tuple(each for each in other.addresses if each not in of))
        if key[0] == routing.network_id
        else other
        for key, other in before.items()
    }
    return {key: other for key, other in (left | {here: routing}).items() if other.addresses}
