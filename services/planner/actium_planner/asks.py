"""What is asked of the planner: which aggregate decides, and what the decision looks at besides that aggregate."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from msgspec.structs import replace

from actium_planner.child_ids import ChildIds
from actium_planner.decide_and_append import Shell
from actium_planner.deciders import appliance, catalogue, load_balancer, project
from actium_planner.deciders.appliance import ApplianceState, Context
from actium_planner.deciders.catalogue import InUse
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.network_facts import NetworkFacts
from actium_planner.placing import Placing
from actium_planner.pools import Pools
from actium_planner.rollouts import Rollouts
from actium_planner.states import STREAM, States
from actium_planner.validation import new_load_balancer
from actium_shared.bus import Question
from actium_shared.codec import CODEC
from actium_shared.commands.planner import (
    ApplianceCommand,
    CatalogueCommand,
    CreateLoadBalancer,
    LoadBalancerCommand,
    ProjectCommand,
    Propose,
    RolloutCommand,
)
from actium_shared.envelope import CALLERS_ID
from actium_shared.errors import PermanentError
from actium_shared.events.catalogue import CATALOGUE_ID
from actium_shared.events.load_balancer import LoadBalancerEvent
from actium_shared.ids import ProjectId
from actium_shared.message import CommandCause, Position, Rejected
from actium_shared.provider_options import PROVIDERS, is_ours
from actium_shared.quotas import RESOURCES, UNLIMITED
from actium_shared.wishes import LoadBalancer

NO_LIMITS: Mapping[str, int] = dict.fromkeys(RESOURCES, UNLIMITED)

Decision = Sequence[LoadBalancerEvent] | Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the site's operator settled for all: `quota` holds for projects without their own; which `providers` are enabled."""

    quota: Mapping[str, int] = field(default_factory=lambda: NO_LIMITS)
    strict_immutability: bool = False
    providers: Collection[str] = field(default_factory=lambda: PROVIDERS)


