"""
haproxy and keepalived as a bundle wants them: checked, started, reloaded, started again when they end. Which bundle that is,
others decide.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Literal

from actium_amphora_agent.desired import HAPROXY, KEEPALIVED, NFTABLES, InForce
from actium_amphora_agent.errors import AgentError, Refused, Trouble
from actium_amphora_agent.haproxy import Haproxy
from actium_amphora_agent.interfaces import Interfaces
from actium_amphora_agent.keepalived import Keepalived
from actium_amphora_agent.learning import Learning
from actium_amphora_agent.logs import fields
from actium_amphora_agent.record import Record
from actium_amphora_agent.revival import Revival
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import write_atomically
from actium_amphora_agent.verdicts import Verdicts

log = logging.getLogger(__name__)

STANDBY, LEARNING = "BACKUP", "LEARNING"

ProcessState = Literal["running", "absent", "failed"]


class Serving:
    """
    `record` knows what is in force. `before_new_worker` is awaited before counters are lost; `on_role` is told of
    keepalived's word at once, `on_silence` when it ends; `lock` is held by whoever changes what runs; `news` is set when
    a beat should not wait.
    """

    def __init__(
        self,
        settings: Settings,
        record: Record,
        interfaces: Interfaces,
        *,
        before_new_worker: Callable[[], Coroutine[Any, Any, None]],
        on_role: Callable[[str], None],
        on_silence: Callable[[], None],
        lock: asyncio.Lock,
        news: asyncio.Event,
    ) -> None:
        self._root = settings.root
        self._record = record
        self._interfaces = interfaces
        self._before_new_worker = before_new_worker
        self._on_role = on_role
        self._on_silence = on_silence
        self._lock = lock
        self._news = news
        self._revival = Revival(self.is_missing, self._revive)
        self._clearing: asyncio.Task[None] | None = None
        self.haproxy = Haproxy(settings.root, settings.traffic_namespace, on_end=self._on_haproxy_end)
        self.keepalived = Keepalived(
            settings.root, settings.traffic_namespace, on_end=self._on_keepalived_end, on_role=on_role
        )
        self.verdicts = Verdicts(settings.root / "dead-members", self.haproxy.server_states)
        self.learning = Learning(self._ask_peers, on_end=self._on_learnt)

    # ---- what it is like

    @property
    def haproxy_state(self) -> ProcessState:
        return self._state(HAPROXY, self.haproxy.pid)

    @property
    def keepalived_state(self) -> ProcessState:
        return self._state(KEEPALIVED, self.keepalived.pid)

    @property
    def role(self) -> str | None:
        if self._record.has(KEEPALIVED):
            return self.keepalived.role
        return "STANDALONE" if self._record.has(HAPROXY) or self._record.has(NFTABLES) else None

    @property
    def word(self) -> str | None:
        """The role as it is told: of a standby that still learns nobody should want that it takes over."""
        return LEARNING if self.role == STANDBY and self.learning.is_on else self.role

    def is_missing(self) -> bool:
        return "failed" in (self.haproxy_state, self.keepalived_state)

    def _state(self, name: str, pid: int | None) -> ProcessState:
        if pid is not None:
            return "running"
        return "failed" if self._record.has(name) else "absent"

    # ---- the agent's own start and stop

    async def adopt(self, *, unfinished: bool) -> None:
        """Take over what an earlier agent left; where it was killed in the middle of a change, make that undone."""
        self.keepalived.open()
        adopted = await self.haproxy.adopt()
        if not self._record.has(HAPROXY):
            if adopted:
                await self.haproxy.stop()
        elif not adopted:
            self._revival.wake()
        elif unfinished:
            await self.haproxy.reload(await self._states())
        if adopted:
            await self.learning.begin()
        await self._adopt_keepalived(unfinished=unfinished)

    async def _adopt_keepalived(self, *, unfinished: bool) -> None:
        in_force = self._record.in_force
        if not (self._record.has(KEEPALIVED, in_force) and self.keepalived.adopt()):
            await self.follow_keepalived(in_force)
            return
        self.tell_keepalived(in_force)  # haproxy may have died with the agent
        if unfinished:
            await self.keepalived.reload()

    async def stop(self) -> None:
        """The agent ends; haproxy and keepalived run on."""
        await self._revival.stop()
        await self.verdicts.stop()
        await self.learning.stop()
        if self._clearing:
            await asyncio.gather(self._clearing, return_exceptions=True)  # a moment; half of it would be none
        self.keepalived.close()

    # ---- following a bundle

    async def check_keepalived(self, wanted: InForce) -> None:
        """
        Once its cards are there: it refuses a file that names others.

        Raises:
            Refused: in its own words.
        """
        if self._record.has(KEEPALIVED, wanted) and self._record.differs(KEEPALIVED, wanted):
            await self.keepalived.check(self._record.path(KEEPALIVED, wanted))

    async def check_haproxy(self, wanted: InForce) -> None:
        """
        The file names certificates where they will stand; the check has to read them where they stand now.

        Raises:
            Refused: in its own words.
        """
        there, here = str(self._root / "certificates"), str(self._record.path("certificates", wanted))
        checked = self._record.path("checked.cfg", wanted)
        write_atomically(checked, self._record.content(HAPROXY, wanted).replace(there.encode(), here.encode()))
        try:
            await self.haproxy.check(checked)
        except Refused as exc:
            raise Refused(str(exc).replace(str(checked), str(self._root / HAPROXY)).replace(here, there)) from exc

    async def follow_haproxy(self, wanted: InForce) -> None:
        if not self._record.has(HAPROXY, wanted):
            await self.haproxy.stop()
            self.verdicts.forget()
        elif self.haproxy.pid is None:
            await self._start_haproxy()
        else:
            await self.reload_haproxy()

    async def _start_haproxy(self) -> None:
        await self.haproxy.start(await self._states())
        await self.learning.begin()

    async def reload_haproxy(self) -> None:
        await self._before_new_worker()
        try:
            await self.haproxy.reload(await self._states())
        except Trouble as exc:
            # Which of the two it serves now nobody knows; the mark makes the next bundle a full reload.
            self._record.keep(replace(self._record.in_force, drift=str(exc)))
            raise

    async def _states(self) -> bytes:
        """Members that are dead now must not be tried again by the next worker, whose file the link names by now."""
        return await self.verdicts.after(self._record.current(HAPROXY))

    async def follow_keepalived(self, wanted: InForce) -> None:
        if not self._record.has(KEEPALIVED, wanted):
            if self.keepalived.pid is not None:
                await self.keepalived.stop()
            return
        self.tell_keepalived(wanted)
        if self.keepalived.pid is None:
            await self._clear_keepalived()
            await self.keepalived.start()
        elif self._record.differs(KEEPALIVED, wanted):
            await self.keepalived.reload()

    def tell_keepalived(self, in_force: InForce) -> None:
        """An amphora with nothing for haproxy to do is as healthy as one whose haproxy runs."""
        flags = in_force.flags
        serves = self.haproxy.pid is not None or not self._record.has(HAPROXY, in_force)
        if self._record.has(KEEPALIVED, in_force):
            self.keepalived.tell(healthy=serves and not (flags.yield_ or flags.fence))

    async def stop_all(self) -> None:
        await self.keepalived.stop()
        await self._before_new_worker()
        await self.haproxy.stop()
        self.verdicts.forget()

    # ---- learning

    async def _ask_peers(self) -> str:
        return await self.haproxy.ask("show peers") if self.haproxy.pid else ""  # one that ended learns nothing

    def _on_learnt(self) -> None:
        if self.role == STANDBY:
            self._on_role(STANDBY)
        self._news.set()

    # ---- staying alive

    def wake(self) -> None:
        self._revival.wake()

    def _on_haproxy_end(self) -> None:
        """Called the moment the kernel says so: the partner takes over while we start it again."""
        self.tell_keepalived(self._record.in_force)
        self._revival.wake()

    def _on_keepalived_end(self) -> None:
        self._on_silence()
        self._clearing = asyncio.create_task(self._clear_keepalived())
        self._revival.wake()

    async def _clear_keepalived(self) -> None:
        """Killed, it leaves VIPs behind that its partner takes: both would answer for them. Nobody may wait for a lock here."""
        try:
            await self.keepalived.clear()
            await self._interfaces.drop_floating(self._record.in_force.interfaces)
        except Trouble as exc:
            log.error("VIPs of a keepalived that ended are still here", extra=fields(reason=str(exc)))

    async def _revive(self) -> None:
        async with self._lock:
            await self._revive_once()
        self._news.set()

    async def _revive_once(self) -> None:
        if self.haproxy_state == "failed":
            try:
                await self._before_new_worker()
                await self._start_haproxy()
                log.warning("haproxy ended and was started again", extra=fields(pid=self.haproxy.pid))
            except AgentError as exc:
                log.error("haproxy does not start", extra=fields(reason=str(exc)))
        await self.follow_keepalived(self._record.in_force)
