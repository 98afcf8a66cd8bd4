"""Which address is given, and which wishes are refused."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actium_network.allocation import Reservation, Space, find_subnet, reserve_vip, settle_ports
from actium_shared.commands.network import ReserveVip
from actium_shared.ids import LoadBalancerId, NetworkId, PortId, SubnetId
from actium_shared.message import Reason, Rejected
from unit.network.builders import (
    DUAL,
    MANAGEMENT_PORT,
    PUBLIC,
    VIP_PORT,
    port,
    reserve,
    reserved,
    settle,
    space,
    vip,
)

NO_SUCH = "there is no management network network-public"
KNOWN = Reservation(state="reserved", project_id="project", vip=vip())


def refusal(
    command: ReserveVip, where: Space | None = None, known: Reservation | None = None
) -> tuple[Reason, str | None]:
    answer = reserve_vip(command, where or space(), known)
    assert isinstance(answer, Rejected)
    return answer.reason, answer.field


def address(command: ReserveVip, where: Space | None = None) -> str:
    answer = reserve_vip(command, where or space(), None)
    assert not isinstance(answer, Rejected)
    return answer[0].vip.address


def test_the_lowest_free_address_of_the_pool_is_reserved() -> None:
    assert reserve_vip(reserve(subnet_id="subnet-public"), space(), None) == (reserved(),)
    assert address(reserve(subnet_id="subnet-public"), space("203.0.113.100", "203.0.113.101")) == "203.0.113.102"


def test_the_same_wish_again_changes_nothing() -> None:
    assert reserve_vip(reserve(subnet_id="subnet-public"), space("203.0.113.100"), KNOWN) == ()


def test_a_claim_that_is_on_no_log_yet_is_told_again_with_its_address() -> None:
    claimed = Reservation(state="claimed", project_id="project", vip=vip("203.0.113.102"))
    assert reserve_vip(reserve(subnet_id="subnet-public"), space(), claimed) == (reserved("203.0.113.102"),)


def test_another_wish_for_the_same_load_balancer_is_a_conflict() -> None:
    other = reserve(subnet_id="subnet-public", address="203.0.113.7")
    assert refusal(other, known=KNOWN) == (Reason.CONFLICT, "id")


def test_a_deleted_load_balancer_gets_no_address_again() -> None:
    gone = Reservation(state="deleted", project_id="", vip=None)
    assert refusal(reserve(subnet_id="subnet-public"), known=gone) == (Reason.CONFLICT, "id")


def test_an_asked_address_may_be_outside_of_the_pool() -> None:
    assert address(reserve(subnet_id="subnet-public", address="203.0.113.7")) == "203.0.113.7"


def test_an_address_in_use_is_a_conflict() -> None:
    wish = reserve(subnet_id="subnet-public", address="203.0.113.7")
    assert refusal(wish, space("203.0.113.7")) == (Reason.CONFLICT, "vip_address")


def test_addresses_that_cannot_be_a_vip_are_named() -> None:
    for bad in ("203.0.114.7", "203.0.113.0", "203.0.113.255", "203.0.113.1", "nonsense", "::1", ""):
        assert refusal(reserve(subnet_id="subnet-public", address=bad)) == (Reason.INVALID, "vip_address"), bad


def test_an_unknown_subnet_network_or_port_is_named() -> None:
    assert refusal(reserve(subnet_id="nowhere")) == (Reason.INVALID, "vip_subnet_id")
    assert refusal(reserve(network_id="nowhere")) == (Reason.INVALID, "vip_network_id")
    assert refusal(reserve(port_id="nothing", subnet_id="subnet-public")) == (Reason.INVALID, "vip_port_id")
    assert refusal(reserve()) == (Reason.INVALID, "vip_subnet_id")
    assert refusal(reserve(network_id=PUBLIC.id, subnet_id="subnet-four")) == (Reason.INVALID, "vip_subnet_id")


def test_the_management_network_does_not_exist_for_tenants() -> None:
    assert refusal(reserve(subnet_id="subnet-mgmt")) == (Reason.INVALID, "vip_subnet_id")
    assert refusal(reserve(network_id="network-mgmt")) == (Reason.INVALID, "vip_network_id")
    assert refusal(reserve(network_id="network-mgmt", subnet_id="subnet-mgmt")) == (Reason.INVALID, "vip_network_id")
    assert isinstance(find_subnet(SubnetId("subnet-mgmt"), space()), Rejected)


def test_a_network_alone_means_its_ipv4_subnet_first() -> None:
    assert address(reserve(network_id=DUAL.id)) == "10.1.0.2"


def test_a_network_whose_ipv4_subnet_is_nearly_full_means_the_next_one() -> None:
    nearly_full = space(*(f"10.1.0.{last}" for last in range(2, 6)), subnet_id="subnet-four")
    assert address(reserve(network_id=DUAL.id), nearly_full) == "2001:db8::2"


def test_a_network_with_an_address_means_the_subnet_that_contains_it() -> None:
    assert address(reserve(network_id=DUAL.id, address="2001:DB8::0:7")) == "2001:db8::7"
    assert refusal(reserve(network_id=DUAL.id, address="192.0.2.1")) == (Reason.INVALID, "vip_address")


def test_a_full_subnet_is_a_conflict() -> None:
    full = space("203.0.113.100", "203.0.113.101", "203.0.113.102")
    assert refusal(reserve(subnet_id="subnet-public"), full) == (Reason.CONFLICT, "vip_subnet_id")
    assert refusal(reserve(network_id=PUBLIC.id), full) == (Reason.CONFLICT, "vip_network_id")


def test_a_port_without_subnet_is_on_the_management_network() -> None:
    answer = settle_ports(settle((MANAGEMENT_PORT, None), (VIP_PORT, "subnet-public")), space(), present={})
    assert [(item.network_id, item.address) for item in answer.wanted] == [
        ("network-mgmt", "10.250.0.1"),
        ("network-public", "203.0.113.100"),
    ]


def test_a_management_port_is_on_the_network_that_is_named_or_fails_in_words() -> None:
    for name, failed in (("network-mgmt", {}), ("network-public", {MANAGEMENT_PORT: NO_SUCH})):
        order = settle((MANAGEMENT_PORT, None))
        (wish,) = order.ports
        named = msgspec.structs.replace(wish, network_id=NetworkId(name))
        answer = settle_ports(msgspec.structs.replace(order, ports=(named,)), space(), present={})
        assert dict(answer.impossible) == failed
        assert [each.network_id for each in answer.wanted] == ([] if failed else ["network-mgmt"])


def test_a_port_that_is_there_keeps_its_address_and_others_are_surplus() -> None:
    kept, gone = port(VIP_PORT, "203.0.113.102"), port(MANAGEMENT_PORT, "203.0.113.101")
    answer = settle_ports(settle((VIP_PORT, "subnet-public")), space(), present={VIP_PORT: kept, MANAGEMENT_PORT: gone})
    assert (answer.wanted, answer.surplus) == ((kept,), (MANAGEMENT_PORT,))


def test_a_port_that_failed_before_is_tried_again() -> None:
    answer = settle_ports(settle((VIP_PORT, "subnet-public")), space(), present={VIP_PORT: None})
    assert [item.address for item in answer.wanted] == ["203.0.113.100"]
    assert settle_ports(settle(), space(), present={VIP_PORT: None}).surplus == (VIP_PORT,)


def test_ports_that_cannot_be_had_are_named_with_the_reason() -> None:
    many = [(PortId(f"port-{number}"), "subnet-public") for number in range(4)]
    answer = settle_ports(settle(*many, (PortId("lost"), "nowhere")), space(), present={})
    assert len(answer.wanted) == 3
    assert answer.impossible == {
        "port-3": "out of addresses in subnet public (subnet-public)",
        "lost": "there is no subnet nowhere",
    }


@given(st.lists(st.tuples(st.sampled_from("vpr"), st.integers(0, 7)), max_size=40))
def test_no_address_is_ever_given_twice(steps: list[tuple[str, int]]) -> None:
    holders: dict[str, str] = {}
    for kind, number in steps:
        where = space(*holders)
        if kind == "v":
            command = reserve(load_balancer_id=LoadBalancerId(f"lb-{number}"), subnet_id="subnet-public")
            decision = reserve_vip(command, where, None)
            given_now = [] if isinstance(decision, Rejected) else [event.vip.address for event in decision]
        elif kind == "p":
            order = settle((PortId(f"a-{number}"), "subnet-public"), (PortId(f"b-{number}"), "subnet-public"))
            given_now = [item.address for item in settle_ports(order, where, present={}).wanted]
        else:
            holders.pop(next(iter(holders), ""), None)
            continue
        assert len(set(given_now)) == len(given_now)
        assert not holders.keys() & set(given_now)
        holders |= dict.fromkeys(given_now, f"{kind}{number}")


def test_each_load_balancer_has_a_vip_port_of_its_own() -> None:
    decisions = [
        reserve_vip(reserve(load_balancer_id=LoadBalancerId(name), subnet_id="subnet-public"), space(), None)
        for name in ("one", "two", "one")
    ]
    one, two, again = (decision[0].vip.port_id for decision in decisions if not isinstance(decision, Rejected))
    assert one == again != two
