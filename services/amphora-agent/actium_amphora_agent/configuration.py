"""
Applying a bundle, all or nothing: the order of the steps and the way back.

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
from actium_amphora_agent.cards import leads_elsewhere
from actium_amphora_agent.desired import (
    CHECKS,
    HAPROXY,
    KEEPALIVED,
    NFTABLES,
    Bundle,
    InForce,
    is_same,
    order_of,
)
from actium_amphora_agent.errors import AgentError
from actium_amphora_agent.fencing import Fencing
from actium_amphora_agent.gate import MASTER, Gate
from actium_amphora_agent.interfaces import Interfaces
from actium_amphora_agent.logs import fields
from actium_amphora_agent.nft import Nft
from actium_amphora_agent.record import Record
from actium_amphora_agent.serving import Serving
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.shipping import Shipping
from actium_amphora_agent.store import Store
from actium_amphora_agent.traffic import Traffic
from actium_amphora_agent.udp import Udp

log = logging.getLogger(__name__)

CONFIRM_DELAY_S = 0.1
"""A check costs 65 ms of processor: of a burst of runtime changes only the last is checked."""

Result = Literal["unchanged", "runtime", "reload"]


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    digest: str
    bundle: int
    took_ms: float


class Configuration:
    """
    The one owner of the cards, the packet filter and, in `serving`, of haproxy and keepalived.

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
        nft = Nft(settings.traffic_namespace)
        self._store = store
        self._record = Record(store)
        self._news = news
        self._lock = asyncio.Lock()
        self._half_sent = False
        self._owes_cards = False
        self._confirming: asyncio.Task[None] | None = None
        self._fencing = Fencing(nft)
        self._gate = Gate(nft, Traffic(settings.traffic_namespace))
        self._on_edge = on_edge
        self.interfaces = Interfaces(settings.traffic_namespace)
        self.udp = Udp(settings, store, nft, on_edge=on_edge)
        self.shipping = Shipping(settings.root, store)
        self.serving = Serving(
            settings,
            self._record,
            self.interfaces,
            before_new_worker=before_new_worker,
            on_role=self._on_role,
            on_silence=self._on_silence,
            lock=self._lock,
            news=news,
        )

    @property
    def in_force(self) -> InForce:
        return self._record.in_force

    @property
    def fenced(self) -> bool:
        return self._is_fenced(self.in_force)

    # ---- the agent's own start and stop

    async def start(self) -> None:
        """Adopt what an earlier agent left running; touch no traffic unless that agent was killed in the middle."""
        async with self._lock:
            in_force = self.in_force
            await self._fencing.fence(up=self._is_fenced(in_force))
            await self._fencing.guard(in_force.interfaces)
            await self.interfaces.prepare()
            await self.interfaces.hand_back(in_force.interfaces)
            await self.udp.adopt(*self._record.rules())
            self.shipping.follow(in_force.logs)
            await self.serving.adopt(unfinished=self._undo_unfinished())
            await self._follow_gate(in_force)
            if not self._is_fenced(in_force):
                self.interfaces.announce_again(in_force.interfaces)
            self._store.keep_only(in_force.folder, self._store.current)
        if in_force.unconfirmed:
            self._confirm_later()

    def _on_role(self, role: str) -> None:
        self._gate.hear(role)  # first: clients wait for it
        self.interfaces.confirm(self.in_force.interfaces if role == MASTER else ())
        self._on_edge({"kind": "role", "id": "", "status": self.serving.word or role, "reason": ""})

    def _on_silence(self) -> None:
        self._gate.hear(None)
        self.interfaces.confirm(())

    def _undo_unfinished(self) -> bool:
        """Killed between the switch and its record, nobody was answered, so what is recorded still counts."""
        confirmed = not self.in_force.unconfirmed and self.in_force.drift is None
        if not confirmed or self._store.current == self.in_force.folder:
            return False
        self._store.switch(self.in_force.folder)
        return True

    async def stop(self) -> None:
        """The agent ends; haproxy and keepalived run on."""
        await self._cancel_confirmation()
        await self.udp.stop()
        await self.serving.stop()
        await self.shipping.stop()
        await self.interfaces.stop()
        self._gate.close()

    # ---- PUT and DELETE

    async def put(self, bundle: Bundle) -> Answer:
        """
        Raises:
            Stale, Refused, Trouble: nothing has changed; but a fence stands as soon as a bundle asks for it, whatever
                becomes of the bundle.
        """
        began = time.monotonic()
        is_same(bundle, self.in_force)
        if bundle.flags.fence:
            await self._silence(bundle)
        async with self._lock:
            result = await self._apply(bundle)
        took_ms = round((time.monotonic() - began) * 1000, 2)
        log.info("configured", extra=fields(result=result, bundle=bundle.number, digest=bundle.digest, took_ms=took_ms))
        self._news.set()
        return Answer(result, bundle.digest, bundle.number, took_ms)

    async def delete(self) -> None:
        async with self._lock:
            await self._cancel_confirmation()
            self._record.keep(InForce())
            self._store.switch("")
            self._store.write("fenced", {})
            await self.serving.stop_all()
            self.shipping.follow(None)
            await self.udp.load(b"", b"")
            await self.interfaces.hand_back(())
            await self._fencing.guard(())
            await self._follow_gate(self.in_force)
            await self._fencing.fence(up=False)
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
            logs=bundle.logs,
        )
        before = self.in_force
        try:
            async with self._way_back(wanted):
                untouched = self._keeps_haproxy(wanted)
                result: Result = "runtime" if untouched or await self._by_runtime(bundle, wanted) else "reload"
                if untouched or result == "reload":
                    await self._by_reload(wanted, haproxy=not untouched)
            self._owes_cards |= leads_elsewhere(before.interfaces, wanted.interfaces)
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
        return self.in_force.drift is None and not self.serving.is_missing()

    async def _renumber(self, bundle: Bundle) -> Result:
        """The same configuration under a newer number; flags may differ and cost no reload."""
        in_force = replace(self.in_force, number=bundle.number, epoch=bundle.epoch, flags=bundle.flags)
        if in_force == self.in_force:
            return "unchanged"
        if in_force.flags != self.in_force.flags:
            self.serving.tell_keepalived(in_force)
            await self._follow_fence(in_force)
        self._record.keep(in_force)
        return "unchanged"

    # ---- the fence

    async def _silence(self, bundle: Bundle) -> None:
        """Without waiting for whatever is being done: what is under way lifts no fence that a later bundle asked for."""
        self._store.write("fenced", {"epoch": bundle.epoch, "number": bundle.number})
        self.interfaces.hush()
        await self._fencing.fence(up=True)
        log.warning("fenced", extra=fields(bundle=bundle.number, epoch=bundle.epoch))

    def _is_fenced(self, in_force: InForce) -> bool:
        asked = self._store.read("fenced")
        return in_force.flags.fence or (bool(asked) and order_of(in_force) <= (asked["epoch"], asked["number"]))

    async def _follow_gate(self, wanted: InForce) -> None:
        await self._gate.follow(wanted.interfaces, self.serving.keepalived.role)

    async def _follow_fence(self, wanted: InForce) -> None:
        up = self._is_fenced(wanted)
        await self._fencing.fence(up=up)
        if not up and self._store.read("fenced"):
            self._store.write("fenced", {})
            self.interfaces.announce_again(wanted.interfaces)

    # ---- without a reload

    async def _by_runtime(self, bundle: Bundle, wanted: InForce) -> bool:
        """False: these changes need a reload after all."""
        if bundle.runtime is None or not self._may_run(bundle.runtime.base, wanted):
            return False
        await self._check(wanted, haproxy=False)
        await self._prepare(wanted)
        self._half_sent = True
        if refused := await runtime.send(bundle.runtime.commands, self.serving.haproxy.ask):
            log.warning("runtime change refused", extra=fields(command=refused[0], answer=refused[1]))
            return False
        await self.serving.follow_keepalived(wanted)
        self._record.keep(replace(wanted, unconfirmed=True))
        return True

    def _may_run(self, base: str, wanted: InForce) -> bool:
        return (
            base == self.in_force.digest
            and self._is_sound()
            and self.serving.haproxy_state == "running"
            and self._record.has(HAPROXY, wanted)
            and not self._record.differs(
                KEEPALIVED, wanted
            )  # it reads its file anew, and `current` is not switched yet
            and not self._record.certificates_differ(wanted)
            and self._record.tells_alike(wanted)
        )

    def _confirm_later(self) -> None:
        self._confirming = asyncio.create_task(self._confirm(self.in_force, self.serving.haproxy.generation))

    async def _confirm(self, in_force: InForce, generation: int) -> None:
        """A runtime change is in haproxy's memory; now see that its file would load too."""
        await asyncio.sleep(CONFIRM_DELAY_S)
        drift = None
        try:
            await self.serving.check_haproxy(in_force)
        except AgentError as exc:
            drift = str(exc)
        async with self._lock:
            if self.in_force != in_force:
                return
            if drift is None:
                self._store.switch(in_force.folder)
            else:
                log.error("what runs has no file that loads", extra=fields(digest=in_force.digest, words=drift))
            self._record.keep(replace(in_force, unconfirmed=False, drift=drift))
            self._store.keep_only(in_force.folder, self._store.current)
            if drift is None and generation != self.serving.haproxy.generation and self.serving.haproxy.pid:
                await self.serving.reload_haproxy()  # it died meanwhile and came back from the older file
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
            and not self._record.differs(HAPROXY, wanted)
            and not self._record.certificates_differ(wanted)
        )

    async def _by_reload(self, wanted: InForce, *, haproxy: bool = True) -> None:
        await self._check(wanted, haproxy=haproxy and self.serving.haproxy.pid is not None)
        await self._prepare(wanted)
        self._store.switch(wanted.folder)
        if haproxy:
            await self.serving.follow_haproxy(wanted)
        await self.serving.follow_keepalived(wanted)
        self._record.keep(wanted)

    async def _check(self, wanted: InForce, *, haproxy: bool) -> None:
        """What can be refused is asked before anything is touched; of haproxy a first start is the check."""
        if haproxy and self._record.has(HAPROXY, wanted):
            await self.serving.check_haproxy(wanted)
        if self._record.differs(NFTABLES, wanted) or self._record.differs(CHECKS, wanted):
            await self.udp.check(*self._record.rules(wanted))

    async def _prepare(self, wanted: InForce) -> None:
        await self._follow_fence(wanted)
        await self._fencing.guard(wanted.interfaces)  # before haproxy opens the port that it guards
        await self._follow_gate(wanted)  # before anybody is told where VIPs are to be led to
        if wanted.interfaces != self.in_force.interfaces:
            await self.interfaces.plug(wanted.interfaces, self.in_force.interfaces)
        await self.serving.check_keepalived(wanted)
        await self.udp.load(*self._record.rules(wanted))
        self.shipping.follow(wanted.logs)

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
            await self._follow_fence(before)
            await self._fencing.guard(before.interfaces)
            await self._follow_gate(before)
            if before.interfaces != instead_of.interfaces:
                await self.interfaces.plug(before.interfaces, instead_of.interfaces)
                await self.interfaces.hand_back(before.interfaces)
            await self.udp.load(*self._record.rules(before))
            self.shipping.follow(before.logs)
        except AgentError as exc:
            log.error("could not restore what was in force", extra=fields(bundle=before.number, reason=str(exc)))
        if self.serving.haproxy_state == "failed":
            self.serving.wake()
        elif self._half_sent:
            await self._undo_commands(before)

    async def _undo_commands(self, before: InForce) -> None:
        """Back to the last file that was confirmed; where that is older than what ran, the drift says so."""
        drift = "runtime commands were taken in part"
        self._record.keep(replace(before, unconfirmed=False, drift=drift))
        try:
            await self.serving.reload_haproxy()
        except AgentError as exc:
            log.error("could not undo runtime commands", extra=fields(bundle=before.number, reason=str(exc)))
            return
        if not before.unconfirmed:
            self._record.keep(before)
