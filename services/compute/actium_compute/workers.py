"""One worker per amphora that has something to do: chooses the next step, has it done, and again, until nothing is left."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from actium_compute.acquaintance import Acquaintances
from actium_compute.agent_client import UntrustedError
from actium_compute.authority import Authority
from actium_compute.booting import Booting
from actium_compute.configuring import Configuring
from actium_compute.facts import Facts, Stage, Stored
from actium_compute.next_step import (
    Boot,
    Check,
    Configure,
    Delete,
    GiveUp,
    Idle,
    Renew,
    Restart,
    Step,
    Wait,
    Work,
    next_step,
)
from actium_compute.notes import Notes
from actium_compute.ports import Machines
from actium_compute.read_model import queries
from actium_compute.renewing import Renewing
from actium_compute.turns import Turns
from actium_shared import tasks
from actium_shared.clock import Clock
from actium_shared.commands.compute import AmphoraOrder
from actium_shared.errors import BrokenStoreError, PermanentError, RetryableError, VersionConflictError
from actium_shared.read_model import Database
from actium_shared.telemetry import correlation_id, span

log = logging.getLogger(__name__)

BOOT_IS_LONG_S = 5.0
"""By then it waits for an agent that does not come, or for a world that does not answer."""

STEPS_AT_ONCE = 32
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 1.0
FAULT_RETRY_S = 5.0
"""After a fault of ours, which will hardly mend itself."""


class Workers:
    """Owns the workers; `run` is their life, `wake` makes one look again."""

    def __init__(
        self,
        *,
        booting: Booting,
        configuring: Configuring,
        renewing: Renewing,
        machines: Machines,
        authority: Authority,
        notes: Notes,
        database: Database,
        acquaintances: Acquaintances,
        clock: Clock,
    ) -> None:
        self._booting = booting
        self._configuring = configuring
        self._renewing = renewing
        self._machines = machines
        self._notes = notes
        self._authority = authority
        self._database = database
        self._acquaintances = acquaintances
        self._clock = clock
        self._woken: dict[str, asyncio.Event] = {}
        self._new: asyncio.Queue[str] = asyncio.Queue()
        self._boots = Turns(machines.boots_at_once, again_most=machines.boots_at_once, long_s=BOOT_IS_LONG_S)
        self._steps = Turns(STEPS_AT_ONCE)
        self._restarts = asyncio.Semaphore(1)  # each stops traffic for a moment: never everybody's at once
        self._busy: dict[str, asyncio.Task[None]] = {}

    def wake(self, amphora_id: str) -> None:
        """Something new is known of the amphora."""
        if amphora_id in self._woken:
            self._woken[amphora_id].set()
        else:
            self._woken[amphora_id] = asyncio.Event()
            self._new.put_nowait(amphora_id)

    def interrupt(self, amphora_id: str) -> None:
        """Its end was ordered: what is being done with it is not worth waiting for, and every step may end anywhere."""
        if step := self._busy.get(amphora_id):
            step.cancel()
        self.wake(amphora_id)

    def is_busy(self, amphora_id: str) -> bool:
        """Tell whether a step is being done: what is seen of the amphora meanwhile may be over in a moment."""
        return amphora_id in self._busy

    async def run(self) -> None:
        """Take stock, then work for ever."""
        await self._take_stock()
        async with asyncio.TaskGroup() as group:
            while True:
                amphora_id = await self._new.get()
                group.create_task(self._work(amphora_id), name=f"amphora {amphora_id}")

    def status(self) -> dict[str, object]:
        return {"amphorae_worked_on": len(self._woken), "amphorae_locked_out": self._acquaintances.locked_out()}

    async def _take_stock(self) -> None:
        """See which machines still run, and wake a worker for every amphora."""
        while True:
            try:
                running = await self._machines.running()
                break
            except RetryableError as exc:
                log.info("machines cannot be seen yet", extra={"error": str(exc)})
                await self._clock.sleep(RETRY_FIRST_S)
        for amphora_id in await self._database.read(queries.booted):
            machine = running.get(amphora_id)
            self._acquaintances.of(amphora_id).runs = machine is not None and machine.powered
        for amphora_id in await self._database.read(queries.unfinished):
            self.wake(amphora_id)

    async def _work(self, amphora_id: str) -> None:
        woken = self._woken[amphora_id]
        delay_s, failed = RETRY_FIRST_S, False
        while True:
            woken.clear()
            try:
                facts, step = await self._look(amphora_id)
            except BrokenStoreError:
                raise
            except Exception:  # one amphora's trouble must not end the others' workers
                log.exception("cannot be looked at", extra={"amphora": amphora_id})
                await self._clock.sleep(FAULT_RETRY_S)
                continue
            if woken.is_set():
                continue  # what was seen may be old already
            if isinstance(step, Idle) or facts is None:
                del self._woken[amphora_id]
                if facts is None or facts.stage is Stage.DELETED:
                    self._acquaintances.forget(amphora_id)
                    self._notes.forget(amphora_id)
                return
            if isinstance(step, Wait):
                await self._pause(woken, self._seconds_until(step.until))
                continue
            failed = not await self._attempt(facts, step, again=failed)
            if failed:
                await self._pause(woken, delay_s)
                delay_s = min(2 * delay_s, RETRY_MOST_S)
            else:
                delay_s = RETRY_FIRST_S

    async def _look(self, amphora_id: str) -> tuple[Facts | None, Step]:
        facts = await self._database.read(lambda connection: queries.facts(connection, amphora_id))
        if facts is None:
            return None, Idle()
        known = self._acquaintances.of(amphora_id)
        return facts, next_step(
            facts,
            self._clock.now(),
            runs=known.runs,
            checked=known.checked,
            locked_out=known.locked_out,
            terms=self._renewing.terms(amphora_id),
        )

    async def _attempt(self, facts: Facts, step: Work, *, again: bool) -> bool:
        """Do the step and tell whether it is done; if not, it is to be chosen afresh a little later, and that is `again`."""
        order = _order_of(step)
        token = correlation_id.set(order.correlation_id)
        details = {"amphora": facts.amphora_id, "step": type(step).__name__, "order": order.order.order_id}
        try:
            with span(f"amphora {details['step']}", traceparent=order.traceparent):
                done = await self._unless_interrupted(facts, step, again=again)
            log.info("done" if done else "interrupted", extra=details)
            return True
        except (RetryableError, VersionConflictError) as exc:
            log.warning("again: %s", exc, extra=details)
            await self._find_out_why(facts, step, exc)
        except BrokenStoreError:
            raise
        except Exception:  # as above
            log.exception("failed", extra=details)
            await self._clock.sleep(FAULT_RETRY_S)
        finally:
            correlation_id.reset(token)
        return False

    async def _unless_interrupted(self, facts: Facts, step: Work, *, again: bool) -> bool:
        """Do the step when it is its turn and give True, or have it cancelled and see it end."""
        work = self._in_turn(facts, step, again=again)
        task = asyncio.create_task(work, name=f"{type(step).__name__} {facts.amphora_id}")
        self._busy[facts.amphora_id] = task
        try:
            await asyncio.wait([task])
        finally:
            del self._busy[facts.amphora_id]
            await tasks.end([task])  # where we are cancelled ourselves
        if task.cancelled():
            return False
        task.result()
        return True

    async def _in_turn(self, facts: Facts, step: Work, *, again: bool) -> None:
        async with self._turn(step, again=again):
            await self._do(facts, step)

    async def _do(self, facts: Facts, step: Step) -> None:
        match step:
            case Boot(order=order) | Restart(order=order):
                boot = self._booting.boot if isinstance(step, Boot) else self._booting.restart
                try:
                    await boot(facts, order, is_news=self._woken[facts.amphora_id].is_set)
                except PermanentError as exc:
                    await self._booting.give_up(facts, order, str(exc))
            case GiveUp(order=order, reason=reason):
                await self._booting.give_up(facts, order, reason)
            case Check(configuration=configuration):
                await self._configuring.check(facts, configuration)
            case Configure(order=order):
                await self._configuring.configure(facts, order)
            case Renew(order=order):
                await self._renewing.renew(facts, order)
            case Delete(order=order):
                await self._booting.delete(facts, order)

    async def _find_out_why(self, facts: Facts, step: Step, failure: Exception) -> None:
        # An agent that does not answer may be busy, or its machine may be off and has to be booted again.
        if not isinstance(step, Check | Configure | Renew):
            return
        known = self._acquaintances.of(facts.amphora_id)
        known.runs = await self._machines.power(facts.amphora_id)
        if known.runs and isinstance(failure, RetryableError):
            self._notes.send(facts)  # where we cannot reach it, it may reach us
        expires_at = facts.certificate_expires_at
        if isinstance(failure, UntrustedError) and expires_at and not self._authority.vouches_for(expires_at):
            # Only then: whoever else came to its address must not be able to have it restarted.
            known.locked_out = True
            log.error(
                "locked out: its certificate has ended, or the authority that gave it is lost; it is booted again",
                extra={"amphora": facts.amphora_id, "certificate_expires_at": expires_at.isoformat()},
            )

    def _turn(self, step: Step, *, again: bool) -> AbstractAsyncContextManager[None]:
        if isinstance(step, Restart):
            return self._restarts
        turns = self._boots if isinstance(step, Boot) else self._steps
        return turns.again() if again else turns.first()

    def _seconds_until(self, moment: datetime | None) -> float | None:
        return None if moment is None else max(0.0, (moment - self._clock.now()).total_seconds())

    async def _pause(self, woken: asyncio.Event, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return


def _order_of(step: Work) -> Stored[AmphoraOrder]:
    return step.configuration if isinstance(step, Check) else step.order
