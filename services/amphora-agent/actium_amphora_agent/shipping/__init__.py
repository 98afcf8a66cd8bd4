"""
What haproxy tells of each request, on its way to an object store: from here, and never through the controller.

This module is all that is loaded where no bundle asks for it. Lines that cannot be shipped are lost and counted; traffic
never waits for any of this.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from actium_amphora_agent.shipping.wanted import Logs

if TYPE_CHECKING:
    from actium_amphora_agent.shipping.shipper import Shipper
    from actium_amphora_agent.store import Store


class Shipping:
    """Follows what bundles say of logs."""

    def __init__(self, root: Path, store: "Store") -> None:
        self._path = root / "traffic-log.sock"
        self._store = store
        self._shipper: Shipper | None = None

    def follow(self, logs: Logs | None) -> None:
        """Before haproxy begins to tell; without `logs` what has been told already is still shipped."""
        if self._shipper is None:
            if logs is None:
                return
            from actium_amphora_agent.shipping.shipper import Shipper

            self._shipper = Shipper(self._path, self._store)
        self._shipper.follow(logs)

    def figures(self, dropped: int) -> dict[str, Any] | None:
        """Lines that were shipped, and those lost by reason, since the boot; `dropped` are those that haproxy kept to itself."""
        return None if self._shipper is None else self._shipper.figures(dropped)

    async def stop(self) -> None:
        """What is in memory gets one more try."""
        if self._shipper is not None:
            await self._shipper.stop()
