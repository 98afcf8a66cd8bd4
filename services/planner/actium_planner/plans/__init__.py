"""What is still to do, computed afresh from what is true: one module per aggregate. Pure; remembers nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from actium_shared.message import Order


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders to send now (sent twice they do no harm), and when to look again even if nothing happens."""

    orders: Sequence[Order] = ()
    wake_at: datetime | None = None
