"""A load balancer as commands have made it: given, when, then, without a log."""

from collections.abc import Sequence
from datetime import UTC, datetime

import builders as a
from actium_planner.deciders import load_balancer
from actium_planner.deciders.load_balancer import LoadBalancerState
from actium_shared.commands.planner import LoadBalancerCommand
from actium_shared.events.load_balancer import LoadBalancerEvent, RoundEnded
from actium_shared.message import Reason, Rejected

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def grown(state: LoadBalancerState, *asked: LoadBalancerCommand) -> LoadBalancerState:
    """Give the state after these wishes, each of which must be allowed."""
    for command in asked:
        happened = load_balancer.decide(command, state, NOW)
        assert not isinstance(happened, Rejected), happened
        state = load_balancer.fold(state, happened)
    return state


def after(*asked: LoadBalancerCommand, **fields: object) -> LoadBalancerState:
    """Give a load balancer to which these wishes were made; rounds have not ended."""
    return grown(LoadBalancerState(), a.create_load_balancer(**fields), *asked)


def served(state: LoadBalancerState) -> LoadBalancerState:
    """Give the state once its newest wish is applied."""
    return load_balancer.evolve(state, RoundEnded(load_balancer_id=a.LB, generation=state.generation))


def happens(command: LoadBalancerCommand, state: LoadBalancerState) -> Sequence[LoadBalancerEvent]:
    """Give what a wish that is allowed leads to."""
    happened = load_balancer.decide(command, state, NOW)
    assert not isinstance(happened, Rejected), happened
    return happened


def types(command: LoadBalancerCommand, state: LoadBalancerState) -> list[str]:
    return [event.TYPE for event in happens(command, state)]


def refused(command: LoadBalancerCommand, state: LoadBalancerState, *, strict: bool = False) -> Rejected:
    """Give the refusal of a wish that is not allowed."""
    answer = load_balancer.decide(command, state, NOW, strict=strict)
    assert isinstance(answer, Rejected), answer
    assert answer.detail
    return answer


def why(command: LoadBalancerCommand, state: LoadBalancerState) -> tuple[Reason, str | None]:
    """Give reason and field of a refusal."""
    answer = refused(command, state)
    return answer.reason, answer.field
