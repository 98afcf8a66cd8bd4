"""
The one owner of UDP in the amphora: the kernel's table, who of the members lives, and what is told of them.

Nothing of it is in the agent's memory alone: an agent that is started anew finds the table, its counters and its flows in
the kernel, and the dead members in the store.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from typing import Any, TypeVar

from actium_amphora_agent import balancing
from actium_amphora_agent.balancing import TABLE, Check, Spec
from actium_amphora_agent.checks import Checks
from actium_amphora_agent.errors import AgentError, Trouble
from actium_amphora_agent.logs import fields
from actium_amphora_agent.netfilter import Count, FlowsAndCounters, Netfilter
from actium_amphora_agent.nft import Nft
from actium_amphora_agent.probes import Probes
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.statistics import Sample, Totals
from actium_amphora_agent.store import Store
from actium_amphora_agent.table import Table
from actium_amphora_agent.traffic import Traffic

log = logging.getLogger(__name__)

T = TypeVar("T")

FLOWS_SHARE = 50
"""Flows are counted by reading them all: not again before fifty times that long has passed."""

FEW_TARGETS = 50
REFILL_AGAIN_S = 1.0
_FORWARDING = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")


class Udp:
    """`on_edge` is told at once of a member that dies or returns."""

    def __init__(
        self, settings: Settings, store: Store, nft: Nft, *, on_edge: Callable[[dict[str, str]], None]
    ) -> None:
        self._store = store
        self._on_edge = on_edge
        self._traffic = Traffic(settings.traffic_namespace)
        self._kernel: FlowsAndCounters = Netfilter(self._traffic)
        self._table = Table(nft)
        self._checks = Checks(Probes(self._traffic), store, self._on_verdict)
        self._totals = Totals(**store.read("udp-totals"))
        self._lock = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._picked: tuple[tuple[Spec, AbstractSet[tuple[str, str]]], str] = ((Spec(), frozenset()), "")
        self._refilling: asyncio.Task[None] | None = None
        self._flows: Mapping[int, int] = {}
        self._count_flows_at = 0.0
        self._cut: AbstractSet[tuple[str, str]] = frozenset()
        self.spec = Spec()

    async def check(self, rules: bytes, checks: bytes) -> None:
        """
        Raises:
            Refused, Invalid: neither is changed.
        """
        balancing.parse(checks)
        if rules:
            await self._table.check(rules)

    async def load(self, rules: bytes, checks: bytes) -> None:
        """
        Balance as these files say; flows of members that stay are not touched.

        Raises:
            Trouble: the kernel took it not.
        """
        spec = balancing.parse(checks)
        async with self._lock:
            down = self._checks.down_of(spec.checks)
            # Forwarding only while there are rules that let nothing else through: an amphora is no router.
            if not rules:
                self._traffic.set_kernel(dict.fromkeys(_FORWARDING, "0"))
            await self._table.load(rules, await self._picks(spec, down))
            if rules:
                self._traffic.set_kernel(dict.fromkeys(_FORWARDING, "1"))
            gone, self.spec = self.spec.marks - spec.marks, spec
            await self._forget_flows(gone)
            self._checks.follow(spec.checks)

    async def adopt(self, rules: bytes, checks: bytes) -> None:
        """Take over from an earlier agent, or a kernel that is older than this boot; traffic is not touched."""
        try:
            await self.load(rules, checks)
            if rules:
                strangers = (await self._ask_kernel(self._kernel.flows)).keys() - self.spec.marks
                await self._forget_flows(strangers)
        except AgentError as exc:
            log.error("UDP not adopted", extra=fields(reason=str(exc)))

    async def stop(self) -> None:
        """The agent ends; the kernel balances on."""
        if self._refilling:
            self._refilling.cancel()
            await asyncio.gather(self._refilling, return_exceptions=True)
        await self._checks.stop()

    async def sample(self) -> Sample:
        """Listeners with totals and pools with members, as haproxy would tell of them."""
        if not self.spec.listeners and not self.spec.pools:
            return Sample({}, {})
        try:
            counters, flows = await self._ask_kernel(lambda: self._kernel.counters(TABLE)), await self._count_flows()
        except Trouble as exc:
            log.warning("no figures of UDP", extra=fields(reason=str(exc)))
            return Sample({}, balancing.pools(self.spec, self._checks.down))
        listeners = {
            listener_id: _listener(listener_id, counters, sum(flows.get(mark, 0) for mark in marks))
            for listener_id, marks in self.spec.listeners.items()
        }
        before = asdict(self._totals)
        totals = self._totals.add(Sample(listeners, {}))
        if asdict(self._totals) != before:
            self._store.write("udp-totals", asdict(self._totals))
        return Sample(totals, balancing.pools(self.spec, self._checks.down))

    async def _count_flows(self) -> Mapping[int, int]:
        began_at = time.monotonic()
        if began_at >= self._count_flows_at:
            self._flows = await self._ask_kernel(self._kernel.flows)
            now = time.monotonic()
            self._count_flows_at = now + FLOWS_SHARE * (now - began_at)
        return self._flows

    async def _forget_flows(self, marks: AbstractSet[int]) -> None:
        if marks:
            await self._ask_kernel(lambda: self._kernel.forget_flows(marks))

    async def _ask_kernel(self, ask: Callable[[], T]) -> T:
        """In a thread: looking through a hundred thousand flows takes longer than beats may wait. One question at a time."""
        async with self._asking:
            return await asyncio.to_thread(ask)

    async def _picks(self, spec: Spec, down: AbstractSet[tuple[str, str]]) -> str:
        """In a thread where there is much to reckon: a thousand members by hash take a tenth of a second."""
        wish = (spec, down)
        if wish != self._picked[0]:
            few = sum(len(branch.targets) for branch in spec.branches) <= FEW_TARGETS
            picks = balancing.picks(*wish) if few else await asyncio.to_thread(balancing.picks, *wish)
            self._picked = (wish, picks)
        return self._picked[1]

    def _on_verdict(self, check: Check, status: str, reason: str) -> None:
        edge = {"kind": "member", "id": check.member, "pool_id": check.pool, "status": status, "reason": reason}
        self._on_edge(edge)
        if self._refilling is None or self._refilling.done():
            self._refilling = asyncio.create_task(self._refill())

    async def _refill(self) -> None:
        """Until what is chosen from is what the checks say: again where a verdict fell meanwhile, or the kernel took it not."""
        while True:
            async with self._lock:
                down = self._checks.down
                is_taken = await self._cut_off(down)
            if not is_taken:
                await asyncio.sleep(REFILL_AGAIN_S)
            elif down == self._checks.down:
                return

    async def _cut_off(self, down: AbstractSet[tuple[str, str]]) -> bool:
        try:
            await self._table.refill(await self._picks(self.spec, down))
            await self._forget_flows(self._marks_of(down - self._cut))
        except Trouble as exc:
            log.error("members not changed", extra=fields(reason=str(exc)))
            return False
        self._cut = down
        return True

    def _marks_of(self, down: AbstractSet[tuple[str, str]]) -> set[int]:
        branches = self.spec.branches
        return {target.mark for one in branches for target in one.targets if (one.pool, target.member) in down}


def _listener(listener_id: str, counters: Mapping[str, Count], active: int) -> dict[str, Any]:
    taken, given, begun = (counters.get(f"{kind}-{listener_id}", Count()) for kind in ("in", "out", "new"))
    return {
        "status": "OPEN",
        "active_connections": active,
        "total_connections": begun.packets,
        "bytes_in": taken.bytes,
        "bytes_out": given.bytes,
        "request_errors": 0,
    }
