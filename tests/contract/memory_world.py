"""The API in this process with the planner's real decisions and its own real projections: no bus, no server, no disk."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self, cast

import httpx
import msgspec

from actium_api import drivers
from actium_api.access import admission
from actium_api.app import application
from actium_api.asks import Asks
from actium_api.read_model.projections import project
from actium_api.read_model.tables import METADATA, POSITIONS
from actium_api.settings import ApiSettings
from actium_planner.deciders import catalogue, load_balancer
from actium_planner.deciders import project as quota
from actium_planner.deciders.catalogue import CatalogueState, InUse
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.deciders.project import ProjectState
from actium_shared.bus import Bus
from actium_shared.clock import SystemClock
from actium_shared.commands.network import ReserveVip, VipReservation
from actium_shared.commands.planner import (
    CatalogueCommand,
    CreateLoadBalancer,
    LoadBalancerCommand,
    ProjectCommand,
)
from actium_shared.events.catalogue import CATALOGUE_ID
from actium_shared.ids import PortId, RandomIds, derived_id
from actium_shared.message import Accepted, Actor, Command, Event, Position, Rejected, Reply
from actium_shared.read_model import Database, Positions
from actium_shared.wishes import LoadBalancer, LoadBalancerWish, Vip
from builders import vip
from unit.api.given import recorded

NOWHERE = Position("EVENTS_PLANNER", 0)


class MemoryServices:
    """
    Answers as the other services would: planner by its own rules, network and compute by yes.

    With `offers_anything` load balancers may name flavors and zones that nobody has made.
    """

    def __init__(self, database: Database, positions: Positions, *, offers_anything: bool) -> None:
        self._database, self._positions, self._offers_anything = database, positions, offers_anything
        self.states: dict[str, LoadBalancerState] = {}
        self._catalogue = CatalogueState()
        self._projects: dict[str, ProjectState] = {}
        self._sequence = 0

    async def ask(self, command: Command, *, actor: Actor, timeout_s: float) -> Reply:
        match command:
            case LoadBalancerCommand():
                return await self._load_balancer(command)
            case CatalogueCommand():
                return await self._about_catalogue(command)
            case ProjectCommand():
                return await self._about_project(command)
            case ReserveVip():
                return _reserved(command)
            case _:
                return Accepted(position=NOWHERE)

    async def _load_balancer(self, command: LoadBalancerCommand) -> Reply:
        state = self.states.get(command.load_balancer_id, LoadBalancerState())
        if isinstance(command, CreateLoadBalancer):
            furnished = self._furnished(command.load_balancer)
            if isinstance(furnished, Rejected):
                return furnished
            command = msgspec.structs.replace(command, load_balancer=furnished)
        decision = load_balancer.decide(command, state, datetime.now(UTC))
        if not isinstance(decision, Rejected):
            self.states[command.load_balancer_id] = load_balancer.fold(state, decision)
        return await self._recorded("loadbalancer", command.load_balancer_id, decision)

    def _furnished(self, wanted: LoadBalancer) -> LoadBalancer | Rejected:
        if self._offers_anything:
            return msgspec.structs.replace(wanted, provider=wanted.provider or "actium")
        return catalogue.furnish(wanted, self._catalogue)

    async def _about_catalogue(self, command: CatalogueCommand) -> Reply:
        decision = catalogue.decide(command, self._catalogue, used=self._in_use())
        if not isinstance(decision, Rejected):
            self._catalogue = catalogue.fold(self._catalogue, decision)
        return await self._recorded("catalogue", CATALOGUE_ID, decision)

    def _in_use(self) -> InUse:
        balancers = [state.load_balancer for state in self.states.values() if state.load_balancer]
        return InUse(
            flavors={each.flavor_id for each in balancers if each.flavor_id},
            zones={each.availability_zone for each in balancers if each.availability_zone},
        )

    async def _about_project(self, command: ProjectCommand) -> Reply:
        state = self._projects.get(command.project_id, ProjectState())
        decision = quota.decide(command, state)
        if not isinstance(decision, Rejected):
            self._projects[command.project_id] = quota.fold(state, decision)
        return await self._recorded("project", command.project_id, decision)

    async def _recorded(self, aggregate: str, aggregate_id: str, decision: Sequence[Event] | Rejected) -> Reply:
        if isinstance(decision, Rejected):
            return decision
        if decision:
            self._sequence += 1
            commit = recorded("planner", aggregate, aggregate_id, decision, sequence=self._sequence)
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

    def __init__(self, settings: ApiSettings | None = None, *, offers_anything: bool = True) -> None:
        self._loop = asyncio.new_event_loop()
        self._database = Database("sqlite://")
        METADATA.create_all(self._database.engine)
        positions = Positions(POSITIONS)
        self._services = MemoryServices(self._database, positions, offers_anything=offers_anything)
        settings = settings or ApiSettings()
        self._authenticator = admission.authenticator(settings, SystemClock())
        app = application(with_facade=False, authenticator=self._authenticator, policy=admission.policy(settings))
        app.state.settings = settings
        app.state.database = self._database
        app.state.ids, app.state.clock = RandomIds(), SystemClock()
        # Of the bus the API uses nothing but asks.
        app.state.asks = Asks(bus=cast("Bus", self._services), positions=positions, clock=SystemClock())
        app.state.drivers = drivers.load(
            app.state.settings, asks=app.state.asks, database=self._database, ids=app.state.ids
        )
        app.state.tenant_secrets = None
        self.caught_up = app.state.caught_up = asyncio.Event()
        self.caught_up.set()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api/v2.0/lbaas")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._client.aclose())
        if self._authenticator is not None:
            self._loop.run_until_complete(self._authenticator.close())
        self._loop.close()
        self._database.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, path, **more))

    def wish(self, load_balancer_id: str) -> LoadBalancerWish:
        """Give what amphorae are asked to serve of it."""
        return self._services.states[load_balancer_id].wish()
