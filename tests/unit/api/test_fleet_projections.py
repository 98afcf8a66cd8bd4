"""What is shown of amphorae: of pairs, of spares on their way, of those that health speaks of, of several on one appliance."""

from datetime import timedelta
from typing import Any

import pytest

from actium_api.operator import fleet
from actium_api.operator.fleet import FleetMember, SparePool
from actium_api.read_model import queries
from actium_api.read_model.queries import PageQuery
from actium_api.read_model.tables import AMPHORAE, LISTENERS, LOAD_BALANCERS
from actium_shared.commands.health import LastHeard, LogFigures
from actium_shared.events.amphora import AmphoraBooted, AmphoraConfigured
from actium_shared.events.appliance import (
    AmphoraAppointed,
    AmphoraDismissed,
    AmphoraJoined,
    ApplianceCreated,
    LoadBalancerAdmitted,
    LoadBalancerReleased,
)
from actium_shared.events.health import AmphoraHeardAgain, AmphoraLossHeldBack, AmphoraLost, AmphoraRoleChanged
from actium_shared.events.load_balancer import (
    ListenerCreated,
    ListenerRemoved,
    LoadBalancerCreated,
    LoadBalancerSettled,
    RoundEnded,
)
from actium_shared.events.spares import (
    SpareAppointed,
    SpareCleared,
    SpareDismissed,
    SpareHandedOut,
    SpareReady,
    SparesFailed,
    SparesSized,
)
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, PortId, ProjectId, SparesId, SubnetId
from builders import an_id, listener, load_balancer, vip
from unit.api.given import START, ReadModel

LB, OTHER_LB = LoadBalancerId(an_id("lb")), LoadBalancerId(an_id("other"))
APPLIANCE, POOL = ApplianceId(an_id("appliance")), SparesId(an_id("spares"))
ONE, TWO, SPARE = (AmphoraId(an_id(name)) for name in ("one", "two", "spare"))
ZONE = {"compute_zone": "rack-7"}
SOON = START + timedelta(minutes=1)


@pytest.fixture
def model() -> ReadModel:
    model = ReadModel()
    for lb_id, name in ((LB, "web"), (OTHER_LB, "mail")):
        wish = load_balancer(id=lb_id, name=name, availability_zone="az", availability_zone_data=ZONE)
        model.happened(LoadBalancerCreated(load_balancer_id=lb_id, generation=1, load_balancer=wish))
    model.happened(
        ApplianceCreated(
            appliance_id=APPLIANCE,
            project_id=ProjectId("p"),
            topology="ACTIVE_STANDBY",
            image_tag="v1",
            flavor={"compute_flavor": "small"},
        ),
        LoadBalancerAdmitted(appliance_id=APPLIANCE, load_balancer_id=LB),
        LoadBalancerAdmitted(appliance_id=APPLIANCE, load_balancer_id=OTHER_LB),
    )
    return model


def appointed(amphora_id: AmphoraId, role: str, **more: Any) -> AmphoraAppointed:
    return AmphoraAppointed(
        appliance_id=APPLIANCE,
        amphora_id=amphora_id,
        role=role,
        attempt=1,
        management_port_id=PortId("m"),
        vip_port_id=PortId(f"front-{amphora_id}"),
        vip_subnet_id=SubnetId("s"),
        deadline_at=SOON,
        **more,
    )


def booted(amphora_id: AmphoraId, appliance_id: str, host: str = "host-1") -> AmphoraBooted:
    return AmphoraBooted(
        amphora_id=amphora_id,
        appliance_id=ApplianceId(appliance_id),
        compute_id=f"machine of {amphora_id[:8]}",
        host=host,
        image_tag="v1",
        management_address="10.250.1.7",
        heartbeat_key_version=1,
        certificate_expires_at=SOON,
    )


def sized(size: int = 2) -> SparesSized:
    flavor = {"compute_flavor": "small"}
    return SparesSized(
        spares_id=POOL, size=size, image_tag="v1", flavor=flavor, availability_zone="az", availability_zone_data=ZONE
    )


def come(model: ReadModel) -> None:
    """A spare is ordered, boots and waits."""
    waits = SpareAppointed(spares_id=POOL, amphora_id=SPARE, management_port_id=PortId("m"), deadline_at=SOON)
    model.happened(sized())
    model.happened(waits)
    model.happened(booted(SPARE, POOL), owner="compute")
    model.happened(SpareReady(spares_id=POOL, amphora_id=SPARE, host="host-1"))


