"""Which messages the planner takes: asks of the API, its own commits (aggregates follow each other), foreign commits."""

from collections.abc import Sequence

from actium_planner.decide_and_append import Shell
from actium_planner.deciders import appliance, load_balancer
from actium_planner.deciders.appliance import ApplianceState, Context, Limits
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.placement import place
from actium_planner.planning import Planning
from actium_planner.plans import appliance as appliance_plans
from actium_planner.plans import load_balancer as load_balancer_plans
from actium_planner.states import STREAM, States
from actium_shared.bus import Question
from actium_shared.clock import Clock
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.errors import PermanentError
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraConfigurationRefused,
    AmphoraConfigured,
    AmphoraDeleted,
    AmphoraEvent,
)
from actium_shared.events.appliance import ApplianceEvent, BundleApplied, BundleCut, BundleFailed, LoadBalancerReleased
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.events.network import PortFailed, PortsSettled, VipReleased
from actium_shared.ids import ApplianceId, LoadBalancerId
from actium_shared.message import (
    Accepted,
    ClockCause,
    CommandCause,
    Event,
    EventCause,
    Rejected,
    Reply,
)
from actium_shared.telemetry import correlation_id, span

READS = (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraConfigured,
    AmphoraConfigurationRefused,
    AmphoraDeleted,
    PortFailed,
    PortsSettled,
    VipReleased,
)
"""The foreign events that decisions are made on; a test proves that they exist and fit."""


class Planner:
    """One planner: its states, its shell and its plans."""

    def __init__(self, states: States, shell: Shell, planning: Planning, *, clock: Clock, limits: Limits) -> None:
        self._states, self._shell, self._planning = states, shell, planning
        self._clock, self._limits = clock, limits

    # -- asks

    async def answer(self, question: Question) -> Reply:
        """Decide on a tenant's wish."""
        command = question.command
        if not isinstance(command, LoadBalancerCommand):
            raise PermanentError(f"the planner does not take {command.TYPE}")
        token = correlation_id.set(question.envelope.correlation_id)
        try:
            with span(command.TYPE, traceparent=question.envelope.traceparent):
                outcome = await self._shell.decide(
                    self._states.load_balancers,
                    command.load_balancer_id,
                    lambda state: load_balancer.decide(command, state),
                    cause=CommandCause(command=command, actor=question.envelope.actor),
                    deadline=question.deadline,
                    causation_id=question.envelope.id,
                )
        finally:
            correlation_id.reset(token)
        return outcome if isinstance(outcome, Rejected) else Accepted(position=outcome)

    # -- feeds

    async def own(self, recorded: Recorded) -> None:
        """Have the other aggregates follow a commit of one, then plan anew for what changed."""
        self._states.absorb(recorded)
        if recorded.aggregate == "loadbalancer":
            await self._load_balancer_changed(LoadBalancerId(recorded.aggregate_id), recorded)
        elif recorded.aggregate == "appliance":
            await self._appliance_changed(ApplianceId(recorded.aggregate_id), recorded)

    async def foreign(self, recorded: Recorded) -> None:
        """Have appliances and load balancers follow what compute and the network tell."""
        for appliance_id in sorted(_appliances(recorded.commit.events)):
            await self._follow_appliance(appliance_id, recorded)
        for event in recorded.commit.events:
            if isinstance(event, VipReleased):
                await self._follow_load_balancer(event.load_balancer_id, recorded)

    async def _load_balancer_changed(self, lb_id: LoadBalancerId, recorded: Recorded) -> None:
        state = self._states.load_balancers.get(lb_id).state
        if not state.deleted and not state.withdrawn:
            await self._follow_appliance(state.appliance_id or place(lb_id), recorded, admits=state)
        await self._planning.carry_out(lb_id, load_balancer_plans.plan(state))

    async def _appliance_changed(self, appliance_id: ApplianceId, recorded: Recorded) -> None:
        for lb_id in sorted(_named(recorded.commit.events)):
            await self._follow_load_balancer(lb_id, recorded)
        await self.plan_appliance(appliance_id)

    async def _follow_appliance(
        self, appliance_id: ApplianceId, recorded: Recorded, *, admits: LoadBalancerState | None = None
    ) -> None:
        def decision(state: ApplianceState) -> Sequence[Event]:
            if admits is not None and admits.load_balancer is not None and state.id is None:
                return appliance.admit(appliance_id, state, admits, self._context(state, admits))
            happened: list[ApplianceEvent] = []
            for event in recorded.commit.events:
                happened += appliance.follow(event, appliance.fold(state, happened), self._context(state))
            return happened

        await self._shell.decide(
            self._states.appliances,
            appliance_id,
            decision,
            cause=_because(recorded),
            reads={STREAM: self._states.position},
            causation_id=recorded.envelope.id,
        )

    async def _follow_load_balancer(self, lb_id: LoadBalancerId, recorded: Recorded) -> None:
        def decision(state: LoadBalancerState) -> Sequence[Event]:
            happened: list[LoadBalancerEvent] = []
            for event in recorded.commit.events:
                happened += load_balancer.follow(event, load_balancer.fold(state, happened))
            return happened

        await self._shell.decide(
            self._states.load_balancers,
            lb_id,
            decision,
            cause=_because(recorded),
            causation_id=recorded.envelope.id,
        )

    # -- plans and deadlines

    async def lapse(self, aggregate_id: str) -> None:
        """Decide on an appliance whose deadline is over, and plan anew."""
        now = self._clock.now()
        await self._shell.decide(
            self._states.appliances,
            aggregate_id,
            lambda state: appliance.lapse(state, self._context(state)),
            cause=ClockCause(deadline=now),
            reads={STREAM: self._states.position},
        )
        await self.plan_appliance(ApplianceId(aggregate_id))

    async def plan_appliance(self, appliance_id: ApplianceId) -> None:
        """Carry out what is still to do for one appliance."""
        state = self._states.appliances.get(appliance_id).state
        plan = appliance_plans.plan(state, self._context(state).wishes, self._limits)
        await self._planning.carry_out(appliance_id, plan)

    async def plan_everything(self) -> None:
        """Carry out what is still to do for everything: at start, and when the bus may have lost orders."""
        self._planning.forget_sent()
        for appliance_id, _ in self._states.appliances:
            await self.plan_appliance(ApplianceId(appliance_id))
        for lb_id, held in self._states.load_balancers:
            await self._planning.carry_out(lb_id, load_balancer_plans.plan(held.state))

    def _context(self, state: ApplianceState, *more: LoadBalancerState) -> Context:
        wishes = {lb_id: self._states.load_balancers.get(lb_id).state for lb_id in state.load_balancers}
        wishes |= {wish.load_balancer.id: wish for wish in more if wish.load_balancer is not None}
        return Context(wishes=wishes, now=self._clock.now(), limits=self._limits)


def _because(recorded: Recorded) -> EventCause:
    types = tuple(event.TYPE for event in recorded.commit.events)
    return EventCause(position=recorded.position, event_types=types)


def _appliances(events: Sequence[Event]) -> set[ApplianceId]:
    """Give the appliances that foreign events tell something."""
    return {event.appliance_id for event in events if isinstance(event, AmphoraEvent | PortFailed | PortsSettled)}


def _named(events: Sequence[Event]) -> set[LoadBalancerId]:
    """Give the load balancers that an appliance's events tell something."""
    named: set[LoadBalancerId] = set()
    for event in events:
        if isinstance(event, BundleCut | BundleApplied | BundleFailed):
            named |= set(event.holds)
        elif isinstance(event, LoadBalancerReleased):
            named.add(event.load_balancer_id)
    return named
