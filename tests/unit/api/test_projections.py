"""Given events of load balancers and what is in them, expect rows. Of what carries them: `test_carrier_projections`."""

import pytest
import sqlalchemy as sa

from actium_api.read_model.tables import (
    HEALTH_MONITORS,
    LISTENERS,
    LOAD_BALANCERS,
    MEMBERS,
    POOLS,
    TAGS,
)
from actium_shared.events.health import OperatingStatusChanged, StatusChange
from actium_shared.events.load_balancer import (
    HealthMonitorCreated,
    HealthMonitorRemoved,
    ListenerCreated,
    ListenerRemoved,
    ListenerUpdated,
    LoadBalancerCreated,
    LoadBalancerDeleted,
    LoadBalancerDeletionDelayed,
    LoadBalancerDeletionRequested,
    LoadBalancerEvent,
    LoadBalancerUpdated,
    MemberCreated,
    MemberUpdated,
    PoolCreated,
    PoolRemoved,
    PoolUpdated,
    RoundBegun,
    RoundEnded,
    RoundFailed,
)
from actium_shared.ids import (
    LoadBalancerId,
    MemberId,
)
from builders import (
    LB,
    LISTENER,
    MEMBER,
    MONITOR,
    POOL,
    an_id,
    health_monitor,
    listener,
    load_balancer,
    member,
    pool,
)
from unit.api.given import ReadModel


def tree(generation: int = 1) -> list[LoadBalancerEvent]:
    """Give what a create with everything in it makes happen."""
    return [
        LoadBalancerCreated(load_balancer_id=LB, generation=generation, load_balancer=load_balancer(tags=("a", "b"))),
        PoolCreated(load_balancer_id=LB, generation=generation, pool=pool()),
        MemberCreated(load_balancer_id=LB, generation=generation, pool_id=POOL, member=member()),
        HealthMonitorCreated(load_balancer_id=LB, generation=generation, pool_id=POOL, health_monitor=health_monitor()),
        ListenerCreated(load_balancer_id=LB, generation=generation, listener=listener(default_pool_id=POOL)),
    ]


@pytest.fixture
def model() -> ReadModel:
    return ReadModel()


@pytest.fixture
def active(model: ReadModel) -> ReadModel:
    model.happened(*tree())
    model.happened(RoundEnded(load_balancer_id=LB, generation=1))
    return model


def provisioning(model: ReadModel) -> dict[str, str]:
    """Give the provisioning status of everything that is there."""
    tables = {
        "load balancer": LOAD_BALANCERS,
        "listener": LISTENERS,
        "pool": POOLS,
        "member": MEMBERS,
        "monitor": HEALTH_MONITORS,
    }
    with model.database.engine.connect() as connection:
        return {
            name: status
            for name, table in tables.items()
            for status in connection.scalars(sa.select(table.c.provisioning_status))
        }


def test_everything_of_a_create_is_pending_and_shows_its_relations(model: ReadModel) -> None:
    model.happened(*tree())
    assert set(provisioning(model).values()) == {"PENDING_CREATE"}
    shown = model.show(LOAD_BALANCERS, LB)
    assert shown["listeners"] == [{"id": LISTENER}]
    assert shown["pools"] == [{"id": POOL}]
    assert shown["tags"] == ["a", "b"]
    assert (shown["created_at"], shown["updated_at"]) == ("2026-11-22T06:00:01", None)
    shown = model.show(POOLS, POOL)
    assert shown["members"] == [{"id": MEMBER}]
    assert shown["healthmonitor_id"] == MONITOR
    assert shown["listeners"] == [{"id": LISTENER}]
    assert model.show(HEALTH_MONITORS, MONITOR)["pools"] == [{"id": POOL}]


def test_a_pool_without_monitor_leaves_the_field_out_and_its_members_are_not_monitored(model: ReadModel) -> None:
    events = [event for event in tree() if not isinstance(event, HealthMonitorCreated)]
    model.happened(*events)
    assert "healthmonitor_id" not in model.show(POOLS, POOL)
    assert model.show(MEMBERS, MEMBER)["operating_status"] == "NO_MONITOR"


