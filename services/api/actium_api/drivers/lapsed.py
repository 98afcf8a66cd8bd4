"""Has vendors' drivers delete what a lapsed proposal may have created there: nobody else knows of it. One loop."""

import asyncio
import logging

from actium_api.asks import Asks
from actium_api.auth import Caller, Identity
from actium_api.drivers.host import Drivers
from actium_api.drivers.vendor import VendorDriver
from actium_api.faults import Fault
from actium_api.read_model import proposals
from actium_api.read_model.proposals import OpenProposal
from actium_shared.clock import Clock
from actium_shared.commands.planner import SettleProposal
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
PAUSE_MOST_S = 300.0
NOBODY = Identity(user_id="actium", project_id="", roles=frozenset())


class Undoing:
    """Looks for lapsed proposals, and tries again later where a driver fails: twice as late each time."""

    def __init__(self, drivers: Drivers, *, asks: Asks, database: Database, clock: Clock) -> None:
        self._drivers, self._asks, self._database, self._clock = drivers, asks, database, clock
        self._not_before: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}

    async def run(self, caught_up: asyncio.Event) -> None:
        """Look for ever; not before the read model has caught up, which while it is rebuilt shows what is long settled."""
        await caught_up.wait()
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Undo what is lapsed and due."""
        found = await self._database.read(proposals.lapsed)
        open_now = {each.id for each in found}
        self._not_before = {key: at for key, at in self._not_before.items() if key in open_now}
        self._pause_s = {key: pause for key, pause in self._pause_s.items() if key in open_now}
        for each in found:
            if self._not_before.get(each.id, 0.0) <= self._clock.monotonic():
                await self._attempt(each)

    async def _attempt(self, proposal: OpenProposal) -> None:
        about = {"proposal": proposal.id, "provider": proposal.provider, "command": proposal.command.TYPE}
        try:
            await self._driver(proposal).undo(proposal.command)
            settlement = SettleProposal(
                load_balancer_id=proposal.command.load_balancer_id,
                proposal_id=proposal.id,
                accepted=False,
                reason="it lapsed, and what its driver may have made of it is undone",
            )
            await self._asks.decide(settlement, caller=Caller(identity=NOBODY, request_id=f"req-{proposal.id}"))
            log.info("lapsed proposal undone", extra=about)
        except Fault as exc:
            pause_s = self._pause_s.get(proposal.id, LOOK_EVERY_S)
            self._pause_s[proposal.id] = min(2 * pause_s, PAUSE_MOST_S)
            self._not_before[proposal.id] = self._clock.monotonic() + pause_s
            log.warning("lapsed proposal not undone yet", extra={**about, "error": exc.message})

    def _driver(self, proposal: OpenProposal) -> VendorDriver:
        driver = self._drivers.named(proposal.provider)
        if not isinstance(driver, VendorDriver):
            raise Fault(501, f"Provider '{proposal.provider}' is Actium's own, and is never asked.")
        return driver
