"""Puts load balancers on appliances: what `placement` judges, gathered from the states; and one decision at a time per project."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from weakref import WeakValueDictionary

from msgspec import UNSET
from msgspec.structs import replace

from actium_planner.deciders import load_balancer
from actium_planner.deciders.appliance import ApplianceState
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_planner.network_facts import NetworkFacts
from actium_planner.placement import (
    APOLOCATE,
    COLOCATE,
    Ranges,
    Seat,
    choose,
    is_particular,
    member_ranges,
    names,
    overlapping,
    place,
    retagged,
    shunned_hosts,
    vip_ranges,
    why_not,
)
from actium_planner.states import STREAM, States
from actium_planner.validation.refusals import invalid
from actium_shared.commands.planner import CreateLoadBalancer, LoadBalancerCommand, UpdateLoadBalancer
from actium_shared.events.load_balancer import LoadBalancerCreated, LoadBalancerEvent
from actium_shared.ids import ApplianceId, LoadBalancerId, ProjectId
from actium_shared.message import Rejected
from actium_shared.provider_options import ACTIUM, is_ours
from actium_shared.wishes import LoadBalancer

Decision = Sequence[LoadBalancerEvent] | Rejected


class Placing:
    """Where load balancers are, shall be, and may not be."""

    def __init__(self, states: States, facts: NetworkFacts) -> None:
        self._states, self._facts = states, facts
        self._turns: WeakValueDictionary[ProjectId, asyncio.Lock] = WeakValueDictionary()

    # -- wishes

    def turn(self, command: LoadBalancerCommand, state: LoadBalancerState) -> AbstractAsyncContextManager[object]:
        """Let wishes of a project that look at its other load balancers be decided on one after the other."""
        balancer = command.load_balancer if isinstance(command, CreateLoadBalancer) else state.load_balancer
        looks_around = balancer is not None and _may_look_around(command, balancer)
        return self._turn(balancer.project_id if balancer is not None and looks_around else None)

    def turn_apart(self, carried: Iterable[LoadBalancerId]) -> AbstractAsyncContextManager[object]:
        """Let that be decided on one after the other, and with such wishes, which may bring what shall be apart to one host."""
        return self._turn(next(iter(self.apart_in(carried)), None))

    def apart_in(self, carried: Iterable[LoadBalancerId]) -> set[ProjectId]:
        """Give the project within which tags keep these off others' hosts, if they do."""
        wishes = (self._states.load_balancers.state(lb_id).load_balancer for lb_id in carried)
        return {each.project_id for each in wishes if each is not None and names(each.tags, APOLOCATE)}

    def _turn(self, project_id: ProjectId | None) -> AbstractAsyncContextManager[object]:
        return nullcontext() if project_id is None else self._turns.setdefault(project_id, asyncio.Lock())

    def judged(self, state: LoadBalancerState, decision: Decision) -> Decision:
        """Give the decision with the place of a new load balancer, or the refusal where it cannot be where others are."""
        if isinstance(decision, Rejected) or not decision:
            return decision
        after = load_balancer.fold(state, decision)
        if after.load_balancer is None or not after.is_ours or after.deleting:
            return decision
        if state.load_balancer is None:
            return self._placed(after, after.load_balancer, decision)
        return self._refuse_change(state, after) or decision

    def _placed(
        self, after: LoadBalancerState, balancer: LoadBalancer, decision: Sequence[LoadBalancerEvent]
    ) -> Decision:
        if not is_particular(balancer):
            return decision
        chosen = choose(balancer, self._ranges(after), self._others(balancer))
        if isinstance(chosen, Rejected):
            return chosen
        return [
            replace(event, appliance_id=chosen) if isinstance(event, LoadBalancerCreated) else event
            for event in decision
        ]

    def _refuse_change(self, before: LoadBalancerState, after: LoadBalancerState) -> Rejected | None:
        old, new = before.load_balancer, after.load_balancer
        assert old is not None
        assert new is not None
        if old.tags == new.tags and before.member_subnets() == after.member_subnets():
            return None
        if not (is_particular(old) or is_particular(new)):
            return None
        own, others = self._seat(new.id, after), self._others(new)
        return retagged(new, old, own, others) or _refuse_overlap(own, others)

    # -- admission

    def candidates(self, lb_id: LoadBalancerId, state: LoadBalancerState) -> Sequence[ApplianceId]:
        """Give the appliances that are to be asked to carry it, the first that admits it does: its own always will."""
        carrier = state.appliance_id or self._states.fleet.carrier(lb_id)
        if carrier is not None:
            return [carrier]
        if state.meant_for is None or self._states.appliances.state(state.meant_for).retired:
            return self._elsewhere(lb_id, state)
        return [state.meant_for] if state.deleting else [state.meant_for, *self._elsewhere(lb_id, state)]

    def only_places(self, lb_id: LoadBalancerId, state: LoadBalancerState) -> frozenset[ApplianceId] | None:
        """
        Give the appliances that alone may follow its wish, nothing while it is to be seen where there is room.

        Its carrier may let it go at any time once it is deleted; then it asks as if nobody had carried it.
        """
        if state.withdrawn or state.deleted:
            return frozenset()
        carrier, balancer = state.appliance_id or self._states.fleet.carrier(lb_id), state.load_balancer
        if carrier is not None:
            return frozenset({carrier, state.meant_for or carrier, place(lb_id)})
        is_open = balancer is None or state.meant_for is not None or is_particular(balancer)
        return None if is_open else frozenset({place(lb_id)})

    def _elsewhere(self, lb_id: LoadBalancerId, state: LoadBalancerState) -> Sequence[ApplianceId]:
        """Give where it may be if not where it was meant to be: with those that it must be with, or wherever there is room."""
        balancer = state.load_balancer
        if balancer is None or state.deleting or not is_particular(balancer):
            return [place(lb_id)]
        others = [seat for seat in self._others(balancer) if self._states.fleet.carrier(seat.balancer.id) is not None]
        chosen = choose(balancer, self._ranges(state), others)
        if isinstance(chosen, Rejected):
            return []
        if chosen is None:
            return [place(lb_id)]
        return [chosen] if names(balancer.tags, COLOCATE) else [chosen, place(lb_id)]

    def why_not(self, appliance: ApplianceState, wish: LoadBalancerState) -> str | None:
        """Give why an appliance does not admit a load balancer, if it does not: whoever was faster has the place."""
        balancer = wish.load_balancer
        if balancer is None or appliance.id is None or wish.deleting:
            return None
        here = [self._seat(lb_id) for lb_id in appliance.load_balancers if lb_id != balancer.id]
        if not here:
            return None  # most are by themselves, and looking at all others of a project takes long
        shunned = shunned_hosts([balancer], self._others(balancer))
        return why_not(balancer, self._ranges(wish), here, shunned=shunned)

    def refusal(self, state: LoadBalancerState) -> str:
        """Give why no appliance at all admits a load balancer."""
        assert state.load_balancer is not None
        chosen = choose(state.load_balancer, self._ranges(state), self._others(state.load_balancer))
        return chosen.detail if isinstance(chosen, Rejected) else "No appliance admits it: others were faster."

    def avoid(self, carried: Iterable[LoadBalancerId]) -> tuple[str, ...]:
        """Give the hosts that no amphora of an appliance may be on that carries these, for their tags."""
        wishes = (self._states.load_balancers.state(lb_id) for lb_id in carried)
        residents = [wish.load_balancer for wish in wishes if wish.load_balancer is not None and not wish.deleting]
        apart = [each for each in residents if names(each.tags, APOLOCATE)]
        return shunned_hosts(apart, self._others(apart[0])) if apart else ()

    def reads(self) -> Mapping[str, int]:
        """Give how far the log contains what is looked at."""
        return {STREAM: max(self._states.load_balancers.newest, self._states.appliances.newest), **self._facts.reads()}

    # -- seats

    def _others(self, balancer: LoadBalancer) -> list[Seat]:
        ids = self._states.fleet.of_project(balancer.project_id)
        return [self._seat(lb_id) for lb_id in ids if lb_id != balancer.id]

    def _seat(self, lb_id: LoadBalancerId, state: LoadBalancerState | None = None) -> Seat:
        wish = state or self._states.load_balancers.state(lb_id)
        assert wish.load_balancer is not None
        appliance_id = self._states.fleet.carrier(lb_id) or wish.appliance_id or wish.meant_for or place(lb_id)
        carrier = self._states.appliances.state(appliance_id)
        return Seat(
            balancer=wish.load_balancer,
            appliance_id=appliance_id,
            ranges=self._ranges(wish),
            hosts=frozenset(amphora.host for amphora in carrier.serving() if amphora.host),
            leaving=wish.deleting,
        )

    def _ranges(self, wish: LoadBalancerState) -> Ranges:
        assert wish.load_balancer is not None
        return {**member_ranges(wish.member_subnets(), self._facts.cidrs), **vip_ranges(wish.load_balancer)}


def _may_look_around(command: LoadBalancerCommand, balancer: LoadBalancer) -> bool:
    if not is_ours(balancer.provider or ACTIUM):
        return False
    flavored = isinstance(command, CreateLoadBalancer) and balancer.flavor_id is not None  # its data is not yet in it
    retags = isinstance(command, UpdateLoadBalancer) and command.changes.tags is not UNSET
    return flavored or retags or is_particular(balancer)


def _refuse_overlap(own: Seat, others: Sequence[Seat]) -> Rejected | None:
    for seat in others:
        overlap = overlapping(own.ranges, seat.ranges) if seat.appliance_id == own.appliance_id else None
        if overlap is not None:
            detail = (
                f"Subnet {overlap[0]} overlaps with subnet {overlap[1]} of load balancer {seat.balancer.id}, with which"
                " this one shares its amphorae."
            )
            return invalid(detail, field="subnet_id")
    return None
