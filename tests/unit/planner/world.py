"""A planner in a world of memory: its real shell and plans, a log in memory, and machines that do as they are told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from actium_planner.amphora_facts import AmphoraFacts
from actium_planner.asks import Site
from actium_planner.courtesy import Courtesy
from actium_planner.deciders.appliance import ApplianceState, Limits
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.handlers import Planner
from actium_planner.network_facts import NetworkFacts
from actium_planner.placement import place
from actium_planner.planning import Planning
from actium_planner.states import States
from actium_shared import streams
from actium_shared.bus import Question
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.commands.network import PortWish, ReleaseVip, SettlePorts, SettleRoutes
from actium_shared.commands.planner import CreateLoadBalancer
from actium_shared.envelope import CALLERS_ID, Envelope
from actium_shared.errors import RetryableError
from actium_shared.event_store import Recorded, commit_envelope
from actium_shared.events import network
from actium_shared.ids import AmphoraId, LoadBalancerId, PortId
from actium_shared.message import Command, Commit, Event, Order, Reply, WorkCause
from actium_shared.testing.memory_event_store import MemoryEventStore
from builders import LB
from unit.planner import news
from unit.planner.in_order import InOrder, Noted, Offered

SETTLES_WITHIN = 300
START = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class SlowStore(MemoryEventStore):
    """Lets others have their turn before each append."""

    async def append(self, *words: object, **more: object) -> object:  # type: ignore[override]
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().append(*words, **more)  # type: ignore[arg-type]


class CountingIds:
    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"id-{self.count}"


@dataclass
class World:
    """
    `boots`, `accepts`: whether machines boot and take configurations; orders wait in `orders` until `settle`. `dry` are
    subnets without addresses, `unroutable` VIPs that no router takes. So many commits are handled `together`, the feeds
    one after the other or, as in a service, `at_once`.
    """

    boots: bool = True
    accepts: bool = True
    works: bool = True
    port_fails: bool = False
    dry: set[str] = field(default_factory=set)
    unroutable: set[str] = field(default_factory=set)
    settled: dict[str, int] = field(default_factory=dict)
    missing_ports: set[str] = field(default_factory=set)
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    clock: HandClock = field(default_factory=HandClock)
    orders: list[Order] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    configured: dict[str, ConfigureAmphora] = field(default_factory=dict)
    booted: set[str] = field(default_factory=set)
    hosts: tuple[str, ...] = ("host-1", "host-2", "host-3")
    machines: dict[str, tuple[str, BootAmphora]] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    led: dict[str, str] = field(default_factory=dict)
    together: int = 32
    at_once: bool = False
    site: Site = field(default_factory=Site)
    limits: Limits = field(default_factory=Limits)
    reserves: bool = True
    refuses: Callable[[ConfigureAmphora], bool] = lambda _order: False
    blames: Callable[[ConfigureAmphora], tuple[LoadBalancerId, ...]] = lambda _order: ()

    def __post_init__(self) -> None:
        self.ids = CountingIds()
        self.offered = Offered(set)
        self.start()

    def start(self) -> None:
        """Start the planner, or start it again after a crash: what was in memory is gone."""
        self.states = States()
        self.planning = Planning(self, self.clock)
        self.machines_known = AmphoraFacts(self.store)
        shell = InOrder(self.store, self.clock, self.ids, offered=self.offered)
        self.planner = Planner(
            self.states,
            shell,
            self.planning,
            limits=self.limits,
            caught_up=self._caught_up,
            facts=NetworkFacts(self.store),
            machines=self.machines_known,
            courtesy=Courtesy(self.clock),
            site=self.site,
        )
        self.planner._concerns = Noted(self.states, self.planner._placing, self.planner._pools, shell.told)
        self.turns = {owner: asyncio.Lock() for owner in streams.FEEDS["planner"]}

    async def restart(self) -> None:
        self.start()
        await self.states.load(self.store)
        await self.machines_known.load()
        await self.planner.plan_everything()

    async def send_order(self, order: Order) -> None:
        self.orders.append(order)

    async def ask(self, command: Command, *, name: str | None = None) -> Reply:
        """Ask as the API does; with a name as those who make ids themselves."""
        if isinstance(command, CreateLoadBalancer) and self.reserves:
            await self.reserve(command)
        envelope = Envelope(
            id=self.ids.new() if name is None else f"{CALLERS_ID}{name}",
            type=command.TYPE,
            version=1,
            source="t",
            time=self.clock.now(),
            correlation_id="c",
        )
        return await self.planner.answer(Question(command=command, envelope=envelope, deadline=1e9))

    async def reserve(self, command: CreateLoadBalancer) -> None:
        """Have the network service keep the addresses first, as the API does."""
        wish = command.load_balancer
        reserved = network.VipReserved(
            load_balancer_id=command.load_balancer_id,
            project_id=wish.project_id,
            vip=wish.vip,
            additional_vips=wish.additional_vips,
        )
        await self.happened("vip", command.load_balancer_id, reserved)

    async def release(self, lb_id: LoadBalancerId) -> None:
        """Have the network service give up a reservation that nobody came for."""
        await self.happened("vip", lb_id, network.VipReleased(load_balancer_id=lb_id, reason="lapsed"))

    def load_balancer(self, lb_id: LoadBalancerId) -> LoadBalancerState:
        return self.states.load_balancers.get(lb_id).state

    def appliance(self, lb_id: LoadBalancerId) -> ApplianceState:
        return self.states.appliances.get(place(lb_id)).state

    async def settle(self) -> None:
        """Let everything happen until nothing more does."""
        for _ in range(SETTLES_WITHIN):
            if not await self.turn():
                return
        raise AssertionError("it never comes to rest")

    async def turn(self) -> bool:
        """Let the feeds be read once, and the orders be followed that are there then."""
        moved = await self._feed()
        return (await self._work() or moved) if self.works else moved

    async def unread(self) -> list[Recorded]:
        """Give the planner's own commits that it has not come to yet."""
        stream = streams.events_of("planner")
        return [item async for item in self.store.read(stream, after=self.read.get(stream, 0))]

    async def step(self) -> bool:
        """Let one feed round happen, without work."""
        return await self._feed()

    async def lapse(self, seconds: float) -> None:
        """Let time pass, and deadlines with it: as the planner's own loop does, whatever it is armed for."""
        self.clock.time += timedelta(seconds=seconds)
        for target in self.planning.targets_due():
            await self.planner.lapse(target)
        await self.settle()

    async def _caught_up(self) -> None:
        await self._feed()

    async def _feed(self) -> bool:
        if self.at_once:
            return any(await asyncio.gather(*map(self._read, streams.FEEDS["planner"])))
        return any([await self._read(owner) for owner in streams.FEEDS["planner"]])

    async def _read(self, owner: str) -> bool:
        """Have all handled that stands on a stream now; a service has one reader for each."""
        stream, moved = streams.events_of(owner), False
        handler = self.planner.own if owner == "planner" else self.planner.foreign
        async with self.turns[owner]:
            waiting = [recorded async for recorded in self.store.read(stream, after=self.read.get(stream, 0))]
            for start in range(0, len(waiting), self.together):
                commits = waiting[start : start + self.together]
                await self._insist(commits, handler)
                self.read[stream] = commits[-1].position.sequence
                moved = True
        return moved

    async def _insist(
        self, commits: Sequence[Recorded], handler: Callable[[Sequence[Recorded]], Awaitable[None]]
    ) -> None:
        """Do as a service does where the log does not answer: what was to be handled together is handled one by one."""
        try:
            await handler(commits)
        except RetryableError:
            for recorded in commits:
                await self._insist([recorded], handler)

    async def _work(self) -> bool:
        orders, self.orders = self.orders, []
        moved = False
        for order in orders:
            if order.order_id not in self.done:
                self.done.add(order.order_id)
                moved = True
                await self._do(order)
        return moved

    async def _do(self, order: Order) -> None:
        match order:
            case BootAmphora() if self.missing_ports & {order.management_port_id, order.vip_port_id}:
                pass  # compute waits for the ports
            case BootAmphora() if self.boots and (host := self._host(order)):
                self.booted.add(order.amphora_id)
                self.machines[order.amphora_id] = (host, order)
                booted = news.booted(order.amphora_id, host, appliance_id=order.appliance_id, image_tag=order.image_tag)
                await self._happened("amphora", order.amphora_id, order, booted)
            case BootAmphora():
                failed = news.boot_failed(order.amphora_id, appliance_id=order.appliance_id)
                await self._happened("amphora", order.amphora_id, order, failed)
            case ConfigureAmphora() if order.amphora_id not in self.booted:
                pass
            case ConfigureAmphora() if self.missing_ports & set(order.member_ports.values()):
                pass  # compute waits for the port
            case ConfigureAmphora():
                await self._happened("amphora", order.amphora_id, order, self._configure(order))
            case FenceAmphora():
                fenced = news.fenced(order.amphora_id, appliance_id=order.appliance_id)
                await self._happened("amphora", order.amphora_id, order, fenced)
            case DeleteAmphora():
                self.machines.pop(order.amphora_id, None)
                gone = news.deleted(order.amphora_id, appliance_id=order.appliance_id)
                self.configured.pop(order.amphora_id, None)
                await self._happened("amphora", order.amphora_id, order, gone)
            case SettlePorts() if order.revision <= self.settled.get(order.amphora_id, 0):
                pass  # answered already: the network service drops it
            case SettlePorts() if port := self._failing(order):
                self.settled[order.amphora_id] = order.revision
                failed_port = news.port_failed(order.amphora_id, port.id, appliance_id=order.appliance_id)
                self.missing_ports.add(port.id)
                await self._happened("port", order.amphora_id, order, failed_port)
            case SettlePorts():
                self.settled[order.amphora_id] = order.revision
                self.missing_ports -= {port.id for port in order.ports}
                settled = news.ports_settled(order.amphora_id, order.revision, appliance_id=order.appliance_id)
                await self._happened("port", order.amphora_id, order, settled)
            case SettleRoutes():
                await self._happened("route", order.appliance_id, order, self._route(order))
            case ReleaseVip():
                released = network.VipReleased(load_balancer_id=order.load_balancer_id, reason="deleted")
                await self._happened("vip", order.load_balancer_id, order, released)

    def _failing(self, order: SettlePorts) -> PortWish | None:
        if self.port_fails:
            return order.ports[-1] if order.ports else None
        return next((port for port in order.ports if port.subnet_id in self.dry), None)

    def _route(self, order: SettleRoutes) -> Event:
        if self.unroutable & {vip.address for vip in order.vips}:
            return network.RoutesFailed(appliance_id=order.appliance_id, revision=order.revision, reason="no router")
        self.led = {vip: via for vip, via in self.led.items() if via != order.appliance_id}
        self.led |= {vip.address: order.appliance_id for vip in order.vips}
        addresses = [
            network.RoutingAddress(
                address="203.0.113.77",
                prefix_length=24,
                port_id=PortId("routing"),
                subnet_id=vip.subnet_id,
                network_id=vip.network_id,
            )
            for vip in order.vips[:1]
        ]
        return network.RoutesSettled(
            appliance_id=order.appliance_id,
            revision=order.revision,
            vips=order.vips,
            routing_addresses=tuple(addresses),
        )

    def _host(self, order: BootAmphora) -> str | None:
        """Give the host that it goes to, as compute would: what is hard holds, what is soft if it can."""
        others = list(self.machines.values())
        grouped = {host for host, other in others if order.group and other.group == order.group}
        allowed = [host for host in self.hosts if host not in {*order.avoid_hosts, *grouped}]
        spread = {host for host, other in others if order.spread and other.spread == order.spread}
        better = [host for host in allowed if host not in {*order.prefer_not_hosts, *spread}]
        load = [host for host, _ in others]
        return min(better or allowed, key=load.count, default=None)

    def _configure(self, order: ConfigureAmphora) -> Event:
        if not self.accepts or self.refuses(order):
            return news.refused(
                order.amphora_id,
                order.bundle,
                appliance_id=order.appliance_id,
                load_balancer_ids=self.blames(order),
            )
        self.configured[order.amphora_id] = order
        return news.configured(order)

    async def boot_fails(self, amphora_id: str) -> None:
        """Have compute say that an amphora, which ran, does not come back."""
        order = BootAmphora(
            amphora_id=AmphoraId(amphora_id),
            appliance_id=place(LB),
            image_tag="default",
            management_port_id=PortId("m"),
            vip_port_id=PortId("v"),
            deadline_s=1.0,
        )
        failed = news.boot_failed(order.amphora_id, appliance_id=order.appliance_id, reason="the host is gone")
        self.booted.discard(amphora_id)
        await self._happened("amphora", amphora_id, order, failed)

    async def lost(self, amphora_id: str) -> None:
        """Have health judge an amphora lost; it is told under the id that its order to boot had."""
        order = self.machines.pop(amphora_id)[1]
        self.booted.discard(amphora_id)
        lost = news.lost(order.amphora_id, appliance_id=order.appliance_id, last_heard_at=self.clock.now())
        await self.happened("liveness", amphora_id, lost)

    async def _happened(self, kind: str, target: str, order: Order, event: Event) -> None:
        await self.happened(kind, target, event, order_id=order.order_id)

    async def happened(self, kind: str, target: str, event: Event, *, order_id: str = "") -> None:
        """Have another service put an event on the log."""
        owner = next(owner for owner, kinds in streams.EVENT_OWNERS.items() if kind in kinds)
        subject = streams.event_subject(owner, kind, target)
        commit = Commit(
            id=self.ids.new(), events=(event,), cause=WorkCause(order_id=order_id), decided_at=self.clock.now()
        )
        last = [item async for item in self.store.read(streams.events_of(owner), after=0, subjects=(subject,))]
        expected = last[-1].position.sequence if last else 0
        envelope = commit_envelope(commit, source=owner, correlation_id="c")
        # Whatever a test does to the planner's appends, others' are well.
        await MemoryEventStore.append(self.store, subject, commit, expected=expected, envelope=envelope)
