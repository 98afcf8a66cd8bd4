"""
Fences: seeing to it that nothing an amphora sends arrives anywhere, whatever else is being done with it.

Apart from the workers, since a fence waits for nothing: not for a push to a dead agent, and not for its turn.
"""

import asyncio
import logging

from actium_compute.agents import Agents, Applied
from actium_compute.amphora_drivers.bundle import Bundle, Flags, digest_of
from actium_compute.facts import Facts, Stage, Stored
from actium_compute.journal import Journal
from actium_compute.ports import Machines
from actium_compute.read_model import queries
from actium_shared.clock import Clock
from actium_shared.commands.compute import FenceAmphora
from actium_shared.errors import BrokenStoreError, PermanentError, RetryableError, VersionConflictError
from actium_shared.events.amphora import AmphoraFenced
from actium_shared.read_model import Database
from actium_shared.telemetry import correlation_id, span

log = logging.getLogger(__name__)

AGENT_TIMEOUT_S = 0.3
"""For one that is most likely dead, and only where the world does not cut its links."""

RETRY_FIRST_S = 0.01
RETRY_MOST_S = 1.0


class Fencing:
    """Owns a task per fence that is not on the log yet; `run` is their life."""

    def __init__(
        self, *, machines: Machines, agents: Agents, journal: Journal, database: Database, clock: Clock
    ) -> None:
        self._machines = machines
        self._agents = agents
        self._journal = journal
        self._database = database
        self._clock = clock
        self._ordered: asyncio.Queue[str] = asyncio.Queue()
        self._at_it: set[str] = set()

    def fence(self, amphora_id: str) -> None:
        """Its fence was ordered."""
        self._ordered.put_nowait(amphora_id)

    async def run(self) -> None:
        """Do what was left undone, then what comes, for ever."""
        for amphora_id in await self._database.read(queries.unfenced):
            self.fence(amphora_id)
        async with asyncio.TaskGroup() as group:
            while True:
                amphora_id = await self._ordered.get()
                if amphora_id not in self._at_it:
                    self._at_it.add(amphora_id)
                    group.create_task(self._see_to_it(amphora_id), name=f"fence {amphora_id}")

    async def _see_to_it(self, amphora_id: str) -> None:
        delay_s = RETRY_FIRST_S
        try:
            while not await self._attempt(amphora_id):
                await self._clock.sleep(delay_s)
                delay_s = min(2 * delay_s, RETRY_MOST_S)
        finally:
            self._at_it.discard(amphora_id)

    async def _attempt(self, amphora_id: str) -> bool:
        """Fence it, and tell whether that is done, or nothing to do any more."""
        facts = await self._database.read(lambda connection: queries.facts(connection, amphora_id))
        if facts is None or facts.fence is None or facts.stage in (Stage.FENCED, Stage.DELETED):
            return True
        token = correlation_id.set(facts.fence.correlation_id)
        try:
            with span("amphora Fence", traceparent=facts.fence.traceparent):
                await self._cut(facts)
                await self._record(facts, facts.fence)
            return True
        except VersionConflictError:
            return False  # what was being done with it was recorded just before
        except BrokenStoreError:
            raise
        except Exception as exc:  # there is nothing better to do than to try again
            log.warning("fence fails", extra={"amphora": amphora_id, "error": str(exc)}, exc_info=_is_fault(exc))
            return False
        finally:
            correlation_id.reset(token)

    async def _cut(self, facts: Facts) -> None:
        try:
            await self._machines.cut_links(facts.amphora_id)
        except RetryableError:
            # Its own drop rule holds until it is deleted or booted again: a help, and no proof.
            await self._tell_agent(facts)
            raise

    async def _record(self, facts: Facts, order: Stored[FenceAmphora]) -> None:
        event = AmphoraFenced(amphora_id=facts.amphora_id, appliance_id=facts.appliance_id)
        await self._journal.append(facts, event, order_id=order.order.order_id)
        log.info("fenced", extra={"amphora": facts.amphora_id})

    async def _tell_agent(self, facts: Facts) -> None:
        if facts.management_address is None:
            return
        try:
            answer = await self._agents.fence(
                facts.amphora_id, facts.management_address, nothing_at_all(facts), timeout_s=AGENT_TIMEOUT_S
            )
        except (RetryableError, PermanentError) as exc:
            log.warning("agent cannot be told to fence", extra={"amphora": facts.amphora_id, "error": str(exc)})
        else:
            log.info("agent fences", extra={"amphora": facts.amphora_id, "does": isinstance(answer, Applied)})


def nothing_at_all(facts: Facts) -> Bundle:
    """Give a configuration with nothing in it, as new as the newest that we may have sent."""
    sent = [stored.order for stored in (facts.configure, facts.applied) if stored is not None]
    return Bundle(
        bundle=max((facts.configured_bundle, 1, *(order.bundle for order in sent))),
        epoch=max((1, *(order.epoch for order in sent))),
        digest=digest_of({}, ()),
        files={},
        interfaces=(),
        flags=Flags(fence=True),
    )


def _is_fault(exc: Exception) -> bool:
    return not isinstance(exc, RetryableError | PermanentError)
