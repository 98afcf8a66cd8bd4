"""Which changes haproxy can take without a reload, and in which words."""

import pytest

from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.ids import MemberId
from actium_shared.wishes import Member, PoolWish, SessionPersistence
from builders import TENANT, an_id, health_monitor, listener, member, pool
from unit.compute.wishes import PORTS, order, with_members

NAME = f"{an_id('pool')}:{an_id('listener')}/{an_id('member')}"
OTHER = member(id=MemberId(an_id("other")), address="10.1.0.11", weight=3)
OTHER_NAME = f"{an_id('pool')}:{an_id('listener')}/{an_id('other')}"


def commands(before: ConfigureAmphora, after: ConfigureAmphora) -> tuple[str, ...] | None:
    return HaproxyDriver().runtime_commands(before, after, PORTS)


def test_nothing_changes_nothing() -> None:
    assert commands(with_members(member()), with_members(member())) == ()


def test_a_weight_changes() -> None:
    assert commands(with_members(member()), with_members(member(weight=0))) == (f"set server {NAME} weight 0",)


@pytest.mark.parametrize(("up", "word"), [(True, "ready"), (False, "maint")])
def test_a_member_is_switched(up: bool, word: str) -> None:
    before, after = member(admin_state_up=not up), member(admin_state_up=up)
    assert commands(with_members(before), with_members(after)) == (f"set server {NAME} state {word}",)


def test_a_member_comes_with_its_check_and_then_serves() -> None:
    found = commands(with_members(member()), with_members(member(), OTHER))
    assert found == (
        f"add server {OTHER_NAME} 10.1.0.11:80 weight 3 check inter 1s fall 3 rise 2",
        f"enable health {OTHER_NAME}",
        f"set server {OTHER_NAME} state ready",
    )


def test_a_member_goes_after_it_has_stopped_serving() -> None:
    found = commands(with_members(member(), OTHER), with_members(member()))
    assert found == (f"set server {OTHER_NAME} state maint", f"del server {OTHER_NAME}")


@pytest.mark.parametrize(
    "after",
    [
        with_members(member(backup=True)),
        with_members(member(), lb_algorithm="LEAST_CONNECTIONS"),
        order(PoolWish(pool=pool(), members=(member(),), health_monitor=health_monitor(delay_s=9))),
        order(listeners=(listener(default_pool_id=an_id("pool"), protocol_port=81),)),
        order(member_ports={}),
        order(listeners=()),
    ],
)
def test_everything_else_needs_a_reload(after: ConfigureAmphora) -> None:
    assert commands(with_members(member()), after) is None


@pytest.mark.parametrize(
    ("address", "detour", "arrival"),
    [
        ("10.1.0.11", "192.0.2.1:80", "10.1.0.11"),
        ("192.0.2.1", "192.0.2.2:80", "192.0.2.1"),
        ("fd00::1", "[2001:db8::1]:80", "fd00::1"),
    ],
)
def test_with_our_cookie_a_member_comes_by_a_detour_which_gives_it_its_cookie(
    address: str, detour: str, arrival: str
) -> None:
    def sticky(*members: Member) -> ConfigureAmphora:
        return with_members(*members, session_persistence=SessionPersistence(type="HTTP_COOKIE"))

    found = commands(sticky(member()), sticky(member(), member(id=OTHER.id, address=address))) or ()
    assert found[0].startswith(f"add server {OTHER_NAME} {detour} weight 1 ")
    assert found[1] == f"set server {OTHER_NAME} addr {arrival}"
    assert found[-1] == f"set server {OTHER_NAME} state ready"
    assert commands(sticky(member()), sticky(member(weight=2))) == (f"set server {NAME} weight 2",)


def test_very_many_changes_are_quicker_by_a_reload() -> None:
    many = [member(id=MemberId(an_id(str(number)))) for number in range(300)]
    assert commands(with_members(), with_members(*many)) is None


def test_a_member_moves_to_another_subnet_only_by_a_reload() -> None:
    assert commands(with_members(member()), with_members(member(subnet_id=TENANT))) is None
