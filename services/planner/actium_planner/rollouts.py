"""Rollouts: what each looks at, and when. What happens to one is decided in `deciders/rollout`; appliances and pools follow it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime

from actium_planner.amphora_facts import AmphoraFacts
from actium_planner.decide_and_append import Shell
from actium_planner.deciders import appliance, rollout, spares
from actium_planner.deciders.appliance import AmphoraState, ApplianceState, Limits
from actium_planner.deciders.appliance.roles import is_master
from actium_planner.deciders.appliance.rounds import BOOT_ATTEMPTS
from actium_planner.deciders.rollout import Context, Refusals, RolloutState, Running, UnderWay
from actium_planner.deciders.spares import SparesState, SpareState
from actium_planner.planning import Planning
from actium_planner.plans import rollout as plans
from actium_planner.plans.appliance import DEFAULT_DRIVER
from actium_planner.pools import because
from actium_planner.states import STREAM, States
from actium_shared.commands.planner import RolloutCommand
from actium_shared.event_store import Recorded
from actium_shared.events.appliance import ApplianceFailed, ExchangeFailed
from actium_shared.events.rollout import ReplacementFailed, ReplacementsOrdered
from actium_shared.events.spares import SparesFailed
from actium_shared.ids import ApplianceId, RolloutId, SparesId
from actium_shared.message import Cause, ClockCause, CommandCause, Event, Position, Rejected

ROLLOUT = "rollout"


class Rollouts:
    """All rollouts."""

    def __init__(
        self, states: States, shell: Shell, planning: Planning, *, limits: Limits, facts: AmphoraFacts
    ) -> None:
        self._states, self._shell, self._planning = states, shell, planning
        self._limits, self._facts = limits, facts
        # Booted, again and again; configured; the addresses handed over; and before that all that is with its partner.
        self._replace_s = BOOT_ATTEMPTS * limits.boot_s + 3 * limits.bundle_s + limits.yield_s
        self._starting = asyncio.Lock()
        self._untold: dict[ApplianceId, str] = {}

    async def decide(
        self, command: RolloutCommand, *, cause: CommandCause, deadline: float, causation_id: str
    ) -> Position | Rejected:
        """Have an operator's word decided, one at a time: no two may be about the same amphorae."""
        async with self._starting:
            return await self._shell.decide(
                self._states.rollouts,
                command.rollout_id,
                lambda state, now: rollout.decide(command, state, self._context(command.rollout_id, now)),
                cause=cause,
                reads=lambda _state: self._reads(),
                deadline=deadline,
                causation_id=causation_id,
            )

    async def changed(self, rollout_id: RolloutId, recorded: Recorded) -> None:
        """Have a rollout go on behind its own commit, once those whom it names have followed."""
        await self._advance(rollout_id, because(recorded), causation_id=recorded.envelope.id)

    async def fleet_changed(self, appliance_id: ApplianceId, recorded: Recorded) -> None:
        """Have the rollouts that replace something there see what became of it."""
        concerned = [
            rollout_id
            for rollout_id, state in self._states.active_rollouts.items()
            if any(one.appliance_id == appliance_id for one in state.under_way.values())
        ]
        reason = _refusal(recorded.commit.events)
        if reason is not None and concerned:
            self._untold[appliance_id] = reason
        for rollout_id in concerned:
            await self._advance(rollout_id, because(recorded), causation_id=recorded.envelope.id)

    async def lapse(self, rollout_id: RolloutId) -> None:
        """Have a rollout go on whose time has come."""
        await self._advance(rollout_id, ClockCause(deadline=self._shell.clock.now()))

    async def plan_all(self, one: Callable[[str, Awaitable[None]], Awaitable[None]]) -> None:
        """Have all go on that have not ended."""
        for rollout_id in list(self._states.active_rollouts):
            await one(rollout_id, self.lapse(rollout_id))

    async def _advance(self, rollout_id: RolloutId, cause: Cause, *, causation_id: str | None = None) -> None:
        told: set[ApplianceId] = set()

        def decision(state: RolloutState, now: datetime) -> Sequence[Event]:
            context = self._context(rollout_id, now, self._untold)
            told.update(one.appliance_id for one in state.under_way.values() if context.is_current)
            return rollout.advance(state, context)

        await self._shell.decide(
            self._states.rollouts,
            rollout_id,
            decision,
            cause=cause,
            reads=lambda _state: self._reads(),
            causation_id=causation_id,
        )
        for appliance_id in told:
            self._untold.pop(appliance_id, None)
        state, now = self._states.rollouts.state(rollout_id), self._shell.clock.now()
        await self._planning.carry_out((ROLLOUT, rollout_id), plans.plan(state, now))

    # -- what decisions look at

    def _context(self, rollout_id: RolloutId, now: datetime, refusals: Refusals | None = None) -> Context:
        own = self._states.rollouts.state(rollout_id)
        others = {other: state for other, state in self._states.active_rollouts.items() if other != rollout_id}
        return Context(
            now=now,
            is_current=self._states.rollouts.get(rollout_id).sequence <= self._states.contained.position,
            replace_s=self._replace_s,
            running=self._running,
            is_replaced=self._is_replaced,
            refusals=refusals or {},
            busy={amphora_id for state in others.values() for amphora_id in state.under_way},
            others={other: state.selection for other, state in others.items()},
            older=frozenset(other for other, state in others.items() if _is_older(other, state, than=own)),
        )

    def _reads(self) -> Mapping[str, int]:
        """Give how far the logs are contained that say what the fleet is."""
        newest = max(self._states.appliances.newest, self._states.spares.newest, self._states.load_balancers.newest)
        return {STREAM: newest, **self._facts.reads()} if newest else self._facts.reads()

    def _running(self) -> Sequence[Running]:
        members = (one for _, held in self._states.appliances for one in self._members(held.state))
        waiting = (one for _, held in self._states.spares for one in self._spares(held.state))
        return [*members, *waiting]

    def _members(self, state: ApplianceState) -> Iterator[Running]:
        wishes = [self._states.load_balancers.state(lb_id) for lb_id in state.load_balancers]
        balancer = next((each.load_balancer for each in wishes if each.load_balancer and not each.deleting), None)
        if state.id is None or state.retired or balancer is None:
            return
        for amphora in state.serving():
            machine = self._facts.machine(amphora.id)
            yield Running(
                amphora_id=amphora.id,
                appliance_id=state.id,
                image_tag=machine.image_tag if machine else amphora.image_tag,
                next_image_tag=str(state.flavor.get("amp_image_tag", self._limits.image_tag)),
                driver=str(state.flavor.get("amphora_driver") or DEFAULT_DRIVER),
                flavor_id=balancer.flavor_id,
                booted_at=machine.booted_at if machine else None,
                certificate_expires_at=machine.certificate_expires_at if machine else None,
                there=_is_there(amphora),
                master=is_master(state, amphora),
            )

    def _spares(self, state: SparesState) -> Iterator[Running]:
        for spare in state.waiting() if state.id is not None else ():
            machine = self._facts.machine(spare.id)
            yield Running(
                amphora_id=spare.id,
                appliance_id=ApplianceId(str(state.id)),
                image_tag=machine.image_tag if machine else spare.image_tag,
                next_image_tag=state.image_tag,
                driver=str(state.flavor.get("amphora_driver") or DEFAULT_DRIVER),
                flavor_id=state.flavor_id,
                booted_at=machine.booted_at if machine else None,
                certificate_expires_at=machine.certificate_expires_at if machine else None,
                there=_is_ready(spare),
                spare=True,
            )

    def _is_replaced(self, one: UnderWay) -> bool:
        pool = self._states.spares.state(SparesId(one.appliance_id))
        if pool.id is not None:
            ready = pool.ordered(spares.Stage.READY)
            return all(spare.id != one.amphora_id for spare in pool.waiting()) and len(ready) >= pool.size
        state = self._states.appliances.state(one.appliance_id)
        amphora = state.amphorae.get(one.amphora_id)
        if amphora is not None and (amphora.serves or amphora.at_large):
            return False
        settled = [each for each in state.staying() if each.settled]
        return state.retired or (len(settled) >= len(state.roles) and state.served)


def _is_older(rollout_id: RolloutId, state: RolloutState, *, than: RolloutState) -> bool:
    return (str(state.started_at), rollout_id) < (str(than.started_at), str(than.id)) if than.id else True


def named(events: Sequence[Event]) -> set[ApplianceId]:
    """Give the appliances and pools that a rollout's events tell something."""
    found: set[ApplianceId] = set()
    for event in events:
        if isinstance(event, ReplacementsOrdered):
            found |= {each.appliance_id for each in event.replacements}
        elif isinstance(event, ReplacementFailed):
            found.add(event.appliance_id)
    return found


def _refusal(happened: Sequence[Event]) -> str | None:
    """Give why nobody can be had there for now, if that is what happened."""
    failed = (event for event in happened if isinstance(event, ApplianceFailed | ExchangeFailed | SparesFailed))
    return next((event.reason for event in failed), None)


def _is_there(amphora: AmphoraState) -> bool:
    return amphora.stage is appliance.Stage.JOINED


def _is_ready(spare: SpareState) -> bool:
    return spare.stage is spares.Stage.READY