def test_a_member_of_a_monitored_pool_starts_offline(model: ReadModel) -> None:
    model.happened(*tree())
    assert model.show(MEMBERS, MEMBER)["operating_status"] == "OFFLINE"


def test_the_end_of_a_round_makes_everything_active_and_the_monitor_online(active: ReadModel) -> None:
    assert set(provisioning(active).values()) == {"ACTIVE"}
    assert active.show(HEALTH_MONITORS, MONITOR)["operating_status"] == "ONLINE"
    assert active.show(LOAD_BALANCERS, LB)["updated_at"] == "2026-11-22T06:00:02"


def test_a_disabled_monitor_is_offline_when_active(model: ReadModel) -> None:
    off = health_monitor(admin_state_up=False)
    events = [event for event in tree() if not isinstance(event, HealthMonitorCreated)]
    model.happened(*events, HealthMonitorCreated(load_balancer_id=LB, generation=1, pool_id=POOL, health_monitor=off))
    model.happened(RoundEnded(load_balancer_id=LB, generation=1))
    assert model.show(HEALTH_MONITORS, MONITOR)["operating_status"] == "OFFLINE"


def test_a_changed_member_makes_pool_listener_and_load_balancer_pending(active: ReadModel) -> None:
    active.happened(MemberUpdated(load_balancer_id=LB, generation=2, pool_id=POOL, member=member(weight=7)))
    assert provisioning(active) == {
        "load balancer": "PENDING_UPDATE",
        "listener": "PENDING_UPDATE",
        "pool": "PENDING_UPDATE",
        "member": "PENDING_UPDATE",
        "monitor": "ACTIVE",
    }
    assert active.show(MEMBERS, MEMBER)["weight"] == 7


def test_new_words_that_need_no_round_are_active_at_once_and_tell_when_they_came(active: ReadModel) -> None:
    active.happened(
        ListenerUpdated(load_balancer_id=LB, generation=1, listener=listener(default_pool_id=POOL, name="n")),
        RoundEnded(load_balancer_id=LB, generation=1),
    )
    shown = active.show(LISTENERS, LISTENER)
    assert set(provisioning(active).values()) == {"ACTIVE"}
    assert (shown["name"], shown["updated_at"]) == ("n", "2026-11-22T06:00:03")


def test_a_changed_listener_leaves_its_pool_alone(active: ReadModel) -> None:
    active.happened(
        ListenerUpdated(load_balancer_id=LB, generation=2, listener=listener(default_pool_id=POOL, name="n"))
    )
    assert provisioning(active) | {"monitor": ""} == {
        "load balancer": "PENDING_UPDATE",
        "listener": "PENDING_UPDATE",
        "pool": "ACTIVE",
        "member": "ACTIVE",
        "monitor": "",
    }


def test_a_changed_pool_makes_its_listener_pending_and_not_its_members(active: ReadModel) -> None:
    active.happened(PoolUpdated(load_balancer_id=LB, generation=2, pool=pool(name="n")))
    assert provisioning(active) == {
        "load balancer": "PENDING_UPDATE",
        "listener": "PENDING_UPDATE",
        "pool": "PENDING_UPDATE",
        "member": "ACTIVE",
        "monitor": "ACTIVE",
    }


def test_a_changed_load_balancer_leaves_its_children_alone(active: ReadModel) -> None:
    active.happened(LoadBalancerUpdated(load_balancer_id=LB, generation=2, load_balancer=load_balancer(name="new")))
    assert provisioning(active) == {
        "load balancer": "PENDING_UPDATE",
        **dict.fromkeys(("listener", "pool", "member", "monitor"), "ACTIVE"),
    }
    assert active.show(LOAD_BALANCERS, LB)["name"] == "new"
    assert active.show(LOAD_BALANCERS, LB)["tags"] == []
    with active.database.engine.connect() as connection:
        assert connection.execute(sa.select(TAGS)).all() == []


