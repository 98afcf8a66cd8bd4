"""The real API and planner, a bus, and a network and a compute service that do at once what they are told."""

import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from actium_api.main import main as api_main
from actium_api.settings import ApiSettings
from actium_planner.main import main as planner_main
from actium_planner.settings import PlannerSettings
from actium_shared import tasks
from actium_shared.bus import Bus, Question
from actium_shared.commands.compute import (
    BootAmphora,
    CheckSecrets,
    ConfigureAmphora,
    DeleteAmphora,
    FenceAmphora,
    SecretUse,
)
from actium_shared.commands.network import (
    FindNetworkObjects,
    FindSubnet,
    ReleaseVip,
    ReserveVip,
    SettlePorts,
    VipReservation,
)
from actium_shared.event_store import JetStreamEventStore, commit_envelope
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraConfigurationRefused,
    AmphoraConfigured,
    AmphoraDeleted,
    AmphoraFenced,
)
from actium_shared.events.network import Port, PortCreated, PortsSettled, VipReleased, VipReserved
from actium_shared.ids import PortId, derived_id
from actium_shared.message import Accepted, Commit, Event, Order, Position, Reason, Rejected, Reply, WorkCause
from actium_shared.service import Service
from actium_shared.streams import event_subject
from actium_shared.testing.nats_server import NatsServer
from builders import PUBLIC, TENANT, an_id, vip

DEADLINE_S = 20.0
UNKNOWN_SUBNET = an_id("no such subnet")
UNKNOWN_SECRET = "no such secret"


@dataclass
class Writer:
    """Appends one service's commits, knowing each aggregate's last sequence."""

    owner: str
    bus: Bus
    _sequences: dict[str, int] = field(default_factory=dict)

    async def append(self, aggregate: str, aggregate_id: str, *events: Event, order_id: str) -> None:
        subject = event_subject(self.owner, aggregate, aggregate_id)
        commit = Commit(
            id=derived_id("test", self.owner, order_id, *(event.TYPE for event in events)),
            events=events,
            cause=WorkCause(order_id=order_id),
            decided_at=datetime.now(UTC),
        )
        envelope = commit_envelope(commit, source=self.owner, correlation_id="test")
        expected = self._sequences.get(subject, 0)
        position = await JetStreamEventStore(self.bus).append(subject, commit, expected=expected, envelope=envelope)
        self._sequences[subject] = position.sequence


class Fleet:
    """What compute and network would do; a bundle in `refused` is refused by every amphora."""

    def __init__(self, network: Bus, compute: Bus) -> None:
        self._network, self._compute = Writer("network", network), Writer("compute", compute)
        self._booted: set[str] = set()
        self._reserved: dict[str, VipReservation] = {}
        self.refuses = False
        self._at_work = asyncio.Event()
        self._at_work.set()
        self.secrets_asked_for: list[tuple[str, str]] = []

    @contextmanager
    def busy(self) -> Iterator[None]:
        """No amphora takes a configuration meanwhile: what is PENDING stays so."""
        self._at_work.clear()
        try:
            yield
        finally:
            self._at_work.set()

    async def answer(self, question: Question) -> Reply:
        match question.command:
            case ReserveVip(address="203.0.113.66"):
                return Rejected(reason=Reason.CONFLICT, detail="203.0.113.66 is taken", field="vip_address")
            case ReserveVip() as command:
                if command.load_balancer_id not in self._reserved:
                    self._reserved[command.load_balancer_id] = await self._reserve(command)
                return self._reserved[command.load_balancer_id]
            case FindNetworkObjects(security_group_ids=(group_id, *_)):
                return Rejected(reason=Reason.INVALID, detail=f"Security Group {group_id} not found.")
            case CheckSecrets(uses=uses):
                return self._check_secrets(uses)
            case FindSubnet(subnet_id=subnet_id) if subnet_id not in (PUBLIC, TENANT):
                return Rejected(reason=Reason.INVALID, detail=f"Subnet {subnet_id} not found.", field="subnet_id")
            case _:
                return Accepted(position=Position("EVENTS_NETWORK", 0))

    async def _reserve(self, command: ReserveVip) -> VipReservation:
        lb_id = command.load_balancer_id
        own = vip(address=command.address or "203.0.113.100", port_id=PortId(derived_id("vip-port", lb_id)))
        more = tuple(vip(subnet_id=each.subnet_id, address=each.address or "10.1.0.100") for each in command.additional)
        told = VipReserved(load_balancer_id=lb_id, project_id=command.project_id, vip=own, additional_vips=more)
        await self._network.append("vip", lb_id, told, order_id=f"reserve/{lb_id}")
        return VipReservation(vip=own, position=Position("EVENTS_NETWORK", 0), additional_vips=more)

    def _check_secrets(self, uses: Iterable[SecretUse]) -> Reply:
        for use in uses:
            self.secrets_asked_for.append((use.field, use.secret_ref))
            if use.secret_ref == UNKNOWN_SECRET:
                detail = f"{use.field}: there is no secret {use.secret_ref}."
                return Rejected(reason=Reason.INVALID, detail=detail, field=use.field)
        return Accepted(position=Position("EVENTS_COMPUTE", 0))

    async def settle(self, order: Order) -> None:
        assert isinstance(order, SettlePorts)
        created = [
            PortCreated(amphora_id=order.amphora_id, appliance_id=order.appliance_id, port=_port(wish.id))
            for wish in order.ports
        ]
        settled = PortsSettled(amphora_id=order.amphora_id, appliance_id=order.appliance_id, revision=order.revision)
        await self._network.append("port", order.amphora_id, *created, settled, order_id=order.order_id)

    async def release(self, order: Order) -> None:
        assert isinstance(order, ReleaseVip)
        released = VipReleased(load_balancer_id=order.load_balancer_id, reason="deleted")
        await self._network.append("vip", order.load_balancer_id, released, order_id=order.order_id)

    async def boot(self, order: Order) -> None:
        assert isinstance(order, BootAmphora)
        if order.amphora_id not in self._booted:
            await self._compute.append("amphora", order.amphora_id, self._boots(order), order_id=order.order_id)

    def _boots(self, order: BootAmphora | ConfigureAmphora) -> AmphoraBooted:
        self._booted.add(order.amphora_id)
        return AmphoraBooted(
            amphora_id=order.amphora_id,
            appliance_id=order.appliance_id,
            compute_id=an_id("machine"),
            host=f"host-{len(self._booted)}",
            image_tag="default",
            management_address="10.250.1.1",
            heartbeat_key_version=1,
            certificate_expires_at=datetime.now(UTC) + timedelta(days=30),
        )

    async def fence(self, order: Order) -> None:
        assert isinstance(order, FenceAmphora)
        fenced = AmphoraFenced(amphora_id=order.amphora_id, appliance_id=order.appliance_id)
        await self._compute.append("amphora", order.amphora_id, fenced, order_id=order.order_id)

    async def configure(self, order: Order) -> None:
        assert isinstance(order, ConfigureAmphora)
        await self._at_work.wait()
        about: dict[str, Any] = {"amphora_id": order.amphora_id, "appliance_id": order.appliance_id}
        events: list[Event] = []
        if order.amphora_id not in self._booted:
            events.append(self._boots(order))
        if self.refuses:
            events.append(AmphoraConfigurationRefused(**about, bundle=order.bundle, reason="no such keyword"))
        else:
            numbers = {"bundle": order.bundle, "epoch": order.epoch}
            events.append(AmphoraConfigured(**about, **numbers, digest="d", result="reload", took_ms=1.0))
        await self._compute.append("amphora", order.amphora_id, *events, order_id=order.order_id)

    async def delete(self, order: Order) -> None:
        assert isinstance(order, DeleteAmphora)
        deleted = AmphoraDeleted(amphora_id=order.amphora_id, appliance_id=order.appliance_id)
        await self._compute.append("amphora", order.amphora_id, deleted, order_id=order.order_id)


