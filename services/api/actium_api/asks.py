"""
The API's side of a wish: ask the deciding service, and wait until the read model shows what it decided.

Asked again while nobody answers: ids are minted by the caller, so a repeated ask does no harm.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from actium_api.access.callers import Caller
from actium_api.faults import Fault, refuse
from actium_shared.bus import ASK_TIMEOUT_S, Bus
from actium_shared.clock import Clock
from actium_shared.commands.compute import (
    AuthorityReplacement,
    CheckSecrets,
    FindSealingKey,
    ReplaceAuthority,
    SealingKey,
)
from actium_shared.commands.health import ReportStatistics
from actium_shared.commands.network import FindNetworkObjects, FindSubnet, ReserveVip, VipReservation
from actium_shared.commands.planner import (
    DeleteAvailabilityZone,
    DeleteAvailabilityZoneProfile,
    DeleteFlavor,
    DeleteFlavorProfile,
    DeleteHealthMonitor,
    DeleteL7Policy,
    DeleteL7Rule,
    DeleteListener,
    DeleteLoadBalancer,
    DeleteMember,
    DeletePool,
    RemoveAmphora,
)
from actium_shared.errors import PermanentError, RetryableError, TooLargeError
from actium_shared.ids import ProjectId
from actium_shared.message import Accepted, Command, Reason, Rejected, Reply
from actium_shared.read_model import Positions

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Reply)

ATTEMPT_TIMEOUT_S = 6.0
"""An answerer that is killed with an ask in hand never answers it; its successor answers the next attempt."""

PAUSE_S = 0.05
INVALID = 400
UNKNOWN = (
    "The outcome of this request is unknown: it may still take effect. A PUT or DELETE, or a POST with an Idempotency-Key"
    " header, can be repeated as it is; before you repeat a POST without one, look whether the resource is there by now."
)
DELETIONS = (
    DeleteLoadBalancer,
    DeleteListener,
    DeletePool,
    DeleteMember,
    DeleteHealthMonitor,
    DeleteL7Policy,
    DeleteL7Rule,
    DeleteFlavor,
    DeleteFlavorProfile,
    DeleteAvailabilityZone,
    DeleteAvailabilityZoneProfile,
    RemoveAmphora,
)


@dataclass(slots=True, kw_only=True)
class Asks:
    """Who is asked, and where the answer becomes visible."""

    bus: Bus
    positions: Positions
    clock: Clock
    _stopped: bool = False
    _under_way: set[asyncio.Timeout] = field(default_factory=set)

    def stop(self) -> None:
        """Have everything from now on, and all that is under way, answered by 503: what it waits for comes no more."""
        self._stopped = True
        for each in self._under_way:
            each.reschedule(asyncio.get_running_loop().time())

    async def decide(self, command: Command, *, caller: Caller) -> None:
        """
        Have the command's service decide; returns when the read model shows the outcome.

        Raises:
            Fault: it refused, or the outcome is unknown (503).
        """
        async with self._bounded():
            reply = await self._ask(command, Accepted, caller=caller)
            if reply is not None:
                await self.positions.wait_for(reply.position, timeout_s=ASK_TIMEOUT_S)

    async def answer(self, command: Command, *, caller: Caller, command_id: str) -> Reply:
        """
        Give a service's answer, whatever it is, to a command with an id of its own; what it accepted shows by then.

        Raises:
            Fault: the outcome is unknown (503).
        """
        async with self._bounded():
            while True:
                try:
                    reply = await self.bus.ask(
                        command, actor=caller.actor, timeout_s=ATTEMPT_TIMEOUT_S, command_id=command_id
                    )
                    break
                except RetryableError as exc:
                    log.warning("ask again", extra={"command": command.TYPE, "error": str(exc)})
                    await self.clock.sleep(PAUSE_S)
            if isinstance(reply, Accepted):
                await self.positions.wait_for(reply.position, timeout_s=ASK_TIMEOUT_S)
            return reply

    async def reserve_vip(self, command: ReserveVip, *, caller: Caller) -> VipReservation:
        """
        Have the network service reserve the addresses.

        Raises:
            Fault: it refused, or the outcome is unknown (503).
        """
        async with self._bounded():
            reply = await self._ask(command, VipReservation, caller=caller)
        if reply is None:
            raise PermanentError("an ask for an address ended without an answer")
        return reply

    async def find_sealing_key(self, project_id: ProjectId, *, caller: Caller) -> bytes:
        """
        Have compute tell to which key a secret is to be sealed.

        Raises:
            Fault: nobody answers (503).
        """
        async with self._bounded():
            reply = await self._ask(FindSealingKey(project_id=project_id), SealingKey, caller=caller)
        if reply is None:
            raise PermanentError("an ask for a key ended without an answer")
        return reply.public_key

    async def replace_authority(self, command: ReplaceAuthority, *, caller: Caller) -> AuthorityReplacement:
        """
        Have compute begin to put another authority into the place of the one that amphorae trust.

        Raises:
            Fault: it refused, or the outcome is unknown (503).
        """
        async with self._bounded():
            reply = await self._ask(command, AuthorityReplacement, caller=caller)
        if reply is None:
            raise PermanentError("an ask for another authority ended without an answer")
        return reply

    async def confirm(
        self, command: FindSubnet | FindNetworkObjects | CheckSecrets | ReportStatistics, *, caller: Caller
    ) -> None:
        """
        Have another service look whether something exists, and can be used as it shall be; or take it, as figures.

        Raises:
            Fault: it does not or cannot, or nobody answers (503).
        """
        async with self._bounded():
            await self._ask(command, Accepted, caller=caller)

    async def seek(self, command: FindSubnet, *, caller: Caller) -> bool:
        """
        Tell whether the world has it; then the read model shows it, too.

        Raises:
            Fault: nobody answers (503).
        """
        try:
            async with self._bounded():
                reply = await self._ask(command, Accepted, caller=caller)
                if reply is not None:
                    await self.positions.wait_for(reply.position, timeout_s=ASK_TIMEOUT_S)
        except Fault as exc:
            if exc.status != INVALID:
                raise
            return False
        return True

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """Bound the block in time; past it nobody knows what became of the wish, and 503 says so."""
        try:
            async with asyncio.timeout(0 if self._stopped else ASK_TIMEOUT_S) as bound:
                self._under_way.add(bound)
                try:
                    yield
                finally:
                    self._under_way.discard(bound)
        except (TimeoutError, RetryableError) as exc:
            raise Fault(503, UNKNOWN) from exc

    async def _ask(self, command: Command, wanted: type[R], *, caller: Caller) -> R | None:
        """Give the answer, asking until there is one; None where a repeated deletion finds that it is done."""
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = await self.bus.ask(command, actor=caller.actor, timeout_s=ATTEMPT_TIMEOUT_S)
            except RetryableError as exc:
                log.warning("ask again", extra={"command": command.TYPE, "attempt": attempt, "error": str(exc)})
                await self.clock.sleep(PAUSE_S)
                continue
            except TooLargeError as exc:
                raise Fault(413, f"The change is too large to be asked for: {exc}.") from exc
            if isinstance(reply, wanted):
                return reply
            if not isinstance(reply, Rejected):
                raise PermanentError(f"{command.TYPE} was answered by {reply.TYPE}")
            if attempt > 1 and isinstance(command, DELETIONS) and reply.reason is Reason.NOT_FOUND:
                return None
            refuse(reply)