def test_a_round_ends_only_what_it_holds(active: ReadModel) -> None:
    active.happened(MemberUpdated(load_balancer_id=LB, generation=2, pool_id=POOL, member=member(weight=7)))
    active.happened(
        ListenerUpdated(load_balancer_id=LB, generation=3, listener=listener(default_pool_id=POOL, name="n"))
    )
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert provisioning(active) | {"monitor": ""} == {
        "load balancer": "ACTIVE",
        "listener": "PENDING_UPDATE",
        "pool": "ACTIVE",
        "member": "ACTIVE",
        "monitor": "",
    }
    active.happened(RoundBegun(load_balancer_id=LB, generation=3))
    assert provisioning(active)["load balancer"] == "PENDING_UPDATE"


def test_what_is_still_being_created_stays_so_when_it_is_changed(model: ReadModel) -> None:
    model.happened(*tree())
    model.happened(RoundBegun(load_balancer_id=LB, generation=1))
    model.happened(MemberUpdated(load_balancer_id=LB, generation=2, pool_id=POOL, member=member(weight=7)))
    assert set(provisioning(model).values()) == {"PENDING_CREATE"}


def test_a_failed_round_shows_error_and_the_next_good_one_heals(active: ReadModel) -> None:
    active.happened(MemberUpdated(load_balancer_id=LB, generation=2, pool_id=POOL, member=member(weight=7)))
    active.happened(RoundFailed(load_balancer_id=LB, generation=2, reason="haproxy refused"))
    assert provisioning(active) == {
        **dict.fromkeys(("load balancer", "listener", "pool", "member"), "ERROR"),
        "monitor": "ACTIVE",
    }
    active.happened(MemberUpdated(load_balancer_id=LB, generation=3, pool_id=POOL, member=member(weight=8)))
    active.happened(RoundEnded(load_balancer_id=LB, generation=3))
    assert set(provisioning(active).values()) == {"ACTIVE"}


def test_a_removed_child_is_shown_until_its_round_ends(active: ReadModel) -> None:
    active.happened(ListenerRemoved(load_balancer_id=LB, generation=2, listener_id=LISTENER))
    assert active.show(LISTENERS, LISTENER)["provisioning_status"] == "PENDING_DELETE"
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert not active.has(LISTENERS, LISTENER)
    assert active.show(LOAD_BALANCERS, LB)["listeners"] == []
    assert active.show(POOLS, POOL)["listeners"] == []


def test_a_removed_pool_takes_members_and_monitor_with_it(active: ReadModel) -> None:
    active.happened(
        ListenerUpdated(load_balancer_id=LB, generation=2, listener=listener()),
        PoolRemoved(load_balancer_id=LB, generation=2, pool_id=POOL),
    )
    assert active.show(LISTENERS, LISTENER)["default_pool_id"] is None
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert provisioning(active) == {"load balancer": "ACTIVE", "listener": "ACTIVE"}
    assert active.show(LOAD_BALANCERS, LB)["pools"] == []


def test_when_the_monitor_is_gone_members_are_not_monitored(active: ReadModel) -> None:
    status = OperatingStatusChanged(
        load_balancer_id=LB, changes=(StatusChange(kind="member", id=MEMBER, operating_status="ONLINE"),)
    )
    active.happened(status, owner="health", reads={"EVENTS_PLANNER": 2})
    active.happened(HealthMonitorRemoved(load_balancer_id=LB, generation=2, pool_id=POOL, health_monitor_id=MONITOR))
    assert active.show(MEMBERS, MEMBER)["operating_status"] == "ONLINE"
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert active.show(MEMBERS, MEMBER)["operating_status"] == "NO_MONITOR"
    assert "healthmonitor_id" not in active.show(POOLS, POOL)


