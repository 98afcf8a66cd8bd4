"""
Applying a bundle, all or nothing, and keeping what was applied alive: the order of the steps and the way back.

Everything is repeatable. The agent may be killed between any two lines; what counts afterwards is the state file, the link
`current` and what the kernel shows.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Literal

from actium_amphora_agent import runtime
from actium_amphora_agent.desired import CHECKS, HAPROXY, KEEPALIVED, NFTABLES, Bundle, InForce, is_same
from actium_amphora_agent.errors import AgentError, Refused, Trouble
from actium_amphora_agent.haproxy import Haproxy
from actium_amphora_agent.interfaces import Interfaces
from actium_amphora_agent.keepalived import Keepalived
from actium_amphora_agent.logs import fields
from actium_amphora_agent.revival import Revival
from actium_amphora_agent.server_state import NOTHING, carried_over
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Store, write_atomically
from actium_amphora_agent.udp import Udp

log = logging.getLogger(__name__)

CONFIRM_DELAY_S = 0.1
"""A check costs 65 ms of processor: of a burst of runtime changes only the last is checked."""

Result = Literal["unchanged", "runtime", "reload"]
HaproxyState = Literal["running", "absent", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    digest: str
    bundle: int
    took_ms: float


class Configuration:
    """
    The one owner of haproxy, keepalived, the cards and the packet filter.

    `before_new_worker` is awaited before counters are lost; `news` is set when a beat should not wait; `on_edge` is told
    of what the relay should know at once.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        before_new_worker: Callable[[], Coroutine[Any, Any, None]],
        news: asyncio.Event,
        on_edge: Callable[[dict[str, str]], None],
    ) -> None:
        self._store = store
        self._root = settings.root
        self._before_new_worker = before_new_worker
        self._news = news
        self._lock = asyncio.Lock()
        self._half_sent = False
        self._owes_cards = False
        self._confirming: asyncio.Task[None] | None = None
        self._revival = Revival(self._is_missing, self._revive)
        self.interfaces = Interfaces(settings.traffic_namespace)
        self.udp = Udp(settings, store, on_edge=on_edge)
        self.haproxy = Haproxy(settings.root, settings.traffic_namespace, on_end=self._on_end)
        self.keepalived = Keepalived(
            settings.root,
            settings.traffic_namespace,
            on_end=self._on_end,
            on_role=lambda role: on_edge({"kind": "role", "id": "", "status": role, "reason": ""}),
        )
        self.in_force = store.load()

    # ---- what it is like

    @property
    def haproxy_state(self) -> HaproxyState:
        if self.haproxy.pid is not None:
            return "running"
        return "failed" if self._wants(HAPROXY) else "absent"

    @property
    def keepalived_state(self) -> HaproxyState:
        if self.keepalived.pid is not None:
            return "running"
        return "failed" if self._wants(KEEPALIVED) else "absent"

    @property
    def role(self) -> str | None:
        if self._wants(KEEPALIVED):
            return self.keepalived.role
        return "STANDALONE" if self._wants(HAPROXY) or self._wants(NFTABLES) else None

    def _wants(self, name: str, in_force: InForce | None = None) -> bool:
        in_force = in_force or self.in_force
        return bool(in_force.folder) and self._store.path(in_force.folder, name).exists()

    # ---- the agent's own start and stop

    async def start(self) -> None:
        """Adopt what an earlier agent left running; touch no traffic unless that agent was killed in the middle."""
        async with self._lock:
            await self.interfaces.prepare()
            await self.interfaces.hand_back(self.in_force.interfaces)
            await self.udp.adopt(*self._rules(self.in_force), fence=self.in_force.flags.fence)
            self.keepalived.open()
            await self._adopt_haproxy()
            if not (self._wants(KEEPALIVED) and self.keepalived.adopt()):
                await self._follow_keepalived(self.in_force)
            self._store.keep_only(self.in_force.folder, self._store.current)
        if self.in_force.unconfirmed:
            self._confirm_later()

    async def _adopt_haproxy(self) -> None:
        adopted = await self.haproxy.adopt()
        confirmed = not self.in_force.unconfirmed and self.in_force.drift is None
        unfinished = confirmed and self._store.current != self.in_force.folder
        if unfinished:
            # Killed between the switch and its record: nobody was answered, so what is recorded still counts.
            self._store.switch(self.in_force.folder)
        if not self._wants(HAPROXY):
            if adopted:
                await self.haproxy.stop()
        elif not adopted:
            self._revival.wake()
        elif unfinished:
            await self.haproxy.reload(await self._states())

    async def stop(self) -> None:
        """The agent ends; haproxy and keepalived run on."""
        await self._revival.stop()
        await self._cancel_confirmation()
        await self.udp.stop()
        await self.interfaces.stop()
        self.keepalived.close()

    # ---- PUT and DELETE

    async def put(self, bundle: Bundle) -> Answer:
        """
        Raises:
            Stale, Refused, Trouble: nothing has changed.
        """
        began = time.monotonic()
        async with self._lock:
            result = await self._apply(bundle)
        took_ms = round((time.monotonic() - began) * 1000, 2)
        log.info("configured", extra=fields(result=result, bundle=bundle.number, digest=bundle.digest, took_ms=took_ms))
        self._news.set()
        return Answer(result, bundle.digest, bundle.number, took_ms)

    async def delete(self) -> None:
        async with self._lock:
            await self._cancel_confirmation()
            self._remember(InForce())
            self._store.switch("")
            await self.keepalived.stop()
            await self._before_new_worker()
            await self.haproxy.stop()
            await self.udp.load(b"", b"", fence=False)
            await self.interfaces.hand_back(())
            self._store.keep_only()
        log.info("configuration deleted")
        self._news.set()

    async def _apply(self, bundle: Bundle) -> Result:
        if is_same(bundle, self.in_force) and self._is_sound():
            await self._hand_back()
            return await self._renumber(bundle)
        await self._cancel_confirmation()
        folder = self._store.stage(bundle)
        wanted = InForce(
            number=bundle.number,
            epoch=bundle.epoch,
            digest=bundle.digest,
            folder=folder,
            interfaces=bundle.interfaces,
            flags=bundle.flags,
        )
        before = self.in_force
        try:
            async with self._way_back(wanted):
                untouched = self._keeps_haproxy(wanted)
                result: Result = "runtime" if untouched or await self._by_runtime(bundle, wanted) else "reload"
                if untouched or result == "reload":
                    await self._by_reload(wanted, haproxy=not untouched)
            self._owes_cards |= before.interfaces != wanted.interfaces
            await self._hand_back()
            return result
        finally:
            self._store.keep_only(self.in_force.folder, self._store.current)
            if self.in_force.unconfirmed:
                self._confirm_later()

    async def _hand_back(self) -> None:
        """Last of all: haproxy speaks to nobody through these cards any more. What fails is owed until the next bundle."""
        if self._owes_cards:
            await self.interfaces.hand_back(self.in_force.interfaces)
            self._owes_cards = False

    def _is_sound(self) -> bool:
        return self.in_force.drift is None and not self._is_missing()

    async def _renumber(self, bundle: Bundle) -> Result:
        """The same configuration under a newer number; flags may differ and cost no reload."""
        in_force = replace(self.in_force, number=bundle.number, epoch=bundle.epoch, flags=bundle.flags)
        if in_force == self.in_force:
            return "unchanged"
        if in_force.flags != self.in_force.flags:
            await self.udp.load(*self._rules(in_force), fence=in_force.flags.fence)
            self._tell_keepalived(in_force)
        self._remember(in_force)
        return "unchanged"

    # ---- without a reload

    async def _by_runtime(self, bundle: Bundle, wanted: InForce) -> bool:
        """False: these changes need a reload after all."""
        if bundle.runtime is None or not self._may_run(bundle.runtime.base, wanted):
            return False
        await self._check(wanted, haproxy=False)
        await self._prepare(wanted)
        self._half_sent = True
        if refused := await runtime.send(bundle.runtime.commands, self.haproxy.ask):
            log.warning("runtime change refused", extra=fields(command=refused[0], answer=refused[1]))
            return False
        await self._follow_keepalived(wanted)
        self._remember(replace(wanted, unconfirmed=True))
        return True

    def _may_run(self, base: str, wanted: InForce) -> bool:
        return (
            base == self.in_force.digest
            and self._is_sound()
            and self.haproxy_state == "running"
            and self._wants(HAPROXY, wanted)
            and not self._differs(KEEPALIVED, wanted)  # it reads its file anew, and `current` is not switched yet
            and self._store.certificates(wanted.folder) == self._store.certificates(self.in_force.folder)
        )

    def _confirm_later(self) -> None:
        self._confirming = asyncio.create_task(self._confirm(self.in_force, self.haproxy.generation))

    async def _confirm(self, in_force: InForce, generation: int) -> None:
        """A runtime change is in haproxy's memory; now see that its file would load too."""
        await asyncio.sleep(CONFIRM_DELAY_S)
        drift = None
        try:
            await self._check_haproxy(in_force)
        except AgentError as exc:
            drift = str(exc)
        async with self._lock:
            if self.in_force != in_force:
                return
            if drift is None:
                self._store.switch(in_force.folder)
            else:
                log.error("what runs has no file that loads", extra=fields(digest=in_force.digest, words=drift))
            self._remember(replace(in_force, unconfirmed=False, drift=drift))
            self._store.keep_only(in_force.folder, self._store.current)
            if drift is None and generation != self.haproxy.generation and self.haproxy.pid:
                await self._reload_haproxy()  # it died meanwhile and came back from the older file
        self._news.set()

    async def _cancel_confirmation(self) -> None:
        if self._confirming:
            self._confirming.cancel()
            await asyncio.gather(self._confirming, return_exceptions=True)
            self._confirming = None

    # ---- with a reload

    def _keeps_haproxy(self, wanted: InForce) -> bool:
        """Only cards or UDP change: what haproxy reads is, to the byte, what it runs."""
        return (
            bool(self.in_force.folder)
            and self._is_sound()
            and not self.in_force.unconfirmed
            and not self._differs(HAPROXY, wanted)
            and self._store.certificates(wanted.folder) == self._store.certificates(self.in_force.folder)
        )

    async def _by_reload(self, wanted: InForce, *, haproxy: bool = True) -> None:
        await self._check(wanted, haproxy=haproxy and self.haproxy.pid is not None)
        await self._prepare(wanted)
        self._store.switch(wanted.folder)
        if haproxy:
            await self._follow_haproxy(wanted)
        await self._follow_keepalived(wanted)
        self._remember(wanted)

    async def _check(self, wanted: InForce, *, haproxy: bool) -> None:
        """Everything that can be refused is asked before anything is touched; a first start is its own check."""
        if haproxy and self._wants(HAPROXY, wanted):
            await self._check_haproxy(wanted)
        if self._wants(KEEPALIVED, wanted) and self._differs(KEEPALIVED, wanted):
            await self.keepalived.check(self._store.path(wanted.folder, KEEPALIVED))
        if self._differs(NFTABLES, wanted) or self._differs(CHECKS, wanted):
            await self.udp.check(*self._rules(wanted))

    async def _check_haproxy(self, wanted: InForce) -> None:
        """The file names certificates where they will stand; the check has to read them where they stand now."""
        text = self._store.content(wanted.folder, HAPROXY)
        there, here = (str(self._root / "certificates"), str(self._store.path(wanted.folder, "certificates")))
        checked = self._store.path(wanted.folder, "checked.cfg")
        write_atomically(checked, text.replace(there.encode(), here.encode()))
        try:
            await self.haproxy.check(checked)
        except Refused as exc:
            raise Refused(str(exc).replace(str(checked), str(self._root / HAPROXY)).replace(here, there)) from exc

    async def _prepare(self, wanted: InForce) -> None:
        if wanted.interfaces != self.in_force.interfaces:
            await self.interfaces.plug(wanted.interfaces)
        await self.udp.load(*self._rules(wanted), fence=wanted.flags.fence)

    def _rules(self, in_force: InForce) -> tuple[bytes, bytes]:
        return self._store.content(in_force.folder, NFTABLES), self._store.content(in_force.folder, CHECKS)

    async def _follow_haproxy(self, wanted: InForce) -> None:
        if not self._wants(HAPROXY, wanted):
            await self.haproxy.stop()
        elif self.haproxy.pid is None:
            await self.haproxy.start()
        else:
            await self._reload_haproxy()

    async def _reload_haproxy(self) -> None:
        await self._before_new_worker()
        try:
            await self.haproxy.reload(await self._states())
        except Trouble as exc:
            # Which of the two it serves now nobody knows; the mark makes the next bundle a full reload.
            self._remember(replace(self.in_force, drift=str(exc)))
            raise

    async def _states(self) -> bytes:
        """Members that are dead now must not be tried again by the next worker, whose file the link names by now."""
        before, after = (self._store.content(folder, HAPROXY) for folder in (self.in_force.folder, self._store.current))
        try:
            return carried_over(await self.haproxy.server_states(), before, after)
        except Trouble:
            return NOTHING  # a worker that does not answer knows nothing better

    async def _follow_keepalived(self, wanted: InForce) -> None:
        if not self._wants(KEEPALIVED, wanted):
            await self.keepalived.stop()
            return
        self._tell_keepalived(wanted)
        if self.keepalived.pid is None:
            self.keepalived.start()
        elif self._differs(KEEPALIVED, wanted):
            self.keepalived.reload()

    def _tell_keepalived(self, in_force: InForce) -> None:
        if self._wants(KEEPALIVED, in_force):
            self.keepalived.tell(healthy=self.haproxy.pid is not None and not in_force.flags.yield_)

    def _differs(self, name: str, wanted: InForce) -> bool:
        return self._store.content(wanted.folder, name) != self._store.content(self.in_force.folder, name)

    @contextlib.asynccontextmanager
    async def _way_back(self, wanted: InForce) -> AsyncIterator[None]:
        """Where a step fails, what was in force is made true again, and the reason is told."""
        before, current = self.in_force, self._store.current
        self._half_sent = False
        try:
            yield
        except BaseException:
            self._store.switch(current)
            await self._restore(before, instead_of=wanted)
            raise

    async def _restore(self, before: InForce, *, instead_of: InForce) -> None:
        try:
            if before.interfaces != instead_of.interfaces:
                await self.interfaces.plug(before.interfaces)
                await self.interfaces.hand_back(before.interfaces)
            await self.udp.load(*self._rules(before), fence=before.flags.fence)
        except AgentError as exc:
            log.error("could not restore what was in force", extra=fields(bundle=before.number, reason=str(exc)))
        if self.haproxy.pid is None and self._wants(HAPROXY, before):
            self._revival.wake()
        elif self._half_sent:
            await self._undo_commands(before)

    async def _undo_commands(self, before: InForce) -> None:
        """Back to the last file that was confirmed; where that is older than what ran, the drift says so."""
        drift = "runtime commands were taken in part"
        self._remember(replace(before, unconfirmed=False, drift=drift))
        try:
            await self._reload_haproxy()
        except AgentError as exc:
            log.error("could not undo runtime commands", extra=fields(bundle=before.number, reason=str(exc)))
            return
        if not before.unconfirmed:
            self._remember(before)

    def _remember(self, in_force: InForce) -> None:
        self._store.save(in_force)
        self.in_force = in_force

    # ---- staying alive

    def _on_end(self) -> None:
        """Called the moment the kernel says that haproxy or keepalived ended."""
        self._tell_keepalived(self.in_force)
        self._revival.wake()

    def _is_missing(self) -> bool:
        return "failed" in (self.haproxy_state, self.keepalived_state)

    async def _revive(self) -> None:
        async with self._lock:
            await self._revive_once()
        self._news.set()

    async def _revive_once(self) -> None:
        if self.haproxy_state == "failed":
            try:
                await self._before_new_worker()
                await self.haproxy.start()
                log.warning("haproxy ended and was started again", extra=fields(pid=self.haproxy.pid))
            except AgentError as exc:
                log.error("haproxy does not start", extra=fields(reason=str(exc)))
        await self._follow_keepalived(self.in_force)
