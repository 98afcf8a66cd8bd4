"""Load balancers of other vendors' drivers: proposed, settled, reported on, lapsed; no appliance is made for them."""

from typing import Any

import pytest
from msgspec.structs import replace

import builders as a
from actium_planner.asks import Site
from actium_shared.codec import CODEC
from actium_shared.commands import planner as commands
from actium_shared.ids import LoadBalancerId
from actium_shared.message import Accepted, Reason, Rejected, Reply
from actium_shared.proposals import ObjectStatus
from actium_shared.provider_options import PROVIDERS
from actium_shared.quotas import RESOURCES
from unit.planner.world import World

ACME = "acme"
LB_ACTIVE = ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="ACTIVE")


def world(**site: Any) -> World:
    return World(site=Site(providers=(*PROVIDERS, ACME), **site))


def create(**fields: Any) -> commands.CreateLoadBalancer:
    return a.create_load_balancer(provider=ACME, **fields)


def propose(wish: commands.LoadBalancerCommand, name: str = "one", *, timeout_s: float = 30.0) -> commands.Propose:
    return commands.Propose(
        load_balancer_id=wish.load_balancer_id, proposal_id=name, command=CODEC.pack(wish), timeout_s=timeout_s
    )


def settle(name: str = "one", *, accepted: bool = True, reason: str = "") -> commands.SettleProposal:
    return commands.SettleProposal(load_balancer_id=a.LB, proposal_id=name, accepted=accepted, reason=reason)


def say(*statuses: ObjectStatus) -> commands.ReportStatus:
    return commands.ReportStatus(load_balancer_id=a.LB, statuses=statuses)


def refused(reply: Reply, reason: Reason) -> bool:
    return isinstance(reply, Rejected) and reply.reason is reason


async def done(at: World, *asked: commands.LoadBalancerCommand) -> None:
    for command in asked:
        reply = await at.ask(command)
        assert isinstance(reply, Accepted), (command.TYPE, reply)
    await at.settle()


async def carried_out(at: World, wish: commands.LoadBalancerCommand, name: str) -> None:
    await done(at, propose(wish, name), settle(name))


async def served() -> World:
    """Give a world in which the load balancer is ACTIVE at its vendor's."""
    at = world()
    await carried_out(at, create(), "create")
    await done(at, say(LB_ACTIVE))
    return at


async def test_a_proposed_load_balancer_is_not_there_until_its_driver_took_it() -> None:
    at = world()
    await done(at, propose(create()))
    assert at.load_balancer(a.LB).load_balancer is None
    await done(at, settle())
    found = at.load_balancer(a.LB)
    assert found.load_balancer is not None
    assert found.load_balancer.provider == ACME
    assert found.pending


async def test_no_appliance_is_made_for_it() -> None:
    at = await served()
    assert at.appliance(a.LB).id is None
    assert at.orders == []
    assert not at.load_balancer(a.LB).pending


async def test_what_the_driver_refuses_never_was() -> None:
    at = world()
    await done(at, propose(create()), settle(accepted=False, reason="no room"))
    assert at.load_balancer(a.LB).load_balancer is None
    await carried_out(at, create(), "again")
    assert at.load_balancer(a.LB).load_balancer is not None


async def test_what_is_proposed_holds_quota_and_gives_it_back() -> None:
    at = world(quota={**dict.fromkeys(RESOURCES, -1), "loadbalancer": 1})
    await done(at, propose(create()))
    other = create(id=LoadBalancerId(a.an_id("other")))
    assert refused(await at.ask(propose(other)), Reason.QUOTA)
    await done(at, settle(accepted=False))
    assert isinstance(await at.ask(propose(other)), Accepted)


async def test_each_word_can_be_said_twice() -> None:
    at = world()
    await done(at, propose(create()), propose(create()), settle(), settle(), say(LB_ACTIVE))
    before = at.states.position
    await done(at, say(LB_ACTIVE), propose(create()))
    assert at.states.position == before


async def test_an_invalid_wish_is_refused_before_any_driver_is_asked() -> None:
    at = await served()
    wish = a.create_l7_policy()
    assert refused(await at.ask(propose(wish)), Reason.NOT_FOUND)
    assert refused(await at.ask(propose(a.create_load_balancer())), Reason.INVALID)


async def test_such_a_load_balancer_is_changed_by_proposals_only() -> None:
    at = await served()
    assert refused(await at.ask(a.create_listener()), Reason.INVALID)


async def test_it_is_locked_while_its_driver_works() -> None:
    at = await served()
    await done(at, propose(a.create_listener()))
    assert refused(await at.ask(propose(a.create_pool(), "two")), Reason.IMMUTABLE)
    await done(at, settle())
    assert refused(await at.ask(propose(a.create_pool(), "two")), Reason.IMMUTABLE)
    await done(at, say(LB_ACTIVE))
    assert isinstance(await at.ask(propose(a.create_pool(), "two")), Accepted)


async def test_a_driver_may_report_before_its_call_has_returned() -> None:
    at = world()
    await done(at, propose(create()), say(LB_ACTIVE), settle())
    assert not at.load_balancer(a.LB).pending


