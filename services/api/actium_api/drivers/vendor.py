"""
A vendor's driver behind our interface: each wish is proposed to the planner, then told to the driver, then settled.

The driver runs in threads with a deadline each, in octavia-lib's objects (`vendor_models`, `vendor_calls`). Past one
nobody knows what it did: the proposal lapses, and `lapsed` has it undone, when the late call has come back.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from octavia_lib.api.drivers import exceptions
from octavia_lib.api.drivers.provider_base import ProviderDriver

from actium_api.access.callers import Caller
from actium_api.asks import Asks
from actium_api.drivers import vendor_calls, vendor_vips
from actium_api.drivers.driver import Driver, NewLoadBalancer
from actium_api.drivers.threads import Threads
from actium_api.drivers.turns import Turn, Turns
from actium_api.drivers.vendor_calls import Call
from actium_api.faults import Fault
from actium_api.read_model import proposals, wishes
from actium_api.read_model.proposals import KeptProposal
from actium_shared.codec import CODEC
from actium_shared.commands import planner as commands
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.commands.planner import LoadBalancerCommand, Propose, SettleProposal
from actium_shared.ids import Ids
from actium_shared.read_model import Database
from actium_shared.wishes import LoadBalancerWish

log = logging.getLogger(__name__)

T = TypeVar("T")

SETTLE_S = 25.0
"""So much longer than the driver's calls a proposal stays open: an ask may take 20 s."""

CREATION_CALLS = 4
"""A flavor and a zone to look at, the port to make, and the load balancer."""