class Asks:
    """Has the right aggregate decide on each wish."""

    def __init__(
        self,
        states: States,
        shell: Shell,
        site: Site,
        *,
        facts: NetworkFacts,
        placing: Placing,
        pools: Pools,
        rollouts: Rollouts,
        context: Callable[[ApplianceState, datetime], Context],
    ) -> None:
        self._states, self._shell, self._site = states, shell, site
        self._facts, self._placing, self._pools, self._rollouts = facts, placing, pools, rollouts
        self._context = context
        self._child_ids = ChildIds(states.load_balancers)
        self._choosing: list[LoadBalancer] = []

    async def decide(self, question: Question) -> Position | Rejected:
        """
        Give where the outcome stands on the log, or why nothing may happen.

        Raises:
            PermanentError: the command is not the planner's.
            RetryableError: the log does not answer; the outcome is unknown.
        """
        match question.command:
            case CreateLoadBalancer(load_balancer=balancer) as command:
                refusal = await self._refuse_new(command)
                if refusal is not None:
                    return refusal
                async with self._chosen(balancer):
                    return await self._load_balancer(command, question)
            case Propose() as command:
                return await self._proposal(command, question)
            case LoadBalancerCommand() as command:
                return await self._load_balancer(command, question)
            case ApplianceCommand() as command if self._pools.is_pool(command.appliance_id):
                return await self._pools.decide(command, **_asked(question))
            case ApplianceCommand() as command:
                return await self._appliance(command, question)
            case RolloutCommand() as command:
                return await self._rollouts.decide(command, **_asked(question))
            case ProjectCommand() as command:
                return await self._project(command, question)
            case CatalogueCommand() as command:
                return await self._catalogue(command, question)
            case command:
                raise PermanentError(f"the planner does not take {command.TYPE}")

    async def _proposal(self, command: Propose, question: Question) -> Position | Rejected:
        wish = load_balancer.unpacked(command)
        if isinstance(wish, CreateLoadBalancer):
            async with self._chosen(wish.load_balancer):
                return await self._load_balancer(command, question)
        return await self._load_balancer(command, question)

    async def _refuse_new(self, command: CreateLoadBalancer) -> Rejected | None:
        """Give the refusal where what is to be created could be no load balancer of ours; one that is there is not asked."""
        state, provider = self._states.load_balancers.state(command.load_balancer_id), command.load_balancer.provider
        known = state.load_balancer is not None or state.deleted
        if known or (provider and not is_ours(provider)):
            return None
        if new_load_balancer.refuse(command.load_balancer, self._facts.reservation(command.load_balancer_id)) is None:
            return None
        reserved = await self._facts.look_up(command.load_balancer_id)  # the ask may have overtaken the feed
        return new_load_balancer.refuse(command.load_balancer, reserved)

    async def _project(self, command: ProjectCommand, question: Question) -> Position | Rejected:
        return await self._shell.decide(
            self._states.projects,
            command.project_id,
            lambda state, _now: project.decide(command, state),
            **_asked(question),
        )

    async def _catalogue(self, command: CatalogueCommand, question: Question) -> Position | Rejected:
        return await self._shell.decide(
            self._states.catalogues,
            CATALOGUE_ID,
            lambda state, _now: catalogue.decide(command, state, used=self._in_use(), providers=self._site.providers),
            reads=lambda _state: {STREAM: self._states.load_balancers.newest},
            **_asked(question),
        )

    async def _appliance(self, command: ApplianceCommand, question: Question) -> Position | Rejected:
        return await self._shell.decide(
            self._states.appliances,
            command.appliance_id,
            lambda state, now: appliance.decide(command, state, self._context(state, now)),
            reads=lambda _state: {STREAM: self._states.load_balancers.newest},
            **_asked(question),
        )

    async def _load_balancer(self, command: LoadBalancerCommand, question: Question) -> Position | Rejected:
        if not question.envelope.id.startswith(CALLERS_ID):
            return await self._decided(command, question)
        with self._child_ids.claimed(command) as refusal:
            return await self._decided(command, question, refusal)

    async def _decided(
        self, command: LoadBalancerCommand, question: Question, refusal: Rejected | None = None
    ) -> Position | Rejected:
        """Decide, or give the refusal: to a command that was not accepted before."""
        async with self._placing.turn(command, self._states.load_balancers.state(command.load_balancer_id)):
            return await self._shell.decide(
                self._states.load_balancers,
                command.load_balancer_id,
                lambda state, now: refusal or self._decide(command, state, now),
                reads=lambda state: self._reads(command, state),
                **_asked(question),
            )

    def _decide(self, command: LoadBalancerCommand, state: LoadBalancerState, now: datetime) -> Decision:
        furnished = self._furnished(command, state)
        if isinstance(furnished, Rejected):
            return furnished
        decision = load_balancer.decide(furnished, state, now, strict=self._site.strict_immutability)
        return self._within_quota(command, state, self._placing.judged(state, decision), now)

    def _furnished(self, command: LoadBalancerCommand, state: LoadBalancerState) -> LoadBalancerCommand | Rejected:
        """Give the wish with what a new load balancer takes from the catalogue."""
        if state.load_balancer is not None or state.deleted:
            return command
        if isinstance(command, Propose):
            wish = load_balancer.unpacked(command)
            furnished = wish if isinstance(wish, Rejected) else self._furnished(wish, state)
            return furnished if isinstance(furnished, Rejected) else replace(command, command=CODEC.pack(furnished))
        if not isinstance(command, CreateLoadBalancer):
            return command
        balancer = catalogue.furnish(
            command.load_balancer,
            self._states.catalogue.state,
            providers=self._site.providers,
            is_routed=self._facts.is_routed(command.load_balancer.vip.network_id),
        )
        return balancer if isinstance(balancer, Rejected) else replace(command, load_balancer=balancer)

    # -- quota

    def _within_quota(
        self, command: LoadBalancerCommand, state: LoadBalancerState, decision: Decision, now: datetime
    ) -> Decision:
        """Give the decision, or the refusal where the project may not grow so; nothing is counted where nothing is limited."""
        project_id = _project(command, state)
        if isinstance(decision, Rejected) or not decision or project_id is None:
            return decision
        limits = self._limits(project_id)
        if limits == NO_LIMITS:
            return decision
        lb_id, usage = command.load_balancer_id, self._states.usage
        more = project.growth(state, load_balancer.fold(state, decision))
        used = usage.of(project_id, but_promised_to=lb_id, now=now)
        refusal = project.refusal(project_id, limits=limits, used=used, more=more)
        if refusal is None:
            usage.promise(project_id, lb_id, more, now=now)
        return refusal or decision

    def _limits(self, project_id: ProjectId) -> Mapping[str, int]:
        return {**self._site.quota, **self._states.projects.state(project_id).limits}

    # -- flavors and zones

    @asynccontextmanager
    async def _chosen(self, balancer: LoadBalancer) -> AsyncIterator[None]:
        """
        Keep flavor and zone from being deleted until the load balancer that names them is on the log.

        A change of the catalogue that is on its way there is waited for.
        """
        if balancer.flavor_id is None and balancer.availability_zone is None:
            yield
            return
        async with self._states.catalogues.locked(CATALOGUE_ID):
            self._choosing.append(balancer)
        try:
            yield
        finally:
            self._choosing.remove(balancer)

    def _in_use(self) -> InUse:
        usage = self._states.usage
        flavors = {each.flavor_id for each in self._choosing if each.flavor_id is not None}
        zones = {each.availability_zone for each in self._choosing if each.availability_zone is not None}
        return InUse(flavors=flavors.union(usage.flavors), zones=zones.union(usage.zones))

    def _reads(self, command: LoadBalancerCommand, state: LoadBalancerState) -> Mapping[str, int]:
        """Give how far the log contains what the decision looked at besides the load balancer; nothing for most."""
        looked_at: list[int] = []
        wish = load_balancer.unpacked(command) if isinstance(command, Propose) else command
        if isinstance(wish, CreateLoadBalancer) and (
            wish.load_balancer.flavor_id or wish.load_balancer.availability_zone
        ):
            looked_at.append(self._states.catalogue.sequence)
        project_id = _project(command, state)
        if project_id is not None and self._limits(project_id) != NO_LIMITS:
            looked_at += [self._states.load_balancers.newest, self._states.projects.newest]
        return {STREAM: max(looked_at)} if looked_at else {}


class _Asked(TypedDict):
    cause: CommandCause
    deadline: float
    causation_id: str


def _asked(question: Question) -> _Asked:
    """Give what a commit keeps of the question."""
    return {
        "cause": CommandCause(command=question.command, actor=question.envelope.actor),
        "deadline": question.deadline,
        "causation_id": question.envelope.id,
    }


def _project(command: LoadBalancerCommand, state: LoadBalancerState) -> ProjectId | None:
    """Give the project that a load balancer belongs to, or shall."""
    if state.load_balancer is not None:
        return state.load_balancer.project_id
    if state.proposal is not None:
        return state.proposal.project_id
    wish = load_balancer.unpacked(command) if isinstance(command, Propose) else command
    return wish.load_balancer.project_id if isinstance(wish, CreateLoadBalancer) else None