def shown_ids(model: ReadModel, **filters: object) -> set[str]:
    query = PageQuery(filters=filters, sort=(("created_at", False), ("id", False)), limit=10)
    with model.database.engine.connect() as connection:
        return {row_id for row_id, _ in queries.page(connection, AMPHORAE, query)}


HEARD = LastHeard(heard_at={SPARE: START}, logs={SPARE: LogFigures(shipped=7, lost={"full": 2})})


def members(model: ReadModel) -> dict[str, FleetMember]:
    with model.database.engine.connect() as connection:
        return {each.id: each for each in fleet.amphorae(connection, HEARD)}


def pools(model: ReadModel) -> list[SparePool]:
    with model.database.engine.connect() as connection:
        return fleet.spares(connection)


def test_a_pair_shows_what_keepalived_is_told(model: ReadModel) -> None:
    model.happened(appointed(ONE, "MASTER"), appointed(TWO, "BACKUP"))
    for amphora_id, role, priority in ((ONE, "MASTER", 254), (TWO, "BACKUP", 253)):
        shown = model.show(AMPHORAE, amphora_id)
        assert (shown["role"], shown["vrrp_priority"]) == (role, priority)
        assert (shown["vrrp_interface"], shown["vrrp_id"]) == ("vip0", 1)
        assert (shown["compute_flavor"], shown["cached_zone"]) == ("small", "rack-7")
        assert (shown["ha_ip"], shown["vrrp_port_id"]) == (vip().address, f"front-{amphora_id}")


def test_who_stands_alone_has_no_part_in_vrrp(model: ReadModel) -> None:
    model.happened(appointed(ONE, "STANDALONE"))
    shown = model.show(AMPHORAE, ONE)
    assert (shown["role"], shown["vrrp_interface"], shown["vrrp_priority"]) == ("STANDALONE", None, None)


def test_an_amphora_shows_the_oldest_that_it_carries_and_is_found_by_all(model: ReadModel) -> None:
    model.happened(appointed(ONE, "STANDALONE"))
    assert model.show(AMPHORAE, ONE)["loadbalancer_id"] == LB
    assert shown_ids(model, loadbalancer_id=LB) == shown_ids(model, loadbalancer_id=OTHER_LB) == {ONE}
    assert shown_ids(model, loadbalancer_id=an_id("nobody")) == set()
    model.happened(LoadBalancerReleased(appliance_id=APPLIANCE, load_balancer_id=LB))
    assert model.show(AMPHORAE, ONE)["loadbalancer_id"] == OTHER_LB
    assert shown_ids(model, loadbalancer_id=LB) == set()


def test_a_spare_belongs_to_nobody_and_waits(model: ReadModel) -> None:
    model.happened(sized())
    waits = SpareAppointed(spares_id=POOL, amphora_id=SPARE, management_port_id=PortId("m"), deadline_at=SOON)
    model.happened(waits)
    assert model.show(AMPHORAE, SPARE)["status"] == "BOOTING"
    model.happened(booted(SPARE, POOL), owner="compute")
    model.happened(SpareReady(spares_id=POOL, amphora_id=SPARE, host="host-1"))
    shown = model.show(AMPHORAE, SPARE)
    assert (shown["status"], shown["role"], shown["loadbalancer_id"], shown["vrrp_id"]) == ("READY", None, None, None)
    assert (shown["image_id"], shown["compute_flavor"], shown["cached_zone"]) == ("v1", "small", "rack-7")


def test_a_spare_that_is_handed_out_is_the_appliances_from_then_on(model: ReadModel) -> None:
    come(model)
    handed = SpareHandedOut(
        spares_id=POOL,
        amphora_id=SPARE,
        appliance_id=APPLIANCE,
        search=1,
        host="host-1",
        management_port_id=PortId("m"),
    )
    model.happened(handed)
    assert model.show(AMPHORAE, SPARE)["status"] == "PENDING_UPDATE"
    created_at = model.show(AMPHORAE, SPARE)["created_at"]
    model.happened(appointed(SPARE, "STANDALONE", spare=True, host="host-1"))
    model.happened(AmphoraJoined(appliance_id=APPLIANCE, amphora_id=SPARE))
    shown = model.show(AMPHORAE, SPARE)
    assert (shown["status"], shown["role"], shown["loadbalancer_id"]) == ("ALLOCATED", "STANDALONE", LB)
    assert shown["created_at"] == created_at
    model.happened(booted(SPARE, POOL), owner="compute")  # what is told late still names the pool
    assert model.show(AMPHORAE, SPARE)["loadbalancer_id"] == LB


