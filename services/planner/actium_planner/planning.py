"""Carrying plans out: orders go to the bus, and a plan that asks for it is made again at its time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from actium_planner.plans import Plan
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError, VersionConflictError
from actium_shared.message import Order

log = logging.getLogger(__name__)

RESEND_S = 150.0
"""An order that is still planned after this is sent again; the stream drops copies within its window of 120 s."""


LEAST_PAUSE_S = 1.0

Target = tuple[str, str]
"""Kind of aggregate, and its id."""


class Orders(Protocol):
    """Where orders are sent; the bus is one."""

    async def send_order(self, order: Order) -> None:
        """
        Put the order where its receiver finds it.

        Raises:
            RetryableError: it may be there or not; sending it again is harmless.
        """
        ...


class Planning:
    """Sends orders once, and wakes whoever waits for a time or for an order to be followed."""

    def __init__(self, orders: Orders, clock: Clock) -> None:
        self._orders, self._clock = orders, clock
        self._sent: dict[str, float] = {}
        self._due: dict[Target, datetime] = {}
        self._changed = asyncio.Event()
        self.faults = 0

    async def carry_out(self, target: Target, plan: Plan) -> None:
        """
        Send the plan's orders, and remember when to look again: at its time, and before long while it has orders.

        Raises:
            RetryableError: an order may not have been sent; the plan can be carried out again.
        """
        await self._send_all(plan.orders)
        due = plan.wake_at
        if plan.orders:
            again = self._clock.now() + timedelta(seconds=RESEND_S)
            due = min(due, again) if due is not None else again
        if due is None:
            self._due.pop(target, None)
        else:
            self._wake_at(target, due)

    def forget_sent(self) -> None:
        """Have every order sent again that is still planned: the bus may have lost them."""
        self._sent.clear()

    def targets_due(self) -> list[Target]:
        """Give the targets whose time has come."""
        return [target for target in self._due if self._is_due(target)]

    def _is_due(self, target: Target) -> bool:
        due = self._due.get(target)
        return due is not None and due <= self._clock.now()

    async def wake(self, lapse: Callable[[Target], Awaitable[None]]) -> None:
        """Call `lapse` for each target whose time has come, for ever."""
        while True:
            for target in self.targets_due():
                # Whatever happens, not again at once: a time that stays over must not spin.
                self._due[target] = self._clock.now() + timedelta(seconds=LEAST_PAUSE_S)
                await self._attempt(target, lapse)
            self._forget_old()
            self._changed.clear()
            await self._pause()

    async def _attempt(self, target: Target, lapse: Callable[[Target], Awaitable[None]]) -> None:
        try:
            await lapse(target)
        except (RetryableError, VersionConflictError) as exc:
            log.warning("time not dealt with, again", extra={"target": target[1], "error": str(exc)})
        except Exception:  # one that cannot be dealt with must not hold up the others
            self.faults += 1
            log.exception("time not dealt with", extra={"target": target[1]})

    def _wake_at(self, target: Target, due: datetime) -> None:
        due = max(due, self._clock.now() + timedelta(seconds=LEAST_PAUSE_S)) if self._is_due(target) else due
        if self._due.get(target) != due:
            self._due[target] = due
            self._changed.set()

    async def _pause(self) -> None:
        wait_s = RESEND_S
        if self._due:
            wait_s = max(0.0, (min(self._due.values()) - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _send_all(self, orders: Sequence[Order]) -> None:
        """Send orders in this sequence, all of them before the first is acknowledged."""
        if len(orders) <= 1:
            for order in orders:
                await self._send(order)
            return
        for outcome in await asyncio.gather(*map(self._send, orders), return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _send(self, order: Order) -> None:
        sent_at = self._sent.get(order.order_id)
        if sent_at is not None and self._clock.monotonic() - sent_at < RESEND_S:
            return
        await self._orders.send_order(order)
        self._sent.pop(order.order_id, None)  # the oldest stand first
        self._sent[order.order_id] = self._clock.monotonic()
        log.info("ordered", extra={"order": order.order_id})

    def _forget_old(self) -> None:
        limit = self._clock.monotonic() - RESEND_S
        while self._sent and self._sent[oldest := next(iter(self._sent))] < limit:
            del self._sent[oldest]
