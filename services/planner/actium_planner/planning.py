"""Carrying plans out: orders go to the bus, and a plan that asks for it is made again at its time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from actium_planner.plans import Plan
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError, VersionConflictError
from actium_shared.message import Order

log = logging.getLogger(__name__)

RESEND_S = 150.0
"""An order that is still planned after this is sent again; the stream drops copies within its window of 120 s."""


RETRY_PAUSE_S = 0.2


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
    """Sends orders once, and wakes whoever waits for a time."""

    def __init__(self, orders: Orders, clock: Clock) -> None:
        self._orders, self._clock = orders, clock
        self._sent: dict[str, float] = {}
        self._due: dict[str, datetime] = {}
        self._changed = asyncio.Event()

    async def carry_out(self, aggregate_id: str, plan: Plan) -> None:
        """
        Send the plan's orders and remember its time.

        Raises:
            RetryableError: an order may not have been sent; the plan can be carried out again.
        """
        for order in plan.orders:
            await self._send(order)
        if plan.wake_at is None:
            self._due.pop(aggregate_id, None)
        elif self._due.get(aggregate_id) != plan.wake_at:
            self._due[aggregate_id] = plan.wake_at
            self._changed.set()

    def forget_sent(self) -> None:
        """Have every order sent again that is still planned: the bus may have lost them."""
        self._sent.clear()

    async def wake(self, lapse: Callable[[str], Awaitable[None]]) -> None:
        """Call `lapse` for each aggregate whose time has come, for ever."""
        while True:
            now = self._clock.now()
            for aggregate_id in [key for key, due in self._due.items() if due <= now]:
                due = self._due.pop(aggregate_id)
                try:
                    await lapse(aggregate_id)
                except (RetryableError, VersionConflictError) as exc:
                    log.warning("deadline not dealt with, again", extra={"target": aggregate_id, "error": str(exc)})
                    self._due.setdefault(aggregate_id, due)
                    await self._clock.sleep(RETRY_PAUSE_S)
            self._forget_old()
            self._changed.clear()
            await self._pause()

    async def _pause(self) -> None:
        wait_s = RESEND_S
        if self._due:
            wait_s = max(0.0, (min(self._due.values()) - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _send(self, order: Order) -> None:
        sent_at = self._sent.get(order.order_id)
        if sent_at is not None and self._clock.monotonic() - sent_at < RESEND_S:
            return
        await self._orders.send_order(order)
        self._sent[order.order_id] = self._clock.monotonic()
        log.info("ordered", extra={"order": order.order_id})

    def _forget_old(self) -> None:
        limit = self._clock.monotonic() - RESEND_S
        self._sent = {order_id: sent_at for order_id, sent_at in self._sent.items() if sent_at >= limit}
