"""Actium's own driver: the planner decides, the network service gives addresses. What is in profiles, the planner checks."""

from collections.abc import Mapping

from actium_api.access.callers import Caller
from actium_api.asks import Asks
from actium_api.drivers.driver import Driver
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.provider_options import FLAVOR_OPTIONS, ZONE_OPTIONS


class ActiumDriver(Driver):
    """Serves load balancers by amphorae."""

    def __init__(self, name: str, asks: Asks) -> None:
        super().__init__(name)
        self._asks = asks

    async def carry_out(self, command: LoadBalancerCommand, *, caller: Caller) -> None:
        await self._asks.decide(command, caller=caller)

    async def create_vip_port(self, wish: ReserveVip, *, caller: Caller) -> VipReservation:
        return await self._asks.reserve_vip(wish, caller=caller)

    async def validate_flavor(self, data: Mapping[str, object]) -> None:
        """The planner does, and nobody gets past it."""

    async def validate_availability_zone(self, data: Mapping[str, object]) -> None:
        """The planner does, and nobody gets past it."""

    async def get_supported_flavor_metadata(self) -> Mapping[str, str]:
        return {name: option.description for name, option in FLAVOR_OPTIONS.items()}

    async def get_supported_availability_zone_metadata(self) -> Mapping[str, str]:
        return {name: option.description for name, option in ZONE_OPTIONS.items()}
