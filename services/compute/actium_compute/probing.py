"""The second witness: is an amphora alive? Its agent is asked over a connection of its own, behind nothing else."""

import asyncio
import logging
from contextlib import AsyncExitStack

from actium_compute.agents import Agents
from actium_compute.facts import Stage
from actium_compute.ports import Machines
from actium_compute.read_model import queries
from actium_compute.read_model.queries import Whereabouts
from actium_shared.bus import Question
from actium_shared.clock import Clock
from actium_shared.commands.compute import AmphoraProbed, ProbeAmphora
from actium_shared.errors import RetryableError
from actium_shared.ids import AmphoraId
from actium_shared.message import Reason, Rejected
from actium_shared.read_model import Database

log = logging.getLogger(__name__)

PROBES_AT_ONCE = 64
"""Those who answer do so in 20 ms. More at once would make each other late, and look dead."""

TIMEOUT_MOST_S = 10.0
PROMPT_S = 0.1
"""Who answers within this is powered; of the others it is asked while their time runs."""


class Probing:
    """Answers `ProbeAmphora`, no later than it says; who has no turn by then is told so, and may ask again."""

    def __init__(self, *, machines: Machines, agents: Agents, database: Database, clock: Clock) -> None:
        self._machines = machines
        self._agents = agents
        self._database = database
        self._clock = clock
        self._turns = asyncio.Semaphore(PROBES_AT_ONCE)

    async def probe(self, question: Question, command: ProbeAmphora) -> AmphoraProbed | Rejected:
        now = self._clock.monotonic()
        ends_at = min(question.deadline, now + max(0.0, min(command.timeout_s, TIMEOUT_MOST_S)))
        known = await self._database.read(lambda connection: queries.whereabouts(connection, command.amphora_id))
        if known is None or known.stage is Stage.DELETED:
            detail = f"There is no amphora {command.amphora_id}."
            return Rejected(reason=Reason.NOT_FOUND, detail=detail, field="amphora_id")
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(ends_at - now):
                    await stack.enter_async_context(self._turns)
            except TimeoutError:
                return Rejected(reason=Reason.UNAVAILABLE, detail=f"More than {PROBES_AT_ONCE} probes at once.")
            return await self._probe(command.amphora_id, known, timeout_s=max(0.0, ends_at - self._clock.monotonic()))

    async def _probe(self, amphora_id: AmphoraId, known: Whereabouts, *, timeout_s: float) -> AmphoraProbed:
        if known.address is None:
            return AmphoraProbed(answers=False, powered=await self._powered(amphora_id), detail="has not booted yet")
        asking = asyncio.create_task(self._ask(amphora_id, known.address, timeout_s=timeout_s))
        try:
            await asyncio.wait([asking], timeout=min(PROMPT_S, timeout_s))
            if asking.done() and asking.result() is None:
                return AmphoraProbed(answers=True, powered=True)
            powered = await self._powered(amphora_id)
            complaint = await asking
        finally:
            asking.cancel()
        return AmphoraProbed(answers=complaint is None, powered=powered or complaint is None, detail=complaint or "")

    async def _ask(self, amphora_id: AmphoraId, address: str, *, timeout_s: float) -> str | None:
        """Give why it is not believed to live, None where it answers."""
        try:
            await self._agents.probe(amphora_id, address, timeout_s=timeout_s)
        except RetryableError as exc:
            return str(exc)
        except Exception as exc:  # whatever answers there is not what we know as an agent
            log.exception("probe fails", extra={"amphora": amphora_id})
            return f"{type(exc).__name__}: {exc}"
        return None

    async def _powered(self, amphora_id: AmphoraId) -> bool:
        try:
            return await self._machines.power(amphora_id)
        except RetryableError as exc:
            log.warning("power cannot be seen", extra={"amphora": amphora_id, "error": str(exc)})
            return False
