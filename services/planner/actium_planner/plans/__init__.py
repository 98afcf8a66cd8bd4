"""What is still to do, computed afresh from what is true: one module per aggregate. Pure; remembers nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from actium_shared.ids import NetworkId
from actium_shared.message import Order


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders to send now (sent twice they do no harm), and when to look again even if nothing happens."""

    orders: Sequence[Order] = ()
    wake_at: datetime | None = None


def management_network(zone: Mapping[str, object]) -> NetworkId | None:
    """Give the network on which a zone's amphorae are managed, None where its data name none."""
    name = zone.get("management_network")
    return None if name is None else NetworkId(str(name))
