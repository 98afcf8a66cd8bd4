"""The API in this process with the planner's real decisions and its own real projections: no bus, no server, no disk."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Self, cast

import httpx

from actium_api.app import application
from actium_api.asks import Asks
from actium_api.read_model.projections import project
from actium_api.read_model.tables import METADATA, POSITIONS
from actium_api.settings import ApiSettings
from actium_planner.deciders import load_balancer
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.ids import PortId, RandomIds, derived_id
from actium_shared.message import Accepted, Actor, Command, Position, Rejected, Reply
from actium_shared.read_model import Database, Positions
from actium_shared.wishes import Vip
from builders import vip
from unit.api.given import recorded

NOWHERE = Position("EVENTS_PLANNER", 0)


class MemoryServices:
    """Answers as the other services would: planner by its own rules, network and compute by yes."""

    def __init__(self, database: Database, positions: Positions) -> None:
        self._database, self._positions = database, positions
        self._states: dict[str, LoadBalancerState] = {}
        self._sequence = 0

    async def ask(self, command: Command, *, actor: Actor, timeout_s: float) -> Reply:
        match command:
            case LoadBalancerCommand():
                return await self._decide(command)
            case ReserveVip():
                return _reserved(command)
            case _:
                return Accepted(position=NOWHERE)

    async def _decide(self, command: LoadBalancerCommand) -> Reply:
        state = self._states.get(command.load_balancer_id, LoadBalancerState())
        decision = load_balancer.decide(command, state, datetime.now(UTC))
        if isinstance(decision, Rejected):
            return decision
        if decision:
            self._states[command.load_balancer_id] = load_balancer.fold(state, decision)
            self._sequence += 1
            commit = recorded("planner", "loadbalancer", command.load_balancer_id, decision, sequence=self._sequence)
            await self._database.write(lambda connection: project(connection, [commit], self._positions))
            await self._positions.announce([commit.position])
        return Accepted(position=Position("EVENTS_PLANNER", self._sequence))


def _reserved(command: ReserveVip) -> VipReservation:
    """Give whatever is asked for, and the public subnet for the rest."""
    own = {
        "address": command.address,
        "port_id": command.port_id or PortId(derived_id("vip-port", command.load_balancer_id)),
        "subnet_id": command.subnet_id,
        "network_id": command.network_id,
    }
    additional = [
        {"subnet_id": each.subnet_id, "address": each.address, "port_id": each.port_id} for each in command.additional
    ]
    return VipReservation(vip=_vip(own), position=NOWHERE, additional_vips=tuple(_vip(each) for each in additional))


def _vip(wanted: dict[str, Any]) -> Vip:
    return vip(**{name: value for name, value in wanted.items() if value is not None})


class MemoryWorld:
    """The API as a plain function of requests."""

    def __init__(self, settings: ApiSettings | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._database = Database("sqlite://")
        METADATA.create_all(self._database.engine)
        positions = Positions(POSITIONS)
        services = MemoryServices(self._database, positions)
        app = application(with_facade=False)
        app.state.settings = settings or ApiSettings()
        app.state.database = self._database
        app.state.ids, app.state.clock = RandomIds(), SystemClock()
        # Of the bus the API uses nothing but asks.
        app.state.asks = Asks(bus=cast("Bus", services), positions=positions, clock=SystemClock())
        app.state.caught_up = asyncio.Event()
        app.state.caught_up.set()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api/v2.0/lbaas")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()
        self._database.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, path, **more))