UNSUPPORTED = (NotImplementedError, exceptions.NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One change at the driver: whose turn it is, and until when all its calls have to be back."""

    turn: Turn | None
    until: float


class VendorDriver(Driver):
    """Octavia-lib's driver of a vendor; made afresh for each call, as its interface promises."""

    def __init__(
        self,
        name: str,
        vendor: Callable[[], ProviderDriver],
        *,
        asks: Asks,
        database: Database,
        ids: Ids,
        timeout_s: float,
    ) -> None:
        super().__init__(name)
        self._vendor, self._timeout_s = vendor, timeout_s
        self._asks, self._database, self._ids = asks, database, ids
        self._threads, self._turns = Threads(name), Turns(name, asks.clock)
        self._makes_ports = getattr(vendor, "create_vip_port", None) is not ProviderDriver.create_vip_port
        self._asked: set[str] = set()

    def has_asked(self, proposal_id: str) -> bool:
        """Say whether the proposal was made here, so that nobody else knows when the driver's call has come back."""
        return proposal_id in self._asked

    async def carry_out(self, command: LoadBalancerCommand, *, caller: Caller) -> None:
        with self._turns.take(command.load_balancer_id) as turn:
            work = self._work(turn, CREATION_CALLS if isinstance(command, commands.CreateLoadBalancer) else 1)
            proposal = await self._propose(command, self._ids.new(), caller)
            if proposal is None:
                return  # it is true already
            try:
                await self._perform(proposal.command, work)
            except DeadlineFault:
                raise
            except Fault as exc:
                await self._settle(proposal, caller, refused=exc.message)
                raise
            await self._settle(proposal, caller)

    async def loadbalancer_create(self, new: NewLoadBalancer, vip: ReserveVip, *, caller: Caller) -> None:
        """Where the driver makes ports itself, have it do so only for what may be created: no call takes one away."""
        if not self._makes_ports:
            await super().loadbalancer_create(new, vip, caller=caller)
            return
        with self._turns.take(new.load_balancer.id) as turn:
            work, proposal_id = self._work(turn, CREATION_CALLS), self._ids.new()
            proposal = await self._propose(new.command(), proposal_id, caller)
            if proposal is None:
                return
            made: VipReservation | None = None
            try:
                made = await self._make_port(vip, work)
                reserved = made or await self._asks.reserve_vip(vip, caller=caller)
                proposal = await self._propose(new.at(reserved).command(), proposal_id, caller) or proposal
                await self._perform(proposal.command, work)
            except DeadlineFault:
                raise
            except Fault as exc:
                if made is not None:
                    await self._give_back(new.at(made).command(), turn)
                await self._settle(proposal, caller, refused=exc.message)
                raise
            await self._settle(proposal, caller)

    async def _propose(self, command: LoadBalancerCommand, proposal_id: str, caller: Caller) -> KeptProposal | None:
        calls = CREATION_CALLS if isinstance(command, commands.CreateLoadBalancer) else 1
        wish = Propose(
            load_balancer_id=command.load_balancer_id,
            proposal_id=proposal_id,
            command=CODEC.pack(command),
            timeout_s=calls * self._timeout_s + SETTLE_S,
        )
        self._asked.add(proposal_id)
        await self._asks.decide(wish, caller=caller)
        return await self._database.read(lambda connection: proposals.find(connection, proposal_id))

    async def _settle(self, proposal: KeptProposal, caller: Caller, *, refused: str | None = None) -> None:
        settlement = SettleProposal(
            load_balancer_id=proposal.load_balancer_id,
            proposal_id=proposal.id,
            accepted=refused is None,
            reason=refused or "",
        )
        await self._asks.decide(settlement, caller=caller)
        self._asked.discard(proposal.id)

    async def _perform(self, command: LoadBalancerCommand, work: Work) -> None:
        """Have the vendor's driver do what a command says."""
        if isinstance(command, commands.CreateLoadBalancer):
            await self._validate(command, work)
        before = await self._database.read(lambda connection: wishes.tree(connection, command.load_balancer_id))
        await self._tell(vendor_calls.call(command, before), work)

    async def _validate(self, command: commands.CreateLoadBalancer, work: Work) -> None:
        balancer = command.load_balancer
        try:
            if balancer.flavor:
                await self._validate_flavor(vendor_calls.plain(balancer.flavor), work)
            if balancer.availability_zone_data:
                await self._validate_zone(vendor_calls.plain(balancer.availability_zone_data), work)
        except DeadlineFault as exc:  # nothing can have been created
            raise self._failed(exc.why) from exc

    async def undo(self, proposal: KeptProposal) -> None:
        """
        Have the vendor's driver delete what a lapsed command may have created, unless that counts meanwhile.

        Raises:
            Fault: it could not, or another change is on its way.
            PermanentError: what was proposed cannot be read.
        """
        of = proposal.load_balancer_id

        def query(connection: sa.Connection) -> tuple[bool, LoadBalancerWish | None]:
            return proposals.is_open(connection, of), wishes.tree(connection, of)

        with self._turns.take(of) as turn:
            is_open, tree = await self._database.read(query)
            if is_open:
                raise Fault(409, f"Provider '{self.name}' is asked about another change of load balancer {of}.")
            call = vendor_calls.undoing(proposal.command, tree)
            if call is not None:
                await self._tell(call, self._work(turn, 1))

    def forget(self, proposal_id: str) -> None:
        """Forget a proposal that is undone."""
        self._asked.discard(proposal_id)

    async def _give_back(self, command: commands.CreateLoadBalancer, turn: Turn) -> None:
        """Have the driver delete a port that it made for what it then refused; it has no other call for that."""
        call = vendor_calls.undoing(command, None)
        assert call is not None
        try:
            await self._tell(call, self._work(turn, 1))
        except Fault as exc:
            about = {"provider": self.name, "load_balancer_id": command.load_balancer_id, "error": exc.message}
            log.warning("the port that the driver made may be left there", extra=about)

    async def _tell(self, call: Call, work: Work) -> None:
        await self._within(lambda driver: getattr(driver, call.method)(*call.arguments), call.method, work)

    async def create_vip_port(self, wish: ReserveVip, *, caller: Caller) -> VipReservation:
        """Have the network service give addresses: this driver leaves that to us."""
        return await self._asks.reserve_vip(wish, caller=caller)

    async def _make_port(self, wish: ReserveVip, work: Work) -> VipReservation | None:
        """Have the driver make the port; nothing where it leaves this one to us after all."""
        own, more = vendor_vips.wished(wish)

        def ask(driver: ProviderDriver) -> Any:
            try:
                return driver.create_vip_port(wish.load_balancer_id, wish.project_id, own, more)
            except UNSUPPORTED:
                return None

        made = await self._within(ask, "create_vip_port", work)
        try:
            return None if made is None else vendor_vips.reservation(made, wish)
        except (KeyError, TypeError, ValueError) as exc:
            raise self._failed(f"its VIP port cannot be read: {exc!r}") from exc

    async def validate_flavor(self, data: Mapping[str, object]) -> None:
        await self._validate_flavor(data, self._work(None, 1))

    async def _validate_flavor(self, data: Mapping[str, object], work: Work) -> None:
        await self._within(lambda driver: driver.validate_flavor(dict(data)), "validate_flavor", work)

    async def validate_availability_zone(self, data: Mapping[str, object]) -> None:
        await self._validate_zone(data, self._work(None, 1))

    async def _validate_zone(self, data: Mapping[str, object], work: Work) -> None:
        what = "validate_availability_zone"
        await self._within(lambda driver: driver.validate_availability_zone(dict(data)), what, work)

    async def get_supported_flavor_metadata(self) -> Mapping[str, str]:
        what = "get_supported_flavor_metadata"
        found = await self._within(lambda driver: driver.get_supported_flavor_metadata(), what, self._work(None, 1))
        return dict(found or {})

    async def get_supported_availability_zone_metadata(self) -> Mapping[str, str]:
        what, work = "get_supported_availability_zone_metadata", self._work(None, 1)
        found = await self._within(lambda driver: driver.get_supported_availability_zone_metadata(), what, work)
        return dict(found or {})

    def _work(self, turn: Turn | None, calls: int) -> Work:
        return Work(turn=turn, until=self._asks.clock.monotonic() + calls * self._timeout_s)

    async def _within(self, ask: Callable[[ProviderDriver], T], what: str, work: Work) -> T:
        """Make one call, with a deadline of its own that does not exceed the whole work's."""

        def inside() -> T:
            driver = self._vendor()
            driver.name = self.name
            return ask(driver)

        timeout_s = min(self._timeout_s, work.until - self._asks.clock.monotonic())
        if timeout_s <= 0:
            raise Fault(503, f"Provider '{self.name}' was not asked in time; try again later.")
        ended = self._note_call(work)
        try:
            return await self._threads.run(inside, what=f"{self.name} {what}", timeout_s=timeout_s, ended=ended)
        except Fault:
            raise
        except TimeoutError as exc:
            raise DeadlineFault(self.name, timeout_s) from exc
        except UNSUPPORTED as exc:
            raise self._refused(501, "does not support a requested action", exc) from exc
        except exceptions.UnsupportedOptionError as exc:
            raise self._refused(501, "does not support a requested option", exc) from exc
        except exceptions.Conflict as exc:
            raise self._refused(409, "reports a conflict", exc) from exc
        except asyncio.CancelledError:
            raise
        except Exception as exc:
            log.exception("driver failed", extra={"provider": self.name, "call": what})
            raise self._refused(500, "reports error", exc) from exc

    def _refused(self, status: int, what: str, exc: Exception) -> Fault:
        told = getattr(exc, "operator_fault_string", None)
        log.warning("driver refused", extra={"provider": self.name, "status": status, "operator_fault_string": told})
        words = getattr(exc, "user_fault_string", None) or str(exc) or type(exc).__name__
        return Fault(status, f"Provider '{self.name}' {what}: {words}")

    def _note_call(self, work: Work) -> Callable[[], None]:
        if work.turn is None:
            return lambda: None
        work.turn.begun()
        return work.turn.ended

    def _failed(self, why: str) -> Fault:
        return Fault(500, f"Provider '{self.name}' reports error: {why}")


class DeadlineFault(Fault):
    """The driver has not returned, and what it did is not known."""

    def __init__(self, provider: str, timeout_s: float) -> None:
        self.why = f"it has not answered within {timeout_s:.3g} s"
        undone = "What it may have created will be deleted there."
        super().__init__(500, f"Provider '{provider}' reports error: {self.why}. {undone}")
