"""Given events of what carries load balancers, expect rows: amphorae, networks, VIPs, ports, statistics."""

from datetime import timedelta

import pytest

from actium_api.read_model import queries
from actium_api.read_model.statistics import project_statistics
from actium_api.read_model.tables import (
    AMPHORAE,
    LOAD_BALANCERS,
    NETWORKS,
    PORTS,
    STATISTICS,
    VIPS,
)
from actium_shared.events.amphora import AmphoraBooted, AmphoraBootFailed, AmphoraDeleted
from actium_shared.events.appliance import (
    AmphoraAppointed,
    AmphoraCleared,
    AmphoraDismissed,
    AmphoraJoined,
    ApplianceCreated,
    LoadBalancerAdmitted,
)
from actium_shared.events.load_balancer import (
    ListenerCreated,
    LoadBalancerCreated,
    LoadBalancerPlaced,
    RoundEnded,
)
from actium_shared.events.network import (
    Network,
    NetworkDiscovered,
    NetworkVanished,
    Port,
    PortCreated,
    PortDeleted,
    Subnet,
    VipReleased,
    VipReserved,
)
from actium_shared.ids import (
    AmphoraId,
    ApplianceId,
    ListenerId,
    NetworkId,
    PortId,
    ProjectId,
    SubnetId,
)
from actium_shared.statistics import ListenerTotals, LoadBalancerStatistics
from builders import (
    LB,
    LISTENER,
    an_id,
    listener,
    load_balancer,
    vip,
)
from unit.api.given import START, ReadModel

APPLIANCE = ApplianceId(an_id("appliance"))
AMPHORA = AmphoraId(an_id("amphora"))


@pytest.fixture
def model() -> ReadModel:
    return ReadModel()


@pytest.fixture
def active(model: ReadModel) -> ReadModel:
    model.happened(
        LoadBalancerCreated(load_balancer_id=LB, generation=1, load_balancer=load_balancer()),
        ListenerCreated(load_balancer_id=LB, generation=1, listener=listener()),
    )
    model.happened(RoundEnded(load_balancer_id=LB, generation=1))
    return model


def appointed() -> AmphoraAppointed:
    return AmphoraAppointed(
        appliance_id=APPLIANCE,
        amphora_id=AMPHORA,
        role="STANDALONE",
        attempt=1,
        management_port_id=PortId("management"),
        vip_port_id=PortId("front"),
        vip_subnet_id=SubnetId("s"),
        deadline_at=START + timedelta(minutes=1),
    )


def booted() -> AmphoraBooted:
    return AmphoraBooted(
        amphora_id=AMPHORA,
        appliance_id=APPLIANCE,
        compute_id="machine",
        host="host-1",
        image_tag="default",
        management_address="10.250.1.7",
        heartbeat_key_version=1,
        certificate_expires_at=START + timedelta(days=30),
    )


def front_port() -> PortCreated:
    port = Port(
        id=PortId("front"),
        network_id=NetworkId("n"),
        subnet_id=SubnetId("s"),
        address="203.0.113.101",
        prefix_length=24,
        mac="02:00:00:00:00:01",
        mtu=1500,
    )
    return PortCreated(amphora_id=AMPHORA, appliance_id=APPLIANCE, port=port)


def admitted() -> list[ApplianceCreated | LoadBalancerAdmitted | AmphoraAppointed]:
    return [
        ApplianceCreated(appliance_id=APPLIANCE, project_id=ProjectId("p"), topology="SINGLE", image_tag="default"),
        LoadBalancerAdmitted(appliance_id=APPLIANCE, load_balancer_id=LB),
        appointed(),
    ]


def test_an_amphora_is_put_together_from_three_services(active: ReadModel) -> None:
    active.happened(*admitted())
    assert active.show(AMPHORAE, AMPHORA)["status"] == "BOOTING"
    active.happened(front_port(), owner="network")
    active.happened(booted(), owner="compute")
    active.happened(AmphoraJoined(appliance_id=APPLIANCE, amphora_id=AMPHORA))
    shown = active.show(AMPHORAE, AMPHORA)
    assert shown["status"] == "ALLOCATED"
    assert shown["loadbalancer_id"] == LB
    assert (shown["lb_network_ip"], shown["vrrp_ip"], shown["ha_ip"]) == (
        "10.250.1.7",
        "203.0.113.101",
        vip().address,
    )
    assert shown["cert_expiration"] == "2026-12-22T06:00:00"


