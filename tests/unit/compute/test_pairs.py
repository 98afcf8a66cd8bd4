"""What two amphorae are told that stand in for each other, and one that waits for its turn."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_shared.commands.compute import ConfigureAmphora, Peer
from actium_shared.ids import AmphoraId, ApplianceId, MemberId, PortId, SubnetId
from actium_shared.wishes import PoolWish, SessionPersistence
from builders import PUBLIC, an_id, member, pool, vip
from unit.compute.wishes import AMPHORA, PORTS, VIP_PORT, order, port

DRIVER = HaproxyDriver()
PARTNER = AmphoraId(an_id("partner"))
PARTNER_PORT = PortId(an_id("partner-port"))
THERE = PORTS | {PARTNER_PORT: port(PARTNER_PORT, PUBLIC, "203.0.113.102")}
SIX = THERE | {
    VIP_PORT: port(VIP_PORT, PUBLIC, "2001:db8::101", prefix_length=64),
    PARTNER_PORT: port(PARTNER_PORT, PUBLIC, "2001:db8::102", prefix_length=64),
}
VIP_6 = vip(address="2001:db8::5", prefix_length=64, subnet_id=SubnetId("six"), gateway="2001:db8::1")
REMEMBERING = PoolWish(
    pool=pool(session_persistence=SessionPersistence(type="SOURCE_IP")), members=(member(address="10.1.0.10"),)
)


def paired(*pools: PoolWish, role: str = "MASTER", **fields: Any) -> ConfigureAmphora:
    peers = fields.pop("peers", (Peer(amphora_id=PARTNER, vip_port_id=PARTNER_PORT),))
    return order(*pools, role=role, peers=peers, **fields)


def rendered(wish: ConfigureAmphora, ports: Any = THERE) -> Bundle:
    return DRIVER.render(wish, ports, {})


def keepalived(wish: ConfigureAmphora, ports: Any = THERE) -> list[str]:
    return [line.strip() for line in rendered(wish, ports).files["keepalived.conf"].decode().splitlines()]


def haproxy(wish: ConfigureAmphora) -> list[str]:
    return [line.strip() for line in rendered(wish).files["haproxy.cfg"].decode().splitlines()]


def test_both_begin_as_backups_and_the_masters_priority_is_one_higher() -> None:
    master, backup = keepalived(paired()), keepalived(paired(role="BACKUP"))
    for said in (master, backup):
        assert {"state BACKUP", "nopreempt", "vrrp_version 3", "vrrp_no_swap", "haproxy weight -254"} <= set(said)
    assert ("priority 254" in master, "priority 253" in backup) == (True, True)


@pytest.mark.parametrize(("rank", "priority"), [(0, 254), (1, 253), (2, 233), (3, 213), (1000, 1)])
def test_who_has_been_of_the_pair_for_less_has_the_lower_priority_whatever_its_role(rank: int, priority: int) -> None:
    assert f"priority {priority}" in keepalived(paired(role="MASTER", rank=rank))


def test_adverts_go_from_port_to_port_as_often_as_is_asked_for_and_slower_without_real_time() -> None:
    said = keepalived(paired(advert_interval_ms=20))
    assert said[said.index("unicast_peer {") + 1] == "203.0.113.102"
    assert "unicast_src_ip 203.0.113.101" in said
    assert ("@realtime advert_int 0.02" in said, "@^realtime advert_int 0.3" in said) == (True, True)
    assert "@^realtime advert_int 1.0" in keepalived(paired(advert_interval_ms=1000))


def test_without_a_partner_adverts_go_to_nobody() -> None:
    said = keepalived(paired(peers=()))
    assert said[said.index("unicast_peer {") + 1] == "127.0.0.1"
    said = keepalived(paired(peers=()), SIX)
    assert said[said.index("unicast_peer {") + 1] == "::1"


def test_the_card_leaves_all_vips_to_keepalived_and_adverts_name_none_of_them() -> None:
    wish = paired(balancer={"additional_vips": (VIP_6,)})
    card = rendered(wish).interfaces[0]
    assert (card.vips, card.partners) == ((), ("203.0.113.102",))
    assert card.floating == ("2001:db8::5/128", "203.0.113.100/32")
    said = keepalived(wish)
    advertised = said[said.index("virtual_ipaddress {") + 1 : said.index("virtual_ipaddress_excluded {") - 1]
    assert [
        line for line in advertised if not re.fullmatch(r"169\.254\.0\.\d+/32 dev lo scope host no_track", line)
    ] == []
    assert said[said.index("virtual_ipaddress_excluded {") + 1 :][:2] == [f"{vip} dev vip0" for vip in card.floating]


def test_both_of_an_appliance_have_the_same_router_id() -> None:
    def number(wish: ConfigureAmphora) -> str:
        return next(line for line in keepalived(wish) if line.startswith("virtual_router_id"))

    assert number(paired()) == number(paired(role="BACKUP", amphora_id=PARTNER))
    numbers = {int(number(paired(appliance_id=ApplianceId(an_id(str(n))))).split()[1]) for n in range(200)}
    assert len(numbers) > 50
    assert numbers <= set(range(1, 256))


def test_amphorae_of_different_families_cannot_speak_to_each_other() -> None:
    with pytest.raises(RenderError, match="peer"):
        rendered(paired(), THERE | {PARTNER_PORT: SIX[PARTNER_PORT]})


def test_alone_it_holds_the_vips_or_waits_for_them_and_nothing_else_differs() -> None:
    holds, waits = rendered(order()), rendered(order(holds_vips=False))
    assert holds.interfaces[0].vips == ("203.0.113.100/32",)
    assert waits.interfaces[0].vips == waits.interfaces[0].floating == ()
    assert holds.files == waits.files
    assert "keepalived.conf" not in holds.files
    assert holds.digest != waits.digest


def test_flags_are_told_and_are_no_part_of_the_digest() -> None:
    plain, told = rendered(paired()), rendered(paired(yields=True, fence=True))
    assert (told.flags.give_way, told.flags.fence) == (True, True)
    assert plain.digest == told.digest


def test_clients_are_remembered_together_with_the_partner() -> None:
    said = haproxy(paired(REMEMBERING))
    at = said.index("peers _appliance")
    assert said[at + 1 : at + 4] == [
        "bind 203.0.113.101:1025",
        f"server {AMPHORA}",
        f"server {PARTNER} 203.0.113.102:1025",
    ]
    assert f"localpeer {AMPHORA}" in said
    assert any(line.startswith("stick-table ") and line.endswith(" peers _appliance") for line in said)


def test_alone_clients_are_handed_on_by_a_socket_file() -> None:
    said = haproxy(order(REMEMBERING))
    at = said.index("peers _appliance")
    assert said[at + 1 : at + 4] == ["bind unix@/run/amphora/peers.sock mode 600", f"server {AMPHORA}", ""]


def test_where_nothing_is_remembered_nobody_listens() -> None:
    assert "peers _appliance" not in haproxy(paired())


@pytest.mark.parametrize("address", ["203.0.113.101", "203.0.113.102"])
def test_no_member_is_what_partners_tell_each_other(address: str) -> None:
    claims = PoolWish(pool=REMEMBERING.pool, members=(member(address=address, protocol_port=1025),))
    with pytest.raises(RenderError, match="own"):
        rendered(paired(claims))
    harmless = PoolWish(pool=REMEMBERING.pool, members=(member(address=address, protocol_port=80),))
    assert rendered(paired(harmless)).files


def test_another_partner_is_no_change_at_run_time() -> None:
    gone = paired(REMEMBERING, peers=(Peer(amphora_id=PARTNER, vip_port_id=PortId("gone")),))
    assert DRIVER.runtime_commands(gone, paired(REMEMBERING), THERE) is None


@given(st.text(max_size=40), st.sampled_from(["address", "amphora", "appliance", "peer", "role"]))
def test_no_text_adds_a_line(text: str, where: str) -> None:
    fields: dict[str, Any] = {"amphora": {"amphora_id": text}, "appliance": {"appliance_id": text}}.get(where, {})
    if where == "peer":
        fields = {"peers": (Peer(amphora_id=AmphoraId(text), vip_port_id=PARTNER_PORT),)}
    if where == "role":
        fields = {"role": text}
    if where == "address":
        fields = {"balancer": {"vip": vip(address=text)}}
    try:
        files = rendered(paired(REMEMBERING, **fields)).files
    except RenderError:
        return
    expected = rendered(paired(REMEMBERING)).files
    for name in ("keepalived.conf", "haproxy.cfg"):
        assert shape(files[name]) == shape(expected[name]) or where == "role"


def shape(content: bytes) -> list[tuple[str, int]]:
    """Each line's keyword, unless it is an address, and its number of words."""
    lines = [line.split() for line in content.decode().splitlines()]
    return [("" if words[0][0].isdigit() else words[0], len(words)) for words in lines if words]


def test_members_of_a_pool_with_our_cookie_are_told_apart_by_a_key_of_the_pools() -> None:
    def keys(pool_id: str) -> list[str]:
        wish = PoolWish(
            pool=pool(id=an_id(pool_id), session_persistence=SessionPersistence(type="HTTP_COOKIE")),
            members=(member(id=MemberId(an_id("m"))),),
        )
        said = haproxy(order(wish))
        assert "cookie SRV insert indirect nocache dynamic" in said
        assert not any(line.startswith("server ") and " cookie " in line for line in said)
        return [line for line in said if line.startswith("dynamic-cookie-key")]

    assert keys("one") == keys("one")
    assert keys("one") != keys("two")