async def test_a_child_is_known_until_its_driver_calls_it_gone() -> None:
    at = await served()
    delete = commands.DeleteListener(load_balancer_id=a.LB, listener_id=a.LISTENER)
    await carried_out(at, a.create_listener(), "listener")
    await done(at, say(LB_ACTIVE, ObjectStatus(kind="listener", id=a.LISTENER, provisioning_status="ACTIVE")))
    await carried_out(at, delete, "delete")
    failed = ObjectStatus(kind="listener", id=a.LISTENER, provisioning_status="ERROR")
    await done(at, say(failed, LB_ACTIVE))
    await carried_out(at, delete, "delete again")
    gone = ObjectStatus(kind="listener", id=a.LISTENER, provisioning_status="DELETED")
    await done(at, say(gone, LB_ACTIVE))
    assert refused(await at.ask(propose(delete, "too late")), Reason.NOT_FOUND)


async def test_what_its_driver_calls_gone_is_gone_though_nobody_wished_it() -> None:
    at = await served()
    await carried_out(at, a.create_pool(), "pool")
    await done(at, say(LB_ACTIVE))
    await carried_out(at, a.create_listener(default_pool_id=a.POOL), "listener")
    await done(at, say(LB_ACTIVE, ObjectStatus(kind="pool", id=a.POOL, provisioning_status="DELETED")))
    state = at.load_balancer(a.LB)
    assert a.POOL not in state.pools
    assert state.listeners[a.LISTENER].default_pool_id is None


async def test_its_addresses_are_given_back_when_its_driver_calls_it_gone() -> None:
    at = await served()
    await carried_out(at, commands.DeleteLoadBalancer(load_balancer_id=a.LB), "delete")
    assert not at.load_balancer(a.LB).deleted
    await done(at, say(ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="DELETED")))
    assert at.load_balancer(a.LB).deleted


async def test_a_silent_driver_leaves_an_error_and_its_late_word_heals_it() -> None:
    at = world()
    await carried_out(at, create(), "create")
    await at.lapse(3_600.0)
    state = at.load_balancer(a.LB)
    assert (state.pending, state.failed > 0) == (False, True)
    await done(at, say(LB_ACTIVE))
    assert at.load_balancer(a.LB).failed == 0


async def test_a_proposal_that_nobody_settles_lapses_and_is_undone() -> None:
    at = world()
    await done(at, propose(create()))
    await at.lapse(31.0)
    assert at.load_balancer(a.LB).proposal is None
    assert list(at.load_balancer(a.LB).lapsed) == ["one"]
    assert refused(await at.ask(settle()), Reason.CONFLICT)
    await done(at, settle(accepted=False, reason="undone"))
    assert not at.load_balancer(a.LB).lapsed


async def test_a_lapsed_change_is_shown_as_an_error() -> None:
    at = await served()
    await done(at, propose(a.create_listener()))
    await at.lapse(31.0)
    state = at.load_balancer(a.LB)
    assert state.failed == state.generation
    assert not state.listeners


async def test_it_can_be_failed_over_also_in_error() -> None:
    at = await served()
    await done(at, say(ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="ERROR")))
    assert refused(await at.ask(propose(a.create_listener())), Reason.IMMUTABLE)
    await carried_out(at, commands.FailOverLoadBalancer(load_balancer_id=a.LB), "failover")
    assert at.load_balancer(a.LB).pending


async def test_all_of_it_outlives_a_crash() -> None:
    at = await served()
    await done(at, propose(a.create_listener()))
    before = at.load_balancer(a.LB)
    await at.restart()
    assert at.load_balancer(a.LB) == before


@pytest.mark.parametrize(
    "status",
    [
        ObjectStatus(kind="router", id=a.LB),
        ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="FINE"),
        ObjectStatus(kind="loadbalancer", id=a.LB, operating_status="FINE"),
    ],
)
async def test_a_malformed_report_is_refused(status: ObjectStatus) -> None:
    at = await served()
    assert refused(await at.ask(say(status)), Reason.INVALID)


async def test_nobody_reports_on_our_own_or_on_what_is_not_there() -> None:
    at = await served()
    unknown = ObjectStatus(kind="member", id=a.MEMBER, operating_status="ONLINE")
    assert refused(await at.ask(say(unknown)), Reason.NOT_FOUND)
    ours = World()
    await done(ours, a.create_load_balancer())
    assert refused(await ours.ask(say(LB_ACTIVE)), Reason.CONFLICT)


async def test_what_a_driver_is_asked_to_create_is_not_created_beside_it() -> None:
    at = world()
    await done(at, propose(create()))
    assert refused(await at.ask(a.create_load_balancer()), Reason.IMMUTABLE)
    await done(at, settle())


def delete_listener() -> commands.DeleteListener:
    return commands.DeleteListener(load_balancer_id=a.LB, listener_id=a.LISTENER)