def test_an_amphora_that_compute_spoke_of_first_is_not_shown_yet(model: ReadModel) -> None:
    model.happened(booted(), owner="compute")
    assert not model.has(AMPHORAE, AMPHORA)


def test_an_amphora_that_is_cleared_is_not_shown_whatever_is_told_late(active: ReadModel) -> None:
    active.happened(*admitted())
    active.happened(AmphoraDismissed(appliance_id=APPLIANCE, amphora_id=AMPHORA, reason="deleted"))
    assert active.show(AMPHORAE, AMPHORA)["status"] == "PENDING_DELETE"
    active.happened(AmphoraCleared(appliance_id=APPLIANCE, amphora_id=AMPHORA))
    active.happened(booted(), owner="compute")
    active.happened(AmphoraDeleted(amphora_id=AMPHORA, appliance_id=APPLIANCE), owner="compute")
    assert not active.has(AMPHORAE, AMPHORA)


def test_an_amphora_that_did_not_boot_is_in_error(active: ReadModel) -> None:
    active.happened(*admitted())
    failed = AmphoraBootFailed(amphora_id=AMPHORA, appliance_id=APPLIANCE, reason="no memory")
    active.happened(failed, owner="compute")
    assert active.show(AMPHORAE, AMPHORA)["status"] == "ERROR"


def test_networks_vips_and_ports_come_and_go(model: ReadModel) -> None:
    subnet = Subnet(id=SubnetId("s"), name="public", network_id=NetworkId("n"), cidr="203.0.113.0/24")
    network = Network(id=NetworkId("n"), name="public", role="vip", mtu=1500, subnets=(subnet,))
    model.happened(NetworkDiscovered(network=network), owner="network")
    model.happened(VipReserved(load_balancer_id=LB, project_id=ProjectId("p"), vip=vip()), owner="network")
    model.happened(front_port(), owner="network")
    rows = model.contents()
    assert rows[NETWORKS.name][0]["subnets"][0]["cidr"] == "203.0.113.0/24"
    assert rows[VIPS.name][0]["address"] == vip().address
    assert rows[PORTS.name][0]["mac"] == "02:00:00:00:00:01"
    gone = PortDeleted(amphora_id=AMPHORA, appliance_id=APPLIANCE, port_id=PortId("front"))
    model.happened(gone, owner="network")
    model.happened(VipReleased(load_balancer_id=LB, reason="deleted"), owner="network")
    model.happened(NetworkVanished(network_id=NetworkId("n")), owner="network")
    rows = model.contents()
    assert not rows[NETWORKS.name] + rows[VIPS.name] + rows[PORTS.name]


def totals(amphora_id: str, count: int, active: int = 0) -> LoadBalancerStatistics:
    figures = ListenerTotals(bytes_in=count, bytes_out=count, active_connections=active, total_connections=count)
    return LoadBalancerStatistics(
        load_balancer_id=LB, amphora_id=AmphoraId(amphora_id), at=START, listeners={ListenerId(LISTENER): figures}
    )


def test_statistics_are_summed_over_amphorae_and_the_newest_counts(active: ReadModel) -> None:
    active.happened(*admitted(), AmphoraJoined(appliance_id=APPLIANCE, amphora_id=AMPHORA))
    with active.database.engine.begin() as connection:
        project_statistics(
            connection, [totals(AMPHORA, 5), totals("dead", 100, active=9), totals(AMPHORA, 7, active=2)]
        )
        sums = queries.statistics(connection, STATISTICS.c.load_balancer_id == LB)
    assert (sums["bytes_in"], sums["total_connections"]) == (107, 107)
    assert sums["active_connections"] == 2


def test_statistics_of_an_unknown_load_balancer_are_dropped(model: ReadModel) -> None:
    with model.database.engine.begin() as connection:
        project_statistics(connection, [totals(AMPHORA, 5)])
    assert model.contents()[STATISTICS.name] == []


def test_a_placed_load_balancer_shows_nothing_of_it(active: ReadModel) -> None:
    before = active.show(LOAD_BALANCERS, LB)
    active.happened(LoadBalancerPlaced(load_balancer_id=LB, appliance_id=APPLIANCE))
    assert active.show(LOAD_BALANCERS, LB) == before