def test_a_deleted_load_balancer_leaves_nothing(active: ReadModel) -> None:
    active.happened(LoadBalancerDeletionRequested(load_balancer_id=LB, generation=2))
    assert provisioning(active) == {
        "load balancer": "PENDING_DELETE",
        **dict.fromkeys(("listener", "pool", "member", "monitor"), "ACTIVE"),
    }
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    assert provisioning(active)["load balancer"] == "PENDING_DELETE"
    active.happened(LoadBalancerDeleted(load_balancer_id=LB))
    assert all(not rows for name, rows in active.contents().items() if name != "positions")


def test_a_deletion_that_takes_too_long_shows_error_until_it_is_done(active: ReadModel) -> None:
    active.happened(LoadBalancerDeletionRequested(load_balancer_id=LB, generation=2))
    active.happened(LoadBalancerDeletionDelayed(load_balancer_id=LB, generation=2, reason="compute is away"))
    assert active.show(LOAD_BALANCERS, LB)["provisioning_status"] == "ERROR"
    active.happened(LoadBalancerDeleted(load_balancer_id=LB))
    assert not active.has(LOAD_BALANCERS, LB)


def test_operating_statuses_are_shown_and_those_of_unknown_objects_dropped(active: ReadModel) -> None:
    changes = (
        StatusChange(kind="loadbalancer", id=LB, operating_status="ONLINE"),
        StatusChange(kind="listener", id=LISTENER, operating_status="ONLINE"),
        StatusChange(kind="member", id=MEMBER, operating_status="ERROR", reason="L4CON"),
        StatusChange(kind="member", id="gone", operating_status="ONLINE"),
        StatusChange(kind="galaxy", id="unheard of", operating_status="ONLINE"),
    )
    event = OperatingStatusChanged(load_balancer_id=LB, changes=changes)
    active.happened(event, owner="health", reads={"EVENTS_PLANNER": 2})
    assert active.show(LOAD_BALANCERS, LB)["operating_status"] == "ONLINE"
    assert active.show(LISTENERS, LISTENER)["operating_status"] == "ONLINE"
    assert active.show(MEMBERS, MEMBER)["operating_status"] == "ERROR"
    assert active.show(MEMBERS, MEMBER)["updated_at"] == "2026-11-22T06:00:03"


def test_a_second_pool_and_an_old_one_both_show_who_uses_them(active: ReadModel) -> None:
    other = pool(id=an_id("other pool"))
    active.happened(
        PoolCreated(load_balancer_id=LB, generation=2, pool=other),
        ListenerUpdated(load_balancer_id=LB, generation=2, listener=listener(default_pool_id=other.id)),
    )
    assert active.show(POOLS, POOL)["listeners"] == []
    assert active.show(POOLS, other.id)["listeners"] == [{"id": LISTENER}]


def test_many_members_in_one_commit_are_all_there(active: ReadModel) -> None:
    count = 1_200
    active.happened(
        *(
            MemberCreated(
                load_balancer_id=LB,
                generation=2,
                pool_id=POOL,
                member=member(id=MemberId(an_id(str(number))), address=f"10.0.{number // 250}.{number % 250}"),
            )
            for number in range(count)
        )
    )
    assert len(active.show(POOLS, POOL)["members"]) == count + 1
    active.happened(RoundEnded(load_balancer_id=LB, generation=2))
    with active.database.engine.connect() as connection:
        statuses = connection.scalars(sa.select(MEMBERS.c.provisioning_status).distinct()).all()
    assert statuses == ["ACTIVE"]


def test_an_id_that_two_load_balancers_got_at_once_stays_with_the_first(active: ReadModel) -> None:
    other = LoadBalancerId(an_id("another"))
    wish = load_balancer(id=other)
    active.happened(LoadBalancerCreated(load_balancer_id=other, generation=1, load_balancer=wish))
    stolen = listener(id=LISTENER, name="stolen")
    active.happened(ListenerCreated(load_balancer_id=other, generation=2, listener=stolen))
    shown = active.show(LISTENERS, LISTENER)
    assert (shown["name"], shown["loadbalancers"]) == (listener().name, [{"id": LB}])