def test_a_spare_that_goes_is_shown_until_nothing_of_it_is_left(model: ReadModel) -> None:
    come(model)
    model.happened(SpareDismissed(spares_id=POOL, amphora_id=SPARE, reason="one too many"))
    assert model.show(AMPHORAE, SPARE)["status"] == "PENDING_DELETE"
    model.happened(SpareCleared(spares_id=POOL, amphora_id=SPARE))
    assert not model.has(AMPHORAE, SPARE)


def test_what_health_says_of_an_amphora_shows_in_its_status(model: ReadModel) -> None:
    model.happened(appointed(ONE, "MASTER"))
    model.happened(AmphoraJoined(appliance_id=APPLIANCE, amphora_id=ONE))
    about: dict[str, Any] = {"amphora_id": ONE, "appliance_id": APPLIANCE}
    model.happened(AmphoraLossHeldBack(**about, last_heard_at=START, reason="too many at once"), owner="health")
    assert model.show(AMPHORAE, ONE)["status"] == "FAILOVER_STOPPED"
    assert members(model)[ONE].trouble == "too many at once"
    model.happened(AmphoraHeardAgain(**about), owner="health")
    assert model.show(AMPHORAE, ONE)["status"] == "ALLOCATED"
    model.happened(AmphoraLost(**about, last_heard_at=START, reason="silent"), owner="health")
    assert model.show(AMPHORAE, ONE)["status"] == "ERROR"
    model.happened(AmphoraDismissed(appliance_id=APPLIANCE, amphora_id=ONE, reason="lost"))
    assert model.show(AMPHORAE, ONE)["status"] == "PENDING_DELETE"


def test_operators_see_what_an_amphora_runs_and_says_of_itself(model: ReadModel) -> None:
    model.happened(appointed(ONE, "MASTER"), appointed(TWO, "BACKUP"))
    model.happened(booted(ONE, APPLIANCE), owner="compute")
    about: dict[str, Any] = {"amphora_id": ONE, "appliance_id": APPLIANCE}
    configured = AmphoraConfigured(**about, bundle=7, epoch=3, digest="d" * 64, result="reload", took_ms=1.0)
    model.happened(configured, owner="compute")
    model.happened(AmphoraRoleChanged(**about, role="BACKUP", epoch=3), owner="health")
    found = members(model)
    one = found[ONE]
    assert (one.bundle, one.epoch, one.digest, one.vrrp_state, one.host) == (7, 3, "d" * 64, "BACKUP", "host-1")
    assert [each.name for each in one.load_balancers] == ["web", "mail"]
    assert (one.topology, one.spares_id, found[TWO].host) == ("ACTIVE_STANDBY", None, None)


def test_operators_see_pools_with_what_they_lack(model: ReadModel) -> None:
    come(model)
    model.happened(SparesFailed(spares_id=POOL, reason="out of resources: no host", retry_at=SOON))
    (pool,) = pools(model)
    assert (pool.size, pool.ready, pool.coming, pool.hosts) == (2, 1, 0, ("host-1",))
    assert pool.trouble == "out of resources: no host"
    assert (members(model)[SPARE].spares_id, members(model)[SPARE].last_heard_at) == (POOL, START)
    assert members(model)[SPARE].logs == LogFigures(shipped=7, lost={"full": 2})
    model.happened(sized(0))
    assert pools(model)[0].size == 0  # one is left to go
    model.happened(SpareDismissed(spares_id=POOL, amphora_id=SPARE, reason="one too many"))
    assert pools(model) == []


def test_what_is_settled_shows_as_failed_and_what_was_to_go_is_gone(model: ReadModel) -> None:
    kept, gone = listener(id=an_id("kept")), listener(id=an_id("gone"), protocol_port=81)
    model.happened(
        ListenerCreated(load_balancer_id=LB, generation=2, listener=kept),
        ListenerCreated(load_balancer_id=LB, generation=2, listener=gone),
    )
    model.happened(ListenerRemoved(load_balancer_id=LB, generation=3, listener_id=gone.id))
    model.happened(LoadBalancerSettled(load_balancer_id=LB, reason="nobody comes"))
    assert model.show(LOAD_BALANCERS, LB)["provisioning_status"] == "ERROR"
    assert model.show(LISTENERS, kept.id)["provisioning_status"] == "ERROR"
    assert not model.has(LISTENERS, gone.id)
    model.happened(RoundEnded(load_balancer_id=LB, generation=3))  # what was at work goes on
    assert model.show(LISTENERS, kept.id)["provisioning_status"] == "ACTIVE"
