"""Has vendors' drivers delete what a lapsed proposal may have created there: nobody else knows of it. A loop per provider."""

import asyncio
import logging
from functools import partial

import msgspec

from actium_api.access.callers import Caller, Identity
from actium_api.asks import Asks
from actium_api.drivers.host import Drivers
from actium_api.drivers.vendor import VendorDriver
from actium_api.faults import Fault
from actium_api.read_model import proposals
from actium_api.read_model.proposals import KeptProposal
from actium_shared import streams
from actium_shared.clock import Clock
from actium_shared.commands.planner import SettleProposal
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
PAUSE_MOST_S = 300.0
OTHERS_S = 60.0
"""So long a proposal of another replica, or of a process before this one, is left alone: its call may be under way."""

PARK_TIMEOUT_S = 5.0
NOBODY = Identity(user_id="actium", project_id="", roles=frozenset())
UNDONE = "it lapsed, and what its driver may have made of it is undone"


class Undoing:
    """Looks for lapsed proposals, and tries again later where a driver fails: twice as late each time."""

    def __init__(self, drivers: Drivers, *, asks: Asks, database: Database, clock: Clock) -> None:
        self._drivers, self._asks, self._database, self._clock = drivers, asks, database, clock
        self._not_before: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}

    async def run(self, caught_up: asyncio.Event) -> None:
        """Look for ever; not before the read model has caught up, which while it is rebuilt shows what is long settled."""
        await caught_up.wait()
        async with asyncio.TaskGroup() as group:
            for driver in self._drivers.vendors.values():
                if isinstance(driver, VendorDriver):
                    group.create_task(self._watch(driver))

    async def _watch(self, driver: VendorDriver) -> None:
        while True:
            await self.look(driver)
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self, driver: VendorDriver) -> None:
        """Undo what of one provider is lapsed and due; one at a time, so that nothing more than that waits for it."""
        found = await self._database.read(partial(proposals.lapsed, provider=driver.name))
        for each in found:
            first = self._clock.monotonic() + (0.0 if driver.has_asked(each.id) else OTHERS_S)
            if self._not_before.setdefault(each.id, first) <= self._clock.monotonic():
                await self._attempt(each, driver)

    async def _attempt(self, proposal: KeptProposal, driver: VendorDriver) -> None:
        about = {"proposal": proposal.id, "provider": proposal.provider, "load_balancer_id": proposal.load_balancer_id}
        try:
            reason = await self._undone(proposal, driver)
            await self._settle(proposal, reason)
        except (Fault, RetryableError) as exc:
            pause_s = self._pause_s.get(proposal.id, LOOK_EVERY_S)
            self._pause_s[proposal.id] = min(2 * pause_s, PAUSE_MOST_S)
            self._not_before[proposal.id] = self._clock.monotonic() + pause_s
            log.warning("lapsed proposal not undone yet", extra={**about, "error": str(exc)})
            return
        driver.forget(proposal.id)
        self._pause_s.pop(proposal.id, None)
        self._not_before.pop(proposal.id, None)
        log.info("lapsed proposal settled", extra={**about, "reason": reason})

    async def _undone(self, proposal: KeptProposal, driver: VendorDriver) -> str:
        """Have it undone, and give what to say of that; what can never be is parked, so that it stops nothing."""
        try:
            await driver.undo(proposal)
        except (Fault, RetryableError):
            raise
        except Exception as exc:
            log.exception("parked", extra={"proposal": proposal.id, "provider": proposal.provider})
            await self._park(proposal, exc)
            return f"it lapsed, and cannot be undone: {type(exc).__name__}: {exc}"
        return UNDONE

    async def _park(self, proposal: KeptProposal, exc: Exception) -> None:
        letter = {
            "stream": streams.events_of("planner"),
            "subject": streams.event_subject("planner", "loadbalancer", proposal.load_balancer_id),
            "reason": f"proposal {proposal.id} to provider '{proposal.provider}': {type(exc).__name__}: {exc}",
            "time": self._clock.now(),
            "body": proposal.packed,
        }
        headers = {"Nats-Msg-Id": f"api/proposal/{proposal.id}"}
        body = msgspec.msgpack.encode(letter)
        try:
            await self._asks.bus.store("dead.api", body, headers=headers, timeout_s=PARK_TIMEOUT_S)
        except PermanentError:  # what is on the log says the same, less the content
            log.exception("not parked", extra={"proposal": proposal.id})

    async def _settle(self, proposal: KeptProposal, reason: str) -> None:
        settlement = SettleProposal(
            load_balancer_id=proposal.load_balancer_id, proposal_id=proposal.id, accepted=False, reason=reason
        )
        await self._asks.decide(settlement, caller=Caller(identity=NOBODY, request_id=f"req-{proposal.id}"))
