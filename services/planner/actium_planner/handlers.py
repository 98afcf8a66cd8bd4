"""Which messages the planner takes: asks of the API, its own commits (aggregates follow each other), foreign commits."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from actium_planner.amphora_facts import AmphoraFacts
from actium_planner.asks import Asks, Site
from actium_planner.concerns import APPLIANCE, LOAD_BALANCER, Concerns, load_balancers_told, vips_released
from actium_planner.courtesy import Courtesy, creates
from actium_planner.decide_and_append import Shell
from actium_planner.deciders import appliance, load_balancer
from actium_planner.deciders.appliance import ApplianceState, Context, Limits, Wishes, admission
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.network_facts import NetworkFacts
from actium_planner.placing import Placing
from actium_planner.planning import Planning, Target
from actium_planner.plans import appliance as appliance_plans
from actium_planner.plans import load_balancer as load_balancer_plans
from actium_planner.pools import SPARES, Pools, because
from actium_planner.rollouts import ROLLOUT, Rollouts, named
from actium_planner.side_by_side import Line, side_by_side
from actium_planner.states import STREAM, States
from actium_shared.bus import Question
from actium_shared.errors import RetryableError
from actium_shared.event_store import Recorded
from actium_shared.events.amphora import (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraCertificateRenewed,
    AmphoraConfigurationRefused,
    AmphoraConfigured,
    AmphoraDeleted,
    AmphoraFenced,
)
from actium_shared.events.appliance import ApplianceEvent, SpareSought
from actium_shared.events.health import AmphoraLost, AmphoraRoleChanged
from actium_shared.events.load_balancer import LoadBalancerCreated, LoadBalancerEvent, RoundFailed
from actium_shared.events.network import (
    NetworkDiscovered,
    NetworkVanished,
    PortFailed,
    PortsSettled,
    RoutesFailed,
    RoutesSettled,
    VipReleased,
    VipReserved,
)
from actium_shared.events.secret import SecretStored
from actium_shared.events.spares import HandedOutSpareLost, SpareDenied, SpareHandedOut
from actium_shared.ids import ApplianceId, LoadBalancerId, RolloutId, SparesId
from actium_shared.message import Accepted, ClockCause, Event, Rejected, Reply
from actium_shared.service import handle_within_request
from actium_shared.telemetry import correlation_id, span

log = logging.getLogger(__name__)

CATALOGUE = "catalogue"

READS = (
    AmphoraBooted,
    AmphoraBootFailed,
    AmphoraCertificateRenewed,
    AmphoraConfigured,
    AmphoraConfigurationRefused,
    AmphoraFenced,
    AmphoraDeleted,
    AmphoraLost,
    AmphoraRoleChanged,
    NetworkDiscovered,
    NetworkVanished,
    PortFailed,
    PortsSettled,
    RoutesFailed,
    RoutesSettled,
    SecretStored,
    VipReleased,
    VipReserved,
)
"""The foreign events that decisions are made on; a test proves that they exist and fit."""


class Planner:
    """One planner: its states, its shell and its plans."""

    def __init__(
        self,
        states: States,
        shell: Shell,
        planning: Planning,
        *,
        limits: Limits,
        caught_up: Callable[[], Awaitable[None]],
        facts: NetworkFacts,
        machines: AmphoraFacts,
        courtesy: Courtesy,
        site: Site | None = None,
    ) -> None:
        self._states, self._shell, self._planning = states, shell, planning
        self._courtesy = courtesy
        self._limits, self._caught_up, self._facts = limits, caught_up, facts
        self._placing = Placing(states, facts)
        self._pools = Pools(states, shell, planning, limits)
        self._concerns = Concerns(states, self._placing, self._pools)
        self._machines = machines
        self._rollouts = Rollouts(states, shell, planning, limits=limits, facts=machines)
        self._asks = Asks(
            states,
            shell,
            site or Site(),
            facts=facts,
            placing=self._placing,
            pools=self._pools,
            rollouts=self._rollouts,
            context=self._context,
        )

    # -- asks

    async def answer(self, question: Question) -> Reply:
        """Have the wish of a tenant or an operator decided."""
        self._courtesy.asked(question.command)
        token = correlation_id.set(question.envelope.correlation_id)
        try:
            with span(question.command.TYPE, traceparent=question.envelope.traceparent):
                outcome = await self._asks.decide(question)
        finally:
            correlation_id.reset(token)
        return outcome if isinstance(outcome, Rejected) else Accepted(position=outcome)

    # -- feeds

    async def own(self, commits: Sequence[Recorded]) -> None:
        """Have the other aggregates follow commits of some, then plan anew for what changed."""
        for recorded in commits:
            self._states.absorb(recorded)
        before = next((place for place, each in enumerate(commits) if creates(each)), len(commits))
        await side_by_side(commits[:before], self._concerns.of_own, self._own_line)
        await self._courtesy.give_way(commits)
        await side_by_side(commits[before:], self._concerns.of_own, self._own_line)

    async def foreign(self, commits: Sequence[Recorded]) -> None:
        """Have appliances, pools of spares and load balancers follow what compute, the network and health tell."""
        for recorded in commits:
            self._facts.absorb(recorded)
            self._machines.absorb(recorded)
            if any(map(self._serves, self._concerns.told(recorded.commit.events))):
                self._courtesy.hurry()
        await side_by_side(commits, self._concerns.of_foreign, self._foreign_line)

    async def _own_line(self, line: Line) -> None:
        """Have each followed; what several are about is planned for once, behind the last of them."""
        newest = {recorded.aggregate_id: recorded for recorded in line}
        for recorded in line:
            is_newest = newest[recorded.aggregate_id] is recorded
            await handle_within_request(recorded, self._followed_and_planned if is_newest else self._followed)

    async def _foreign_line(self, line: Line) -> None:
        for recorded in line:
            await handle_within_request(recorded, self._foreign)

    async def _followed(self, recorded: Recorded) -> None:
        if recorded.aggregate == LOAD_BALANCER:
            await self._load_balancer_changed(LoadBalancerId(recorded.aggregate_id), recorded)
        elif recorded.aggregate == APPLIANCE:
            await self._appliance_changed(ApplianceId(recorded.aggregate_id), recorded)
        elif recorded.aggregate == SPARES:
            await self._pool_changed(SparesId(recorded.aggregate_id), recorded)
        elif recorded.aggregate == CATALOGUE:
            await self._pools.catalogue_changed(recorded)
        elif recorded.aggregate == ROLLOUT:
            await self._rollout_changed(RolloutId(recorded.aggregate_id), recorded)

    async def _followed_and_planned(self, recorded: Recorded) -> None:
        await self._followed(recorded)
        if recorded.aggregate == LOAD_BALANCER:
            await self._plan_load_balancer(LoadBalancerId(recorded.aggregate_id))
        elif recorded.aggregate == APPLIANCE:
            await self._plan_appliance(ApplianceId(recorded.aggregate_id))
        elif recorded.aggregate == SPARES:
            await self._pools.plan(SparesId(recorded.aggregate_id))

    async def _foreign(self, recorded: Recorded) -> None:
        for appliance_id in sorted(self._concerns.told(recorded.commit.events)):
            if self._pools.is_pool(appliance_id):
                await self._pools.follow(SparesId(appliance_id), recorded)
            else:
                await self._follow_appliance(appliance_id, recorded)
        for lb_id in vips_released(recorded.commit.events):
            await self._follow_load_balancer(lb_id, recorded)

    async def _load_balancer_changed(self, lb_id: LoadBalancerId, recorded: Recorded) -> None:
        held = self._states.load_balancers.get(lb_id)
        if held.state.is_ours and not held.state.deleted and not held.state.withdrawn:
            await self._have_carried(lb_id, held.state, recorded)
        if any(isinstance(event, LoadBalancerCreated) for event in recorded.commit.events):
            await self._pools.needed_by(held.state, recorded)
            self._facts.created(lb_id)

    async def _have_carried(self, lb_id: LoadBalancerId, state: LoadBalancerState, recorded: Recorded) -> None:
        """Have its appliance follow its wish; while it has none, ask one after the other for a place."""
        for appliance_id in self._placing.candidates(lb_id, state):
            await self._follow_appliance(appliance_id, recorded, admits=lb_id)
            if state.deleting or self._states.fleet.carrier(lb_id) is not None:
                return
        await self._shell.decide(
            self._states.load_balancers,
            lb_id,
            lambda now_is, _now: self._without_a_place(lb_id, now_is),
            cause=because(recorded),
            reads=lambda _state: self._placing.reads(),
            causation_id=recorded.envelope.id,
        )

    def _without_a_place(self, lb_id: LoadBalancerId, state: LoadBalancerState) -> Sequence[Event]:
        if not state.pending or state.deleting:
            return []
        reason = self._placing.refusal(state)
        return [RoundFailed(load_balancer_id=lb_id, generation=state.generation, reason=reason)]

    async def _appliance_changed(self, appliance_id: ApplianceId, recorded: Recorded) -> None:
        for lb_id in sorted(load_balancers_told(recorded.commit.events)):
            await self._follow_load_balancer(lb_id, recorded)
        for event in recorded.commit.events:
            if isinstance(event, SpareSought):
                await self._pools.follow(event.spares_id, recorded)
        await self._rollouts.fleet_changed(appliance_id, recorded)

    async def _pool_changed(self, spares_id: SparesId, recorded: Recorded) -> None:
        told = (SpareHandedOut, SpareDenied, HandedOutSpareLost)
        answers = [event for event in recorded.commit.events if isinstance(event, told)]
        for appliance_id in sorted({event.appliance_id for event in answers}):
            await self._follow_appliance(appliance_id, recorded)
        await self._rollouts.fleet_changed(ApplianceId(spares_id), recorded)

    async def _rollout_changed(self, rollout_id: RolloutId, recorded: Recorded) -> None:
        for appliance_id in sorted(named(recorded.commit.events)):
            if self._pools.is_pool(appliance_id):
                await self._pools.follow(SparesId(appliance_id), recorded)
            else:
                await self._follow_appliance(appliance_id, recorded)
        await self._rollouts.changed(rollout_id, recorded)

    async def _follow_appliance(
        self, appliance_id: ApplianceId, recorded: Recorded, *, admits: LoadBalancerId | None = None
    ) -> None:
        def decision(state: ApplianceState, now: datetime) -> Sequence[Event]:
            if admits is not None and admits not in state.load_balancers:
                return self._admit(appliance_id, state, admits, now)
            happened: list[ApplianceEvent] = []
            for event in recorded.commit.events:
                happened += appliance.follow(event, appliance.fold(state, happened), self._context(state, now))
            return happened

        carried = self._states.appliances.state(appliance_id).load_balancers
        async with self._placing.turn_apart(carried if admits is None else (*carried, admits)):
            await self._shell.decide(
                self._states.appliances,
                appliance_id,
                decision,
                cause=because(recorded),
                reads=lambda state: self._reads(state, admits),
                causation_id=recorded.envelope.id,
            )

    def _admit(
        self, appliance_id: ApplianceId, state: ApplianceState, lb_id: LoadBalancerId, now: datetime
    ) -> Sequence[Event]:
        wish = self._states.load_balancers.get(lb_id).state
        if wish.load_balancer is None:
            return []
        misfit = self._placing.why_not(state, wish)
        return admission.admit(appliance_id, state, wish, self._context(state, now, lb_id), misfit=misfit)

    async def _follow_load_balancer(self, lb_id: LoadBalancerId, recorded: Recorded) -> None:
        def decision(state: LoadBalancerState, _now: datetime) -> Sequence[Event]:
            happened: list[LoadBalancerEvent] = []
            for event in recorded.commit.events:
                happened += load_balancer.follow(event, load_balancer.fold(state, happened))
            return happened

        await self._shell.decide(
            self._states.load_balancers,
            lb_id,
            decision,
            cause=because(recorded),
            causation_id=recorded.envelope.id,
        )

    # -- plans and deadlines

    async def lapse(self, target: Target) -> None:
        """
        Decide on an aggregate whose time has come, and plan anew.

        What the feeds still bring comes first: a deadline must not overtake the event that was in time.
        """
        self._courtesy.hurry()
        await self._caught_up()
        kind, aggregate_id = target
        if kind == APPLIANCE:
            await self._lapse_appliance(ApplianceId(aggregate_id))
        elif kind == SPARES:
            await self._pools.lapse(SparesId(aggregate_id))
        elif kind == ROLLOUT:
            await self._rollouts.lapse(RolloutId(aggregate_id))
        else:
            await self._lapse_load_balancer(LoadBalancerId(aggregate_id))

    async def _lapse_appliance(self, appliance_id: ApplianceId) -> None:
        held = self._states.appliances.get(appliance_id)
        wishes = self._wishes(held.state)
        over = min(appliance.deadlines(held.state, wishes, self._limits), default=None)
        if over is not None:
            await self._shell.decide(
                self._states.appliances,
                appliance_id,
                lambda state, now: appliance.lapse(state, self._context(state, now)),
                cause=ClockCause(deadline=over),
                reads=self._reads,
            )
        await self._plan_appliance(appliance_id)

    async def _lapse_load_balancer(self, lb_id: LoadBalancerId) -> None:
        held = self._states.load_balancers.get(lb_id)
        over = min(load_balancer.deadlines(held.state), default=None)
        if over is not None:
            await self._shell.decide(
                self._states.load_balancers, lb_id, load_balancer.lapse, cause=ClockCause(deadline=over)
            )
        await self._plan_load_balancer(lb_id)

    async def _plan_appliance(self, appliance_id: ApplianceId) -> None:
        state = self._states.appliances.get(appliance_id).state
        plan = appliance_plans.plan(state, self._wishes(state), self._limits)
        await self._planning.carry_out((APPLIANCE, appliance_id), plan)

    async def _plan_load_balancer(self, lb_id: LoadBalancerId) -> None:
        plan = load_balancer_plans.plan(self._states.load_balancers.state(lb_id))
        await self._planning.carry_out((LOAD_BALANCER, lb_id), plan)

    async def plan_everything(self) -> None:
        """
        Carry out what is still to do for everything: at start, and when the bus may have lost orders.

        Raises:
            RetryableError: not all orders could be sent.
        """
        self._planning.forget_sent()
        await self._pools.settings_changed(self._shell.clock.now())
        await self._pools.plan_all(self._plan_one)
        for appliance_id, _ in self._states.appliances:
            await self._plan_one(appliance_id, self._plan_appliance(ApplianceId(appliance_id)))
        for lb_id, _ in self._states.load_balancers:
            await self._plan_one(lb_id, self._plan_load_balancer(LoadBalancerId(lb_id)))
        await self._rollouts.plan_all(self._plan_one)

    async def _plan_one(self, aggregate_id: str, planned: Awaitable[None]) -> None:
        try:
            await planned
        except RetryableError:
            raise
        except Exception:  # one that cannot be planned must not hold up the others
            self._planning.faults += 1
            log.exception("cannot plan", extra={"target": aggregate_id})

    # -- what decisions look at

    def _serves(self, appliance_id: ApplianceId) -> bool:
        """Tell whether a load balancer that was ACTIVE once is carried by it."""
        carried = self._states.appliances.state(appliance_id).load_balancers
        return any(self._states.load_balancers.state(lb_id).ended for lb_id in carried)

    def _wishes(self, state: ApplianceState, *more: LoadBalancerId) -> Wishes:
        return {lb_id: self._states.load_balancers.get(lb_id).state for lb_id in (*state.load_balancers, *more)}

    def _context(self, state: ApplianceState, now: datetime, *more: LoadBalancerId) -> Context:
        return Context(
            wishes=self._wishes(state, *more),
            now=now,
            limits=self._limits,
            spares=lambda pool, avoid, image: self._states.spares.state(pool).ready(avoid, image),
            shunned_hosts=self._placing.avoid((*state.load_balancers, *more)),
        )

    def _reads(self, state: ApplianceState, admits: LoadBalancerId | None = None) -> Mapping[str, int]:
        """Give how far the log contains the wishes that a decision on the appliance looks at."""
        if admits is not None:
            return self._placing.reads()
        looked_at = state.load_balancers
        return {STREAM: max((self._states.load_balancers.get(lb_id).sequence for lb_id in looked_at), default=0)}
