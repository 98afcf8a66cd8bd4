"""Appends the log that a load balancer's life leaves, as the services that own the subjects would."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from actium_shared import streams
from actium_shared.commands.compute import BootAmphora
from actium_shared.commands.network import ReserveVip
from actium_shared.commands.planner import CreateLoadBalancer
from actium_shared.event_store import JetStreamEventStore, commit_envelope
from actium_shared.events.amphora import AmphoraBooted, AmphoraConfigured, AmphoraDeleted
from actium_shared.events.appliance import AmphoraAppointed, ApplianceCreated, BundleCut, LoadBalancerAdmitted
from actium_shared.events.health import OperatingStatusChanged, StatusChange
from actium_shared.events.load_balancer import LoadBalancerCreated, LoadBalancerDeleted, LoadBalancerPlaced, RoundEnded
from actium_shared.events.network import Port, PortCreated, VipReleased, VipReserved
from actium_shared.ids import (
    AmphoraId,
    ApplianceId,
    LoadBalancerId,
    NetworkId,
    PortId,
    ProjectId,
    RandomIds,
    SubnetId,
)
from actium_shared.message import Actor, Cause, ClockCause, CommandCause, Commit, Event, EventCause, Position, WorkCause
from actium_shared.testing.nats_server import NatsServer
from actium_shared.wishes import LoadBalancer, Vip

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACTOR = Actor(user_id="alice", project_id="p1", request_id="req-1")


@dataclass(slots=True)
class Log:
    """The log, open for every owner."""

    stores: dict[str, JetStreamEventStore]
    last: dict[str, int] = field(default_factory=dict)

    async def append(
        self, aggregate: str, aggregate_id: str, *events: Event, cause: Cause | None = None, correlation: str = "c"
    ) -> Position:
        owner = next(owner for owner, theirs in streams.EVENT_OWNERS.items() if aggregate in theirs)
        subject = streams.event_subject(owner, aggregate, aggregate_id)
        commit = Commit(
            id=RandomIds().new(), events=events, cause=cause or ClockCause(deadline=NOW), decided_at=NOW, reads={}
        )
        envelope = commit_envelope(commit, source=owner, correlation_id=correlation)
        expected = self.last.get(subject, 0)
        position = await self.stores[owner].append(subject, commit, expected=expected, envelope=envelope)
        self.last[subject] = position.sequence
        return position


@asynccontextmanager
async def writing(server: NatsServer) -> AsyncIterator[Log]:
    async with AsyncExitStack() as stack:
        buses = {owner: await stack.enter_async_context(server.bus(owner)) for owner in streams.EVENT_OWNERS}
        yield Log({owner: JetStreamEventStore(bus) for owner, bus in buses.items()})


@dataclass(frozen=True, slots=True)
class Life:
    """The ids of one load balancer and of what carries it."""

    load_balancer_id: LoadBalancerId = field(default_factory=lambda: LoadBalancerId(RandomIds().new()))
    appliance_id: ApplianceId = field(default_factory=lambda: ApplianceId(RandomIds().new()))
    amphora_id: AmphoraId = field(default_factory=lambda: AmphoraId(RandomIds().new()))

    @property
    def vip(self) -> Vip:
        return Vip(
            address="203.0.113.100",
            prefix_length=24,
            port_id=PortId("vip-port"),
            subnet_id=SubnetId("subnet"),
            network_id=NetworkId("network"),
        )

    @property
    def load_balancer(self) -> LoadBalancer:
        return LoadBalancer(id=self.load_balancer_id, project_id=ProjectId("p1"), vip=self.vip, name="web")

    async def begin(self, log: Log) -> Position:
        """VIP, creation, appliance: up to where the amphora is appointed."""
        identity, project = self.load_balancer_id, ProjectId("p1")
        reserve = ReserveVip(load_balancer_id=identity, project_id=project)
        await log.append(
            "vip",
            identity,
            VipReserved(load_balancer_id=identity, project_id=project, vip=self.vip),
            cause=CommandCause(command=reserve, actor=ACTOR),
            correlation=identity,
        )
        create = CreateLoadBalancer(load_balancer_id=identity, load_balancer=self.load_balancer)
        created = await log.append(
            "loadbalancer",
            identity,
            LoadBalancerCreated(load_balancer_id=identity, generation=1, load_balancer=self.load_balancer),
            cause=CommandCause(command=create, actor=ACTOR),
            correlation=identity,
        )
        return await log.append(
            "appliance",
            self.appliance_id,
            ApplianceCreated(appliance_id=self.appliance_id, project_id=project, topology="SINGLE", image_tag="v1"),
            LoadBalancerAdmitted(appliance_id=self.appliance_id, load_balancer_id=identity),
            self._appointed(),
            BundleCut(appliance_id=self.appliance_id, bundle=1, holds={identity: 1}, deadline_at=NOW),
            cause=EventCause(position=created, event_types=("loadbalancer.created",)),
            correlation=identity,
        )

    def _appointed(self) -> AmphoraAppointed:
        return AmphoraAppointed(
            appliance_id=self.appliance_id,
            amphora_id=self.amphora_id,
            role="SINGLE",
            attempt=1,
            management_port_id=PortId("management-port"),
            vip_port_id=PortId("vip-port"),
            vip_subnet_id=SubnetId("subnet"),
            deadline_at=NOW,
        )

    async def serve(self, log: Log) -> Position:
        """Ports, boot, configuration, ACTIVE, ONLINE."""
        identity = self.load_balancer_id
        ids = {"amphora_id": self.amphora_id, "appliance_id": self.appliance_id}
        port = Port(
            id=PortId("management-port"),
            network_id=NetworkId("lb-mgmt"),
            subnet_id=SubnetId("lb-mgmt"),
            address="10.250.1.0",
            prefix_length=16,
            mac="02:00:00:00:00:01",
            mtu=1500,
        )
        await log.append("port", self.amphora_id, PortCreated(**ids, port=port), correlation=identity)
        boot = BootAmphora(
            **ids,
            image_tag="v1",
            management_port_id=PortId("management-port"),
            vip_port_id=PortId("vip-port"),
            deadline_s=60,
        )
        await log.append(
            "amphora",
            self.amphora_id,
            AmphoraBooted(
                **ids,
                compute_id=self.amphora_id,
                host="host-1",
                image_tag="v1",
                management_address="10.250.1.0",
                heartbeat_key_version=1,
                certificate_expires_at=NOW,
            ),
            AmphoraConfigured(**ids, bundle=1, digest="d", result="reload", took_ms=12.0),
            cause=WorkCause(order_id=boot.order_id),
            correlation=identity,
        )
        await log.append(
            "loadbalancer",
            identity,
            LoadBalancerPlaced(load_balancer_id=identity, appliance_id=self.appliance_id),
            RoundEnded(load_balancer_id=identity, generation=1),
            correlation=identity,
        )
        change = StatusChange(kind="loadbalancer", id=identity, operating_status="ONLINE")
        return await log.append(
            "health", identity, OperatingStatusChanged(load_balancer_id=identity, changes=(change,))
        )

    async def end(self, log: Log) -> Position:
        identity = self.load_balancer_id
        deleted = AmphoraDeleted(amphora_id=self.amphora_id, appliance_id=self.appliance_id)
        await log.append("amphora", self.amphora_id, deleted, correlation=identity)
        await log.append("vip", identity, VipReleased(load_balancer_id=identity, reason="deleted"))
        return await log.append("loadbalancer", identity, LoadBalancerDeleted(load_balancer_id=identity))
