"""Further VIPs of a load balancer: one on each of several subnets of one network, and all of them given back together."""

import msgspec
import pytest
import sqlalchemy as sa

from actium_network.allocation import Reservation, Space, reserve_vip
from actium_network.ports import ExistingPort
from actium_network.read_model import queries
from actium_network.read_model.tables import METADATA
from actium_shared.commands.network import AdditionalVip, ReserveVip
from actium_shared.events.network import VipReserved
from actium_shared.ids import PortId, SubnetId
from actium_shared.message import Reason, Rejected
from unit.network.builders import NOW, PROJECT, WEB, reserve, space

FOUR, SIX = SubnetId("subnet-four"), SubnetId("subnet-six")
PORT = PortId("a-port")


def wish(*additional: AdditionalVip, subnet_id: str = FOUR) -> ReserveVip:
    return msgspec.structs.replace(reserve(subnet_id=subnet_id), additional=additional)


def reserved(command: ReserveVip, where: Space | None = None, known: Reservation | None = None) -> VipReserved:
    answer = reserve_vip(command, where or space(), known)
    assert not isinstance(answer, Rejected), answer
    return answer[0]


def refusal(command: ReserveVip, **fields: object) -> tuple[Reason, str | None]:
    answer = reserve_vip(command, fields.pop("where", space()), None, **fields)  # type: ignore[arg-type]
    assert isinstance(answer, Rejected)
    return answer.reason, answer.field


def test_each_additional_vip_gets_an_address_of_its_own_subnet() -> None:
    event = reserved(wish(AdditionalVip(subnet_id=SIX)))
    assert (event.vip.address, event.vip.subnet_id) == ("10.1.0.2", FOUR)
    (six,) = event.additional_vips
    assert (six.address, six.prefix_length, six.gateway) == ("2001:db8::2", 64, "2001:db8::1")
    assert six.port_id != event.vip.port_id


def test_an_additional_address_that_is_asked_for_is_given() -> None:
    event = reserved(wish(AdditionalVip(subnet_id=SIX, address="2001:DB8:0::77")))
    assert event.additional_vips[0].address == "2001:db8::77"


@pytest.mark.parametrize(
    ("additional", "reason"),
    [
        ((AdditionalVip(subnet_id=FOUR),), Reason.INVALID),
        ((AdditionalVip(subnet_id=SIX), AdditionalVip(subnet_id=SIX)), Reason.INVALID),
        ((AdditionalVip(subnet_id=SubnetId("subnet-public")),), Reason.INVALID),
        ((AdditionalVip(subnet_id=SubnetId("subnet-none")),), Reason.INVALID),
        ((AdditionalVip(subnet_id=SubnetId("subnet-mgmt")),), Reason.INVALID),
        ((AdditionalVip(subnet_id=SIX, address="10.1.0.3"),), Reason.INVALID),
        ((AdditionalVip(subnet_id=SIX, port_id=PORT),), Reason.INVALID),
        ((AdditionalVip(subnet_id=SIX, address="2001:db8::9"),), Reason.CONFLICT),
    ],
)
def test_what_cannot_be_an_additional_vip_is_refused(additional: tuple[AdditionalVip, ...], reason: Reason) -> None:
    where = space("2001:db8::9", subnet_id="subnet-six")
    assert refusal(wish(*additional), where=where) == (reason, "additional_vips")


def test_a_port_that_somebody_made_brings_its_address() -> None:
    port = ExistingPort(port_id=PORT, network_id="network-dual", subnet_id=SIX, address="2001:db8::5")
    command = wish(AdditionalVip(subnet_id=SIX, port_id=PORT))
    answer = reserve_vip(command, space(), None, additional_ports={PORT: port})
    assert not isinstance(answer, Rejected)
    assert (answer[0].additional_vips[0].address, answer[0].additional_vips[0].port_id) == ("2001:db8::5", PORT)
    elsewhere = msgspec.structs.replace(
        command, additional=(AdditionalVip(subnet_id=SIX, address="::1", port_id=PORT),)
    )
    assert refusal(elsewhere, additional_ports={PORT: port}) == (Reason.INVALID, "additional_vips")


def test_the_same_wish_again_is_the_same_answer_and_another_one_a_conflict() -> None:
    command = wish(AdditionalVip(subnet_id=SIX))
    event = reserved(command)
    known = Reservation(state="reserved", project_id="project", vip=event.vip, additional_vips=event.additional_vips)
    assert reserve_vip(command, space(), known) == ()
    answer = reserve_vip(wish(), space(), known)
    assert isinstance(answer, Rejected)
    assert answer.reason is Reason.CONFLICT


def test_all_addresses_are_promised_together_and_given_back_together() -> None:
    event = reserved(wish(AdditionalVip(subnet_id=SIX)))
    engine = sa.create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        vips = (event.vip, *event.additional_vips)
        queries.claim_vip(connection, WEB, vips, project_id=PROJECT, now=NOW)
        known = queries.reservation(connection, WEB)
        assert known is not None
        assert (known.vip, known.additional_vips) == (event.vip, event.additional_vips)
        with pytest.raises(sa.exc.IntegrityError):
            queries.take_address(connection, SIX, "2001:db8::2", port_id=PORT)
        queries.forget_vip(connection, WEB)
        queries.take_address(connection, SIX, "2001:db8::2", port_id=PORT)
        queries.take_address(connection, FOUR, "10.1.0.2", port_id=PortId("another"))