LISTENER_ACTIVE = ObjectStatus(kind="listener", id=a.LISTENER, provisioning_status="ACTIVE")
LISTENER_GONE = ObjectStatus(kind="listener", id=a.LISTENER, provisioning_status="DELETED")
LB_GONE = ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="DELETED")


async def with_listener() -> World:
    at = await served()
    await carried_out(at, a.create_listener(), "listener")
    await done(at, say(LISTENER_ACTIVE, LB_ACTIVE))
    return at


async def test_a_driver_may_call_a_child_gone_before_its_deletion_is_settled() -> None:
    at = await with_listener()
    await done(at, propose(delete_listener(), "delete"), say(LISTENER_GONE, LB_ACTIVE))
    assert a.LISTENER in at.load_balancer(a.LB).listeners  # it counts only when the driver's call has returned
    await done(at, settle("delete"))
    state = at.load_balancer(a.LB)
    assert not state.listeners
    assert not state.reported.leaving
    assert not state.pending
    assert refused(await at.ask(propose(delete_listener(), "too late")), Reason.NOT_FOUND)


async def test_a_driver_may_call_the_load_balancer_gone_before_its_deletion_is_settled() -> None:
    at = await served()
    await done(at, propose(commands.DeleteLoadBalancer(load_balancer_id=a.LB), "delete"), say(LB_GONE))
    assert not at.load_balancer(a.LB).deleted
    await done(at, settle("delete"))
    assert at.load_balancer(a.LB).deleted


async def test_the_order_of_what_a_driver_says_meanwhile_is_kept() -> None:
    at = await served()
    error = ObjectStatus(kind="loadbalancer", id=a.LB, provisioning_status="ERROR")
    await done(at, propose(a.create_listener()), say(LB_ACTIVE), say(error), say(LB_ACTIVE), settle())
    state = at.load_balancer(a.LB)
    assert (state.pending, state.failed) == (False, 0)


async def test_what_a_driver_says_meanwhile_counts_also_when_it_refuses() -> None:
    at = await with_listener()
    offline = ObjectStatus(kind="listener", id=a.LISTENER, operating_status="OFFLINE")
    unheard_of = ObjectStatus(kind="pool", id=a.POOL, provisioning_status="ERROR")
    await done(at, propose(a.create_pool(), "pool"), say(offline, unheard_of), settle("pool", accepted=False))
    reported = at.load_balancer(a.LB).reported
    assert reported.operating[a.LISTENER] == "OFFLINE"
    assert a.POOL not in reported.provisioning


async def test_what_a_driver_said_meanwhile_counts_when_the_proposal_lapses() -> None:
    at = await with_listener()
    await done(at, propose(delete_listener(), "delete"), say(LISTENER_GONE, LB_ACTIVE))
    await at.lapse(31.0)
    assert not at.load_balancer(a.LB).listeners


async def test_after_a_lapse_it_can_be_changed_again_though_nobody_has_undone_anything_yet() -> None:
    at = await served()
    await done(at, propose(a.create_listener()))
    await at.lapse(31.0)
    await carried_out(at, a.create_pool(), "pool")
    await done(at, say(LB_ACTIVE))
    state = at.load_balancer(a.LB)
    assert (state.failed, state.pending) == (0, False)
    assert a.POOL in state.pools
    await done(at, settle("one", accepted=False, reason="undone"), settle("one", accepted=False, reason="undone"))
    assert not at.load_balancer(a.LB).lapsed


async def test_after_a_driver_was_silent_it_can_be_changed_again() -> None:
    at = await served()
    await carried_out(at, a.create_listener(), "listener")
    await at.lapse(3_600.0)
    assert at.load_balancer(a.LB).failed
    await carried_out(at, a.create_pool(), "pool")
    await done(at, say(LB_ACTIVE))
    assert at.load_balancer(a.LB).failed == 0


async def test_a_lapsed_creation_is_not_asked_for_again_before_it_is_undone() -> None:
    at = world()
    await done(at, propose(create()))
    await at.lapse(31.0)
    assert refused(await at.ask(propose(create(), "two")), Reason.IMMUTABLE)
    await done(at, settle("one", accepted=False, reason="undone"))
    await carried_out(at, create(), "three")
    assert at.load_balancer(a.LB).load_balancer is not None


async def test_a_vendors_late_word_about_what_lapsed_changes_nothing() -> None:
    at = world()
    await done(at, propose(create()))
    await at.lapse(31.0)
    before = at.states.position
    await done(at, say(LB_ACTIVE))
    assert at.states.position == before


async def test_a_creation_is_proposed_before_its_address_is_made_and_again_with_it() -> None:
    at = world(quota={**dict.fromkeys(RESOURCES, -1), "loadbalancer": 1})
    unknown = replace(a.vip(), address="", port_id="", network_id="", subnet_id="")
    await done(at, propose(create(vip=unknown)))
    assert refused(await at.ask(settle()), Reason.CONFLICT)
    await done(at, propose(create()), propose(create()), settle())
    balancer = at.load_balancer(a.LB).load_balancer
    assert balancer is not None
    assert balancer.vip == a.vip()
