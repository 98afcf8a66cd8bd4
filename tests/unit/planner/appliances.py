"""
One appliance and what is around it, all pure: its load balancer, pools, machines that do as the plan says, and time.

Nothing happens by itself: a test has orders followed one by one, all of them (`settle`), or in any order it likes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import builders as a
from actium_planner.deciders import appliance, load_balancer
from actium_planner.deciders.appliance import ApplianceState, Context, Limits, admission
from actium_planner.deciders.appliance.state import AmphoraState
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.plans import Plan
from actium_planner.plans import appliance as plans
from actium_shared.commands.compute import BootAmphora, ConfigureAmphora, DeleteAmphora, FenceAmphora
from actium_shared.commands.network import SettlePorts, SettleRoutes
from actium_shared.commands.planner import (
    ApplianceCommand,
    FailOverLoadBalancer,
    LoadBalancerChanges,
    LoadBalancerCommand,
    UpdateLoadBalancer,
)
from actium_shared.events import health, network, spares
from actium_shared.events.appliance import ApplianceEvent, BundleCut, SpareSought
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import AmphoraId, PortId, SparesId
from actium_shared.message import Event, Order, Rejected
from unit.planner.lives import NOW, after
from unit.planner.news import APPLIANCE, boot_failed, booted, configured, deleted, fenced, lost, ports_settled, refused

LIMITS = Limits()
HOSTS = ("host-1", "host-2", "host-3")
PAIR = {"flavor": {"loadbalancer_topology": "ACTIVE_STANDBY"}}
RENAME = UpdateLoadBalancer(load_balancer_id=a.LB, changes=LoadBalancerChanges(admin_state_up=False))
FAIL_OVER = FailOverLoadBalancer(load_balancer_id=a.LB)


@dataclass
class Around:
    """
    `refuses`: amphorae that take no configuration; `bad`: wishes that none takes; `silent`: those that do nothing any more;
    `learns`: newcomers to a pair begin by learning from their partner.
    """

    wish: LoadBalancerState
    now: datetime = NOW
    state: ApplianceState = field(default_factory=ApplianceState)
    told: list[ApplianceEvent] = field(default_factory=list)
    boots: bool = True
    refuses: set[AmphoraId] = field(default_factory=set)
    bad: set[int] = field(default_factory=set)
    silent: set[AmphoraId] = field(default_factory=set)
    fences: bool = True
    learns: bool = False
    hosts: dict[AmphoraId, str] = field(default_factory=dict)
    runs: dict[AmphoraId, ConfigureAmphora] = field(default_factory=dict)
    over: set[AmphoraId] = field(default_factory=set)
    spares: dict[AmphoraId, str] = field(default_factory=dict)
    searches: list[SpareSought] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    led: set[str] = field(default_factory=set)
    unroutable: str = ""

    # -- deciding

    def context(self) -> Context:
        return Context(wishes={a.LB: self.wish}, now=self.now, limits=LIMITS, spares=self._ready)

    def _ready(self, _pool: SparesId, avoid: tuple[str, ...], _image: str = "") -> AmphoraId | None:
        return min((one for one, host in self.spares.items() if host not in avoid), default=None)

    def tell(self, trigger: Event) -> Sequence[ApplianceEvent]:
        """Have the appliance follow an event, and its load balancer what that leads to."""
        return self._happen(appliance.follow(trigger, self.state, self.context()))

    def admit(self) -> None:
        self._happen(admission.admit(APPLIANCE, self.state, self.wish, self.context(), misfit=None))

    def lapse(self) -> Sequence[ApplianceEvent]:
        return self._happen(appliance.lapse(self.state, self.context()))

    def operate(self, command: ApplianceCommand) -> Sequence[ApplianceEvent] | Rejected:
        decision = appliance.decide(command, self.state, self.context())
        return decision if isinstance(decision, Rejected) else self._happen(decision)

    def ask(self, command: LoadBalancerCommand) -> None:
        """Have the load balancer take a wish, and the appliance follow."""
        decision = load_balancer.decide(command, self.wish, self.now)
        assert not isinstance(decision, Rejected), decision
        self._wish(decision)

    def _happen(self, happened: Sequence[ApplianceEvent]) -> Sequence[ApplianceEvent]:
        self.state = appliance.fold(self.state, happened)
        self.told += happened
        self.searches += [event for event in happened if isinstance(event, SpareSought)]
        self.check()
        for event in happened:
            self._wish(load_balancer.follow(event, self.wish))
        return happened

    def _wish(self, happened: Sequence[LoadBalancerEvent]) -> None:
        self.wish = load_balancer.fold(self.wish, happened)
        for event in happened:
            self.tell(event)

    def check(self) -> None:
        """Whatever happens: never two that may answer for the same address by our word."""
        if self.state.id is None or self.state.is_pair:
            return
        holding = [each.id for each in self.state.amphorae.values() if each.told and (each.serves or each.at_large)]
        assert len(holding) <= 1, holding

    # -- orders

    def plan(self) -> Plan:
        return plans.plan(self.state, {a.LB: self.wish}, LIMITS)

    def orders(self) -> list[Order]:
        """Give what is planned and not done yet."""
        return [order for order in self.plan().orders if order.order_id not in self.done]

    def ordered(self, kind: type[Order]) -> list[str]:
        """Give the targets of all planned orders of one kind."""
        return [order.target for order in self.plan().orders if isinstance(order, kind)]

    def work(self, order: Order) -> None:
        """Have an order followed, and tell of it; what cannot be done yet stays."""
        match order:
            case BootAmphora():
                self._boot(order)
            case ConfigureAmphora() if order.amphora_id in self.hosts and order.amphora_id not in self.silent:
                self._configure(order)
            case FenceAmphora() if self.fences:
                self._ends(order, fenced(order.amphora_id))
            case DeleteAmphora():
                self._ends(order, deleted(order.amphora_id))
            case SettlePorts():
                self.done.add(order.order_id)
                self.tell(ports_settled(order.amphora_id, order.revision))
            case SettleRoutes():
                self.done.add(order.order_id)
                self.route(order)
            case _:
                pass

    def route(self, order: SettleRoutes) -> None:
        """Have the network answer for routes: they lead to as many addresses as there are families."""
        if self.unroutable:
            failed = network.RoutesFailed(appliance_id=APPLIANCE, revision=order.revision, reason=self.unroutable)
            self.tell(failed)
            return
        families = {":" in vip.address: vip for vip in order.vips}
        addresses = tuple(
            network.RoutingAddress(
                address="2001:db8::77" if is_ipv6 else "203.0.113.77",
                prefix_length=vip.prefix_length,
                port_id=PortId(f"routing-{is_ipv6}"),
                subnet_id=vip.subnet_id,
                network_id=vip.network_id,
            )
            for is_ipv6, vip in sorted(families.items())
        )
        settled = network.RoutesSettled(
            appliance_id=APPLIANCE, revision=order.revision, vips=order.vips, routing_addresses=addresses
        )
        self.led = {vip.address for vip in order.vips}
        self.tell(settled)

    def _ends(self, order: FenceAmphora | DeleteAmphora, event: Event) -> None:
        self.done.add(order.order_id)
        self.over.add(order.amphora_id)
        self.runs.pop(order.amphora_id, None)
        self.tell(event)

    def _boot(self, order: BootAmphora) -> None:
        self.done.add(order.order_id)
        live = [each for each in self.state.serving() if each.id in self.hosts]
        taken = {self.hosts[each.id] for each in live if order.group and each.grouped}
        free = [host for host in HOSTS if host not in order.avoid_hosts and host not in taken]
        if not self.boots or not free:
            self.tell(boot_failed(order.amphora_id))
            return
        self.hosts[order.amphora_id] = free[0]
        self.tell(booted(order.amphora_id, free[0]))

    def _configure(self, order: ConfigureAmphora) -> None:
        self.done.add(order.order_id)
        if order.amphora_id in self.over:
            return
        bad = any(wish.generation in self.bad for wish in order.load_balancers)
        if order.amphora_id in self.refuses or bad:
            self.tell(refused(order.amphora_id, order.bundle))
            return
        self.runs[order.amphora_id] = order
        holding = [one for one, runs in self.runs.items() if runs.holds_vips and not self.state.is_pair]
        assert len(holding) <= 1, holding
        self.tell(configured(order))
        amphora = self.state.amphorae.get(order.amphora_id)
        if self.state.is_pair and amphora is not None and amphora.first > 1 and not amphora.word:
            self.says(amphora.id, "LEARNING" if self.learns else "BACKUP")

    def answer(self, search: SpareSought) -> None:
        """Have the pool hand out what it has, or nothing."""
        self.searches.remove(search)
        spare = self._ready(search.spares_id, search.avoid_hosts)
        if spare is None:
            self.tell(
                spares.SpareDenied(
                    spares_id=search.spares_id, appliance_id=APPLIANCE, search=search.search, reason="none is ready"
                )
            )
            return
        host = self.hosts[spare] = self.spares.pop(spare)
        self.tell(
            spares.SpareHandedOut(
                spares_id=search.spares_id,
                amphora_id=spare,
                appliance_id=APPLIANCE,
                search=search.search,
                host=host,
                management_port_id=PortId(f"m-{spare}"),
            )
        )

    def settle(self, *but: type[Order]) -> None:
        """Have everything followed that is ordered, except orders of these kinds, until nothing more comes of it."""
        for _ in range(500):
            todo = [order for order in self.orders() if not isinstance(order, but) and self._can(order)]
            if todo:
                self.work(todo[0])
            elif self.searches:
                self.answer(self.searches[0])
            else:
                return
        raise AssertionError("it never comes to rest")

    def _can(self, order: Order) -> bool:
        match order:
            case ConfigureAmphora():
                return order.amphora_id in self.hosts and order.amphora_id not in self.silent
            case FenceAmphora():
                return self.fences
            case _:
                return True

    # -- what a test does to it

    def member(self, role: str) -> AmphoraState:
        """Give the newest member in this role."""
        found = [each for each in self.state.serving() if each.role == role]
        assert found, role
        return max(found, key=lambda each: each.deadline_at)

    def only(self) -> AmphoraState:
        (member,) = self.state.serving()
        return member

    def lose(self, amphora_id: AmphoraId) -> None:
        self.silent.add(amphora_id)
        self.tell(lost(amphora_id))

    def gone(self, amphora_id: AmphoraId) -> None:
        """Have somebody else delete its machine."""
        self.over.add(amphora_id)
        self.runs.pop(amphora_id, None)
        self.tell(deleted(amphora_id))

    def says(self, amphora_id: AmphoraId, role: str) -> None:
        epoch = self.state.bundle.epoch
        self.tell(health.AmphoraRoleChanged(amphora_id=amphora_id, appliance_id=APPLIANCE, role=role, epoch=epoch))

    def wait(self, seconds: float) -> None:
        """Let time pass and deadlines with it."""
        self.now += timedelta(seconds=seconds)
        for _ in range(20):
            wake_at = self.plan().wake_at
            if wake_at is None or wake_at > self.now:
                return
            self.lapse()
        raise AssertionError(f"a deadline stays over: {self.plan().wake_at}")

    def types(self) -> list[str]:
        return [event.TYPE.removeprefix("appliance.") for event in self.told]

    def cuts(self) -> list[BundleCut]:
        return [event for event in self.told if isinstance(event, BundleCut)]


def born(**fields: object) -> Around:
    """Give an appliance that was just made for its load balancer."""
    around = Around(wish=after(**fields))
    around.admit()
    return around


def at_work(**fields: object) -> Around:
    """Give one that serves."""
    around = born(**fields)
    around.settle()
    assert not around.wish.pending
    for member in around.state.serving():
        if around.state.is_pair:
            around.says(member.id, member.role)
    around.told.clear()
    return around


def configuration(at: Around, amphora_id: AmphoraId) -> ConfigureAmphora:
    """Give what is ordered for an amphora now."""
    (order,) = [o for o in at.plan().orders if isinstance(o, ConfigureAmphora) and o.amphora_id == amphora_id]
    return order


def on(command: type[ApplianceCommand], amphora_id: AmphoraId) -> ApplianceCommand:
    return command(appliance_id=APPLIANCE, amphora_id=amphora_id)


def spare(name: str) -> AmphoraId:
    return AmphoraId(a.an_id(name))


def ids(members: Iterable[AmphoraState]) -> set[AmphoraId]:
    return {member.id for member in members}
