"""Pools of spares: which there are to be, and what each hears of. What happens to one is decided in `deciders/spares`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from actium_planner.decide_and_append import Shell
from actium_planner.deciders import spares
from actium_planner.deciders.appliance import Limits
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.deciders.spares import Sizing, SparesState
from actium_planner.planning import Planning
from actium_planner.plans import spares as plans
from actium_planner.states import STREAM, States
from actium_shared.commands.planner import ApplianceCommand
from actium_shared.event_store import Recorded
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import ApplianceId, SparesId
from actium_shared.message import Cause, ClockCause, CommandCause, EventCause, Position, Rejected

SPARES = "spares"

PoolKey = tuple[str | None, str | None]
"""Flavor and availability zone."""


class Pools:
    """All pools of spares."""

    def __init__(self, states: States, shell: Shell, planning: Planning, limits: Limits) -> None:
        self._states, self._shell, self._planning = states, shell, planning
        self._defaults = limits
        self._limits = spares.Limits(boot_s=limits.boot_s, retry_s=limits.retry_s)

    def is_pool(self, appliance_id: ApplianceId) -> bool:
        """Say whether that is a pool, which stands for the appliance of its spares."""
        return self._states.spares.state(appliance_id).id is not None

    async def follow(self, spares_id: SparesId, recorded: Recorded) -> None:
        """Have a pool follow what an appliance asks of it, or what other services tell of its spares."""

        def decision(state: SparesState, now: datetime) -> Sequence[SparesEvent]:
            happened: list[SparesEvent] = []
            for event in recorded.commit.events:
                if getattr(event, "spares_id", spares_id) == spares_id:
                    happened += spares.follow(event, spares.fold(state, happened), self._context(now))
            return happened

        await self._shell.decide(
            self._states.spares, spares_id, decision, cause=because(recorded), causation_id=recorded.envelope.id
        )

    async def decide(
        self, command: ApplianceCommand, *, cause: CommandCause, deadline: float, causation_id: str
    ) -> Position | Rejected:
        """Have an operator's word about a spare decided."""
        return await self._shell.decide(
            self._states.spares,
            command.appliance_id,
            lambda state, now: spares.decide(command, state, self._context(now)),
            cause=cause,
            deadline=deadline,
            causation_id=causation_id,
        )

    # -- sizes

    async def needed_by(self, wish: LoadBalancerState, recorded: Recorded) -> None:
        """Have the pool that a new load balancer falls back on, if there is to be one."""
        balancer = wish.load_balancer
        if balancer is not None and wish.is_ours:
            await self._resize((balancer.flavor_id, balancer.availability_zone), because(recorded))

    def lack_one_for(self, wish: LoadBalancerState) -> bool:
        """Say whether the pool that a load balancer falls back on is still to be made, or to be of another size."""
        balancer = wish.load_balancer
        if balancer is None or not wish.is_ours:
            return False
        key = (balancer.flavor_id, balancer.availability_zone)
        return not spares.is_as_wanted(self._states.spares.state(spares.pool_id(*key)), self._sizing(key))

    async def catalogue_changed(self, recorded: Recorded) -> None:
        """Have the pools follow what is on offer."""
        for _, held in self._states.spares:
            await self._resize((held.state.flavor_id, held.state.availability_zone), because(recorded))

    async def settings_changed(self, now: datetime) -> None:
        """Have all pools be as the settings say now: those that are, and those that load balancers fall back on."""
        keys = {(held.state.flavor_id, held.state.availability_zone) for _, held in self._states.spares}
        for _, held_wish in self._states.load_balancers:
            balancer = held_wish.state.load_balancer
            if balancer is not None and held_wish.state.is_ours:
                keys.add((balancer.flavor_id, balancer.availability_zone))
        for key in sorted(keys, key=str):
            await self._resize(key, ClockCause(deadline=now))

    async def _resize(self, key: PoolKey, cause: Cause) -> None:
        spares_id = spares.pool_id(*key)
        if spares.is_as_wanted(self._states.spares.state(spares_id), self._sizing(key)):
            return
        await self._shell.decide(
            self._states.spares,
            spares_id,
            lambda state, now: spares.resize(spares_id, state, self._sizing(key), self._context(now)),
            cause=cause,
            reads=lambda _state: self._reads(),
        )

    def _sizing(self, key: PoolKey) -> Sizing:
        return spares.sizing(
            *key,
            self._states.catalogue.state,
            size=self._defaults.spare_pool_size,
            image_tag=self._defaults.image_tag,
        )

    def _reads(self) -> Mapping[str, int]:
        return {STREAM: self._states.catalogue.sequence}

    # -- plans and deadlines

    async def lapse(self, spares_id: SparesId) -> None:
        """Decide on a pool whose time has come, and plan anew."""
        over = min(spares.deadlines(self._states.spares.state(spares_id)), default=None)
        if over is not None:
            await self._shell.decide(
                self._states.spares,
                spares_id,
                lambda state, now: spares.lapse(state, self._context(now)),
                cause=ClockCause(deadline=over),
            )
        await self.plan(spares_id)

    async def plan(self, spares_id: SparesId) -> None:
        """Carry out what is still to do for a pool."""
        state = self._states.spares.state(spares_id)
        await self._planning.carry_out((SPARES, spares_id), plans.plan(state, self._limits))

    async def plan_all(self, one: Callable[[str, Awaitable[None]], Awaitable[None]]) -> None:
        """Carry out what is still to do for all."""
        for spares_id, _ in self._states.spares:
            await one(spares_id, self.plan(SparesId(spares_id)))

    def _context(self, now: datetime) -> spares.Context:
        return spares.Context(now=now, limits=self._limits)


def because(recorded: Recorded) -> EventCause:
    """Give a commit as the cause of another."""
    types = tuple(event.TYPE for event in recorded.commit.events)
    return EventCause(position=recorded.position, event_types=types)
