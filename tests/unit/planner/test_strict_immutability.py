"""Where a site wants upstream's 409: nothing changes while a load balancer is anything but ACTIVE."""

import builders as a
from actium_planner.deciders import load_balancer
from actium_shared.commands import planner as commands
from actium_shared.events.load_balancer import RoundFailed
from actium_shared.message import Reason, Rejected
from unit.planner.lives import NOW, after, grown, refused, served

CREATED = after()
CHANGED = grown(served(CREATED), a.create_pool())
FAILED = load_balancer.evolve(CHANGED, RoundFailed(load_balancer_id=a.LB, generation=2, reason="no"))
RENAME = commands.UpdateLoadBalancer(load_balancer_id=a.LB, changes=commands.LoadBalancerChanges(name="n"))
DELETE = commands.DeleteLoadBalancer(load_balancer_id=a.LB, cascade=True)


def test_every_change_of_a_pending_load_balancer_is_refused_by_its_state() -> None:
    for command in (a.create_listener(), RENAME, DELETE):
        answer = refused(command, CREATED, strict=True)
        assert answer.reason is Reason.IMMUTABLE
        assert "PENDING_CREATE" in answer.detail
        assert a.LB in answer.detail
    assert "PENDING_UPDATE" in refused(a.create_listener(), CHANGED, strict=True).detail


def test_in_error_only_a_deletion_is_taken() -> None:
    assert "ERROR" in refused(a.create_listener(), FAILED, strict=True).detail
    assert not isinstance(load_balancer.decide(DELETE, FAILED, NOW, strict=True), Rejected)


def test_an_active_one_takes_changes_and_a_new_one_is_created() -> None:
    assert not isinstance(load_balancer.decide(a.create_listener(), served(CHANGED), NOW, strict=True), Rejected)
    fresh = load_balancer.LoadBalancerState()
    assert not isinstance(load_balancer.decide(a.create_load_balancer(), fresh, NOW, strict=True), Rejected)


def test_a_repeated_wish_is_true_already_and_no_change() -> None:
    assert load_balancer.decide(a.create_pool(), CHANGED, NOW, strict=True) == []
    assert load_balancer.decide(a.create_load_balancer(), CREATED, NOW, strict=True) == []


def test_what_is_not_found_or_not_valid_is_called_so_first() -> None:
    assert refused(a.create_member(), CREATED, strict=True).reason is Reason.NOT_FOUND
    children = commands.DeleteLoadBalancer(load_balancer_id=a.LB)
    assert refused(children, CHANGED, strict=True).reason is Reason.INVALID


def test_without_it_a_load_balancer_is_not_a_lock() -> None:
    for state in (CREATED, CHANGED, FAILED):
        assert not isinstance(load_balancer.decide(a.create_listener(), state, NOW), Rejected)
