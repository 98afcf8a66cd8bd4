"""Asks haproxy for its figures, no more than needed, and keeps the totals over its workers' lives."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.haproxy import Haproxy
from actium_amphora_agent.statistics import Parser, Sample, Totals
from actium_amphora_agent.store import Store

ALL, PROXIES = "show stat -1 7 -1", "show stat -1 3 -1"

SERVERS_EVERY = 10
"""A thousand servers cost haproxy 7 ms a listing and change seldom; a change is in the log and brings the listing forward."""

FEW_SERVERS = 50

_PID = re.compile(r"^Pid: (\d+)", re.MULTILINE)
_DROPPED_LOGS = re.compile(r"^DroppedLogs: (\d+)", re.MULTILINE)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Sampler:
    """`udp` gives what the kernel serves; neither it nor haproxy knows of the other's listeners and pools."""

    def __init__(self, haproxy: Callable[[], Haproxy], udp: Callable[[], Awaitable[Sample]], store: Store) -> None:
        self._haproxy = haproxy
        self._udp = udp
        self._store = store
        self._parser = Parser()
        self._totals = Totals(**store.read("totals"))
        self._saved = asdict(self._totals)
        self._lock = asyncio.Lock()
        self._countdown = 0
        self._members: dict[str, dict[str, str]] = {}
        self.worker = 0

    @property
    def dropped_logs(self) -> int:
        return self._totals.dropped

    def expect_changes(self) -> None:
        self._countdown = 0

    async def sample(self) -> Sample:
        """Listeners with totals, pools with members; of haproxy's none where it does not answer."""
        ours, kernels = await self._sample_haproxy(), await self._udp()
        return Sample({**ours.listeners, **kernels.listeners}, {**ours.pools, **kernels.pools})

    async def _sample_haproxy(self) -> Sample:
        async with self._lock:  # two answers out of order would look like a new worker
            try:
                sample = await self._ask(self._haproxy())
            except Trouble:
                self._members = {}
                self._countdown = 0
                return Sample({}, {})
            listeners = self._totals.add(sample)
            self._save()
            return Sample(listeners, sample.pools)

    async def before_new_worker(self) -> None:
        """The last look at counters that are about to go."""
        await self._sample_haproxy()
        self.expect_changes()

    async def _ask(self, haproxy: Haproxy) -> Sample:
        if haproxy.pid is None:
            raise Trouble("haproxy does not run")
        is_full = self._countdown <= 0
        # One connection, hence one worker: whose counters these are is certain.
        answer = await haproxy.ask(f"show info;{ALL if is_full else PROXIES}")
        info, mark, rows = answer.partition("# pxname")
        self._notice_worker(info)
        sample = self._parser.parse(mark + rows)
        if is_full:
            self._remember_members(sample)
        else:
            self._countdown -= 1
            for pool_id, pool in sample.pools.items():
                pool["members"] = self._members.get(pool_id, {})
        return sample

    def _notice_worker(self, info: str) -> None:
        found = _PID.search(info)
        if not found:
            raise Trouble("haproxy gave no figures")
        self.worker = int(found[1])
        self._totals.new_worker(self.worker)
        if dropped := _DROPPED_LOGS.search(info):
            self._totals.dropped_last = int(dropped[1])

    def _remember_members(self, sample: Sample) -> None:
        self._members = {pool_id: pool["members"] for pool_id, pool in sample.pools.items()}
        is_large = sum(map(len, self._members.values())) > FEW_SERVERS
        self._countdown = SERVERS_EVERY - 1 if is_large else 0

    def _save(self) -> None:
        totals = asdict(self._totals)
        if totals != self._saved:
            self._store.write("totals", totals)
            self._saved = totals


def resident_bytes(*pids: int) -> int:
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        except FileNotFoundError:
            continue  # it ended
    return total
