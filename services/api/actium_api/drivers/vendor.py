"""
A vendor's driver behind our interface: each wish is proposed to the planner, then told to the driver, then settled.

The driver runs in a thread with a deadline, in octavia-lib's objects (`vendor_models`, `vendor_calls`). Past the
deadline nobody knows what it did: the proposal lapses, and `lapsed` has it undone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from octavia_lib.api.drivers import exceptions
from octavia_lib.api.drivers.provider_base import ProviderDriver

from actium_api.asks import Asks
from actium_api.auth import Caller
from actium_api.drivers import vendor_calls, vendor_vips
from actium_api.drivers.driver import Driver
from actium_api.drivers.threads import in_thread
from actium_api.drivers.vendor_calls import Call
from actium_api.faults import Fault
from actium_api.read_model import proposals, wishes
from actium_api.read_model.proposals import OpenProposal
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
"""So much longer than the driver's call a proposal stays open: an ask may take 20 s."""

UNSUPPORTED = (NotImplementedError, exceptions.NotImplementedError)


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

    async def carry_out(self, command: LoadBalancerCommand, *, caller: Caller) -> None:
        proposal = await self._propose(command, caller)
        if proposal is None:
            return  # it is true already
        try:
            await self.perform(proposal.command)
        except DeadlineFault:
            raise
        except Fault as exc:
            await self._settle(command, proposal, caller, refused=exc.message)
            raise
        await self._settle(command, proposal, caller)

    async def _propose(self, command: LoadBalancerCommand, caller: Caller) -> OpenProposal | None:
        proposal_id = self._ids.new()
        wish = Propose(
            load_balancer_id=command.load_balancer_id,
            proposal_id=proposal_id,
            command=CODEC.pack(command),
            timeout_s=self._timeout_s + SETTLE_S,
        )
        await self._asks.decide(wish, caller=caller)
        return await self._database.read(lambda connection: proposals.find(connection, proposal_id))

    async def _settle(
        self, command: LoadBalancerCommand, proposal: OpenProposal, caller: Caller, *, refused: str | None = None
    ) -> None:
        settlement = SettleProposal(
            load_balancer_id=command.load_balancer_id,
            proposal_id=proposal.id,
            accepted=refused is None,
            reason=refused or "",
        )
        await self._asks.decide(settlement, caller=caller)

    async def perform(self, command: LoadBalancerCommand) -> None:
        """
        Have the vendor's driver do what a command says.

        Raises:
            Fault: it refused, failed, or did not return in time.
        """
        if isinstance(command, commands.CreateLoadBalancer):
            await self._validate(command)
        before = await self._database.read(lambda connection: wishes.tree(connection, command.load_balancer_id))
        await self._tell(vendor_calls.call(command, before))

    async def undo(self, command: LoadBalancerCommand) -> None:
        """
        Have the vendor's driver delete what a lapsed command may have created.

        Raises:
            Fault: it could not.
        """

        def query(connection: sa.Connection) -> LoadBalancerWish | None:
            return wishes.tree(connection, command.load_balancer_id)

        call = vendor_calls.undoing(command, await self._database.read(query))
        if call is not None:
            await self._tell(call)

    async def _validate(self, command: commands.CreateLoadBalancer) -> None:
        balancer = command.load_balancer
        if balancer.flavor:
            await self.validate_flavor(balancer.flavor)
        if balancer.availability_zone_data:
            await self.validate_availability_zone(vendor_calls.plain(balancer.availability_zone_data))

    async def _tell(self, call: Call) -> None:
        await self._within(lambda driver: getattr(driver, call.method)(*call.arguments), call.method)

    async def create_vip_port(self, wish: ReserveVip, *, caller: Caller) -> VipReservation:
        """Have the driver make the port, or the network service where the driver leaves that to us."""
        own, more = vendor_vips.wished(wish)

        def ask(driver: ProviderDriver) -> Any:
            try:
                return driver.create_vip_port(wish.load_balancer_id, wish.project_id, own, more)
            except UNSUPPORTED:
                return None

        made = await self._within(ask, "create_vip_port")
        if made is None:
            return await self._asks.reserve_vip(wish, caller=caller)
        try:
            return vendor_vips.reservation(made, wish)
        except (KeyError, TypeError, ValueError) as exc:
            raise self._failed(f"its VIP port cannot be read: {exc!r}") from exc

    async def validate_flavor(self, data: Mapping[str, object]) -> None:
        await self._within(lambda driver: driver.validate_flavor(dict(data)), "validate_flavor")

    async def validate_availability_zone(self, data: Mapping[str, object]) -> None:
        await self._within(lambda driver: driver.validate_availability_zone(dict(data)), "validate_availability_zone")

    async def get_supported_flavor_metadata(self) -> Mapping[str, str]:
        found = await self._within(
            lambda driver: driver.get_supported_flavor_metadata(), "get_supported_flavor_metadata"
        )
        return dict(found or {})

    async def get_supported_availability_zone_metadata(self) -> Mapping[str, str]:
        what = "get_supported_availability_zone_metadata"
        return dict(await self._within(lambda driver: driver.get_supported_availability_zone_metadata(), what) or {})

    async def _within(self, ask: Callable[[ProviderDriver], T], what: str) -> T:
        def inside() -> T:
            driver = self._vendor()
            driver.name = self.name
            return ask(driver)

        try:
            return await in_thread(inside, what=f"{self.name} {what}", timeout_s=self._timeout_s)
        except TimeoutError as exc:
            raise DeadlineFault(self.name, self._timeout_s) from exc
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

    def _failed(self, why: str) -> Fault:
        return Fault(500, f"Provider '{self.name}' reports error: {why}")


class DeadlineFault(Fault):
    """The driver has not returned, and what it did is not known."""

    def __init__(self, provider: str, timeout_s: float) -> None:
        super().__init__(
            500,
            f"Provider '{provider}' reports error: it has not answered within {timeout_s:g} s. What it may have"
            " created will be deleted there.",
        )