def _port(port_id: PortId) -> Port:
    return Port(
        id=port_id,
        network_id=vip().network_id,
        subnet_id=PUBLIC,
        address="203.0.113.101",
        prefix_length=24,
        mac="02:00:00:00:00:01",
        mtu=1500,
    )


@dataclass
class World:
    client: httpx.AsyncClient
    fleet: Fleet
    api_settings: ApiSettings
    restart_api: Callable[[], Awaitable[None]]

    async def wait_for(self, path: str, status: str, *, field: str = "provisioning_status") -> dict[str, object]:
        """Poll like a client does, until the one resource there has the status, and give it."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                response = await self.client.get(path)
                (document,) = response.json().values()
                if document[field] == status:
                    return dict(document)
                await asyncio.sleep(0.02)

    def change_database(self, statement: str) -> int:
        """Do something to the read model behind the API's back; give how many rows it was done to."""
        path = self.api_settings.database_url.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=10.0)) as connection, connection:
            return connection.execute(statement).rowcount

    async def wait_until_gone(self, path: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while (await self.client.get(path)).status_code != 404:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    nats_server: NatsServer, folder: Path, *, planner: Mapping[str, Any] | None = None, **api: Any
) -> AsyncIterator[World]:
    """Run everything; `api` are settings of the API, `planner` those of the planner."""
    passwords = {}
    for user in ("api", "planner"):
        passwords[user] = folder / user
        passwords[user].write_text(nats_server.password(user))
    api_settings = ApiSettings(
        nats_url=nats_server.url,
        nats_password_file=passwords["api"],
        listen_port=free_port(),
        database_url=f"sqlite:///{folder}/api.sqlite",
        facade=True,
        **api,
    )
    planner_settings = PlannerSettings(
        nats_url=nats_server.url, nats_password_file=passwords["planner"], **(planner or {})
    )
    parts: dict[str, asyncio.Task[None]] = {}
    files = [folder / f"api.sqlite{suffix}" for suffix in ("", "-wal", "-shm")]

    async def restart_api() -> None:
        await tasks.end([parts.pop("api")])
        for file in files:
            file.unlink(missing_ok=True)
        parts["api"] = asyncio.create_task(api_main(api_settings))
        await answers(client)

    async with nats_server.bus("network") as network, nats_server.bus("compute") as compute:
        fleet = Fleet(network, compute)
        await network.serve_asks("network", fleet.answer)
        await compute.serve_asks("compute", fleet.answer)
        services = (Service("network", network), Service("compute", compute))
        services[0].orders({SettlePorts: fleet.settle, ReleaseVip: fleet.release})
        services[1].orders(
            {
                BootAmphora: fleet.boot,
                ConfigureAmphora: fleet.configure,
                FenceAmphora: fleet.fence,
                DeleteAmphora: fleet.delete,
            }
        )
        parts |= {service.name: asyncio.create_task(service.run()) for service in services}
        parts["planner"] = asyncio.create_task(planner_main(planner_settings))
        parts["api"] = asyncio.create_task(api_main(api_settings))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api_settings.listen_port}", timeout=30.0) as client:
            await answers(client)
            try:
                yield World(client=client, fleet=fleet, api_settings=api_settings, restart_api=restart_api)
            finally:
                await tasks.end(list(parts.values()))


async def answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                (await client.get("/")).raise_for_status()
                return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
