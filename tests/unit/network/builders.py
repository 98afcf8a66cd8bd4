"""A small world of networks, and messages filled in with all that a test does not care about."""

from datetime import UTC, datetime, timedelta

from actium_network.allocation import Space
from actium_shared.commands.network import PortWish, ReserveVip, SettlePorts
from actium_shared.embedded import mac_of
from actium_shared.envelope import COMMIT_TYPE, Envelope
from actium_shared.event_store import Recorded
from actium_shared.events.network import Network, Port, Subnet, VipReserved
from actium_shared.ids import AmphoraId, ApplianceId, LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId, derived_id
from actium_shared.message import ClockCause, Commit, Event, Position
from actium_shared.wishes import Vip

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB = LoadBalancerId("11111111-0000-4000-8000-000000000001")
OTHER = LoadBalancerId("11111111-0000-4000-8000-000000000002")
AMPHORA = AmphoraId("22222222-0000-4000-8000-000000000001")
APPLIANCE = ApplianceId("33333333-0000-4000-8000-000000000001")
PROJECT = ProjectId("project")
MANAGEMENT_PORT = PortId("44444444-0000-4000-8000-000000000001")
VIP_PORT = PortId("44444444-0000-4000-8000-000000000002")


def subnet(name: str, cidr: str, *, network: str, pool: tuple[str, str] | None = None, gateway: str | None) -> Subnet:
    return Subnet(
        id=SubnetId(f"subnet-{name}"),
        name=name,
        network_id=NetworkId(f"network-{network}"),
        cidr=cidr,
        gateway=gateway,
        pool_start=pool[0] if pool else None,
        pool_end=pool[1] if pool else None,
    )


def network(name: str, role: str, *subnets: Subnet) -> Network:
    return Network(id=NetworkId(f"network-{name}"), name=name, role=role, mtu=1500, subnets=subnets)


PUBLIC_SUBNET = subnet(
    "public", "203.0.113.0/24", network="public", pool=("203.0.113.100", "203.0.113.102"), gateway="203.0.113.1"
)
PUBLIC = network("public", "vip", PUBLIC_SUBNET)
MANAGEMENT = network("mgmt", "management", subnet("mgmt", "10.250.0.0/30", network="mgmt", pool=None, gateway=None))
DUAL = network(
    "dual",
    "tenant",
    subnet("six", "2001:db8::/64", network="dual", gateway="2001:db8::1"),
    subnet("four", "10.1.0.0/29", network="dual", gateway="10.1.0.1"),
)
NETWORKS = (PUBLIC, MANAGEMENT, DUAL)


def space(*taken: str, subnet_id: str = "subnet-public") -> Space:
    return Space(networks=NETWORKS, is_taken=lambda of, address: of == subnet_id and address in taken)


def reserve(
    *,
    load_balancer_id: LoadBalancerId = WEB,
    subnet_id: str | None = None,
    network_id: str | None = None,
    address: str | None = None,
    port_id: str | None = None,
) -> ReserveVip:
    return ReserveVip(
        load_balancer_id=load_balancer_id,
        project_id=PROJECT,
        subnet_id=SubnetId(subnet_id) if subnet_id else None,
        network_id=NetworkId(network_id) if network_id else None,
        address=address,
        port_id=PortId(port_id) if port_id else None,
    )


def vip(address: str = "203.0.113.100", *, load_balancer_id: LoadBalancerId = WEB) -> Vip:
    return Vip(
        address=address,
        prefix_length=24,
        port_id=PortId(derived_id("vip-port", load_balancer_id)),
        subnet_id=PUBLIC_SUBNET.id,
        network_id=PUBLIC.id,
        gateway="203.0.113.1",
    )


def reserved(address: str = "203.0.113.100", *, load_balancer_id: LoadBalancerId = WEB) -> VipReserved:
    return VipReserved(
        load_balancer_id=load_balancer_id,
        project_id=PROJECT,
        vip=vip(address, load_balancer_id=load_balancer_id),
    )


def settle(*ports: tuple[PortId, str | None], revision: int = 1, amphora_id: AmphoraId = AMPHORA) -> SettlePorts:
    return SettlePorts(
        amphora_id=amphora_id,
        appliance_id=APPLIANCE,
        revision=revision,
        ports=tuple(PortWish(id=port_id, subnet_id=SubnetId(of) if of else None) for port_id, of in ports),
    )


def port(port_id: PortId, address: str) -> Port:
    return Port(
        id=port_id,
        network_id=PUBLIC.id,
        subnet_id=PUBLIC_SUBNET.id,
        address=address,
        prefix_length=24,
        mac=mac_of(port_id),
        mtu=1500,
        gateway="203.0.113.1",
    )


def recorded(sequence: int, subject: str, *events: Event, stream: str = "EVENTS_NETWORK") -> Recorded:
    at = NOW + timedelta(seconds=sequence)
    commit = Commit(id=f"commit-{sequence}", events=events, cause=ClockCause(deadline=at), decided_at=at)
    envelope = Envelope(id=commit.id, type=COMMIT_TYPE, version=1, source="/test", time=at, correlation_id="c")
    return Recorded(
        commit=commit, envelope=envelope, subject=subject, position=Position(stream, sequence), stored_at=at
    )
