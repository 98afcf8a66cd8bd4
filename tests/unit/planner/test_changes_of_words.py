"""Names, descriptions and tags: one commit, no round, no order."""

from typing import Any

import pytest

import builders as a
from actium_planner.deciders import load_balancer
from actium_shared.commands import planner as commands
from actium_shared.events import load_balancer as events
from actium_shared.events.load_balancer import RoundEnded
from actium_shared.message import Accepted
from unit.planner.lives import after, grown, happens, served
from unit.planner.world import World

PENDING = after(
    a.create_listener(),
    a.create_pool(listener_id=a.LISTENER),
    a.create_member(),
    a.create_health_monitor(),
    a.create_l7_policy(),
    a.create_l7_rule(),
)
SERVED = served(PENDING)
RENAMED: Any = {"load_balancer_id": a.LB}
WORDS: list[commands.LoadBalancerCommand] = [
    commands.UpdateLoadBalancer(**RENAMED, changes=commands.LoadBalancerChanges(name="n", tags=("t",))),
    commands.UpdateListener(**RENAMED, listener_id=a.LISTENER, changes=commands.ListenerChanges(description="d")),
    commands.UpdatePool(**RENAMED, pool_id=a.POOL, changes=commands.PoolChanges(name="n")),
    commands.UpdateMember(**RENAMED, pool_id=a.POOL, member_id=a.MEMBER, changes=commands.MemberChanges(name="n")),
    commands.UpdateHealthMonitor(
        **RENAMED, pool_id=a.POOL, health_monitor_id=a.MONITOR, changes=commands.HealthMonitorChanges(name="n")
    ),
    commands.UpdateL7Policy(**RENAMED, l7_policy_id=a.POLICY, changes=commands.L7PolicyChanges(name="n")),
    commands.UpdateL7Rule(
        **RENAMED, l7_policy_id=a.POLICY, l7_rule_id=a.RULE, changes=commands.L7RuleChanges(tags=("t",))
    ),
    commands.ReplaceMembers(
        **RENAMED, pool_id=a.POOL, members=(commands.BatchMember(member=a.member(name="n"), sent=("name",)),)
    ),
]


@pytest.mark.parametrize("command", WORDS, ids=lambda command: command.TYPE)
def test_new_words_are_served_at_once(command: commands.LoadBalancerCommand) -> None:
    updated, ended = happens(command, SERVED)
    assert updated.TYPE.endswith(".updated")
    assert ended == RoundEnded(load_balancer_id=a.LB, generation=SERVED.generation)
    state = grown(SERVED, command)
    assert (state.generation, state.ended, state.pending) == (SERVED.generation, SERVED.generation, False)


@pytest.mark.parametrize("command", WORDS, ids=lambda command: command.TYPE)
def test_while_a_round_runs_new_words_join_the_newest_wish(command: commands.LoadBalancerCommand) -> None:
    (updated,) = happens(command, PENDING)
    assert getattr(updated, "generation", None) == PENDING.generation
    assert grown(PENDING, command).pending


def test_after_a_failed_round_new_words_are_another_try() -> None:
    failure = events.RoundFailed(load_balancer_id=a.LB, generation=PENDING.generation, reason="no")
    failed = load_balancer.evolve(PENDING, failure)
    (updated,) = happens(WORDS[0], failed)
    assert getattr(updated, "generation", None) == PENDING.generation + 1


def test_between_two_rounds_new_words_do_not_claim_that_the_newest_wish_is_served() -> None:
    between = load_balancer.evolve(PENDING, RoundEnded(load_balancer_id=a.LB, generation=PENDING.generation - 1))
    assert not between.pending
    (updated,) = happens(WORDS[0], between)
    assert getattr(updated, "generation", None) == PENDING.generation + 1


def test_words_together_with_anything_else_are_a_wish_like_any_other() -> None:
    command = commands.UpdateLoadBalancer(
        load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(name="n", admin_state_up=False)
    )
    (updated,) = happens(command, SERVED)
    assert getattr(updated, "generation", None) == SERVED.generation + 1


def test_a_batch_that_also_changes_a_weight_is_a_wish_like_any_other() -> None:
    entry = commands.BatchMember(member=a.member(name="n", weight=7), sent=("name", "weight"))
    command = commands.ReplaceMembers(load_balancer_id=a.LB, pool_id=a.POOL, members=(entry,))
    assert [event.TYPE for event in happens(command, SERVED)] == ["member.updated"]


async def test_a_rename_costs_one_commit_and_no_order() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    before = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    (amphora,) = world.configured
    bundle = world.configured[amphora].bundle
    answer = await world.ask(
        commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(name="again"))
    )
    assert isinstance(answer, Accepted)
    await world.settle()
    everything = [item async for item in world.store.read("EVENTS_PLANNER", after=0)]
    assert [[event.TYPE for event in item.commit.events] for item in everything[len(before) :]] == [
        ["loadbalancer.updated", "loadbalancer.round-ended"]
    ]
    assert world.configured[amphora].bundle == bundle
    await world.restart()
    await world.settle()
    state = world.load_balancer(a.LB)
    assert state.load_balancer == a.load_balancer(name="again")
    assert world.configured[amphora].bundle == bundle


async def test_a_load_balancer_that_was_renamed_still_fails_when_its_last_amphora_is_lost() -> None:
    world = World()
    await world.ask(a.create_load_balancer())
    await world.settle()
    await world.ask(
        commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(name="again"))
    )
    (lost,) = world.appliance(a.LB).amphorae.values()
    world.boots = False
    await world.boot_fails(lost.id)
    await world.settle()
    assert world.load_balancer(a.LB).failed
    world.boots = True
    await world.lapse(31)
    assert (world.load_balancer(a.LB).failed, world.load_balancer(a.LB).pending) == (0, False)
