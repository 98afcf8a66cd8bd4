"""Amphorae from the first order to the last, as the log tells it, with real TLS to agents that run nothing."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.authority import open_authority
from actium_compute.read_model.tables import ORDERS
from actium_shared.clock import SystemClock
from actium_shared.crypto import heartbeat_key
from actium_shared.events.amphora import AmphoraConfigured
from actium_shared.ids import MemberId
from actium_shared.message import WorkCause
from builders import TENANT, an_id, member
from integration.compute.bench import IN_USE_S, Amphora, Bench, lose_the_authority, until
from integration.compute.loopback import LoopbackAgent, no_boundary


async def test_boot_and_first_configuration_are_one_commit_that_names_its_cause(bench: Bench, amphora: Amphora) -> None:
    await bench.order(amphora.boot(), amphora.configure(1))
    await bench.ports(amphora)
    await bench.until_types(amphora, "booted", "configured")
    (commit,) = await bench.commits(amphora)
    booted, configured = await bench.events(amphora)
    assert commit.commit.cause == WorkCause(order_id=amphora.configure(1).order_id)
    assert commit.commit.reads["EVENTS_NETWORK"] > 0
    assert (booted.management_address, booted.host, booted.heartbeat_key_version) == (amphora.address, "host-1", 1)
    assert booted.certificate_expires_at > datetime.now(UTC)
    agent = bench.machines.agents[amphora.id]
    assert (configured.bundle, configured.digest, configured.result) == (1, agent.in_force["digest"], "reload")
    assert agent.files["heartbeat.key"] == heartbeat_key(bytes(32), amphora.id, 1)
    assert agent.settings["relays"] == [["127.0.0.1", 5555]]
    assert bench.machines.attached[amphora.id] == {amphora.management.id, amphora.vip.id}


async def test_nothing_is_booted_before_its_ports_exist(bench: Bench, amphora: Amphora) -> None:
    await bench.order(amphora.boot(deadline_s=0.5))
    await bench.ports(amphora, amphora.management)
    await bench.until_types(amphora, "boot-failed")
    (failed,) = await bench.events(amphora)
    assert amphora.vip.id in failed.reason
    assert amphora.management.id not in failed.reason
    assert bench.machines.boots == []


async def test_without_a_wish_it_boots_and_is_configured_later(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora)
    await bench.order(amphora.boot())
    await bench.until_types(amphora, "booted")
    await bench.order(amphora.configure(1))
    await bench.until_types(amphora, "booted", "configured")


async def test_a_weight_changes_without_a_reload(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.configure(2, member(weight=7)))
    await bench.until_types(amphora, "booted", "configured", "configured")
    last = (await bench.events(amphora))[-1]
    assert (last.bundle, last.result) == (2, "runtime")
    (command,) = bench.machines.agents[amphora.id].pushes[-1]["runtime"]["commands"]
    assert command.endswith(" weight 7")


async def test_equal_content_is_pushed_so_that_the_number_moves(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.configure(2, member(weight=1)))
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert (await bench.events(amphora))[-1].result == "unchanged"
    assert bench.machines.agents[amphora.id].in_force["bundle"] == 2


async def test_what_haproxy_refuses_is_recorded_once_with_its_words_and_the_next_wish_heals(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    bench.machines.refuses = lambda bundle: "no such thing" if bundle["bundle"] == 2 else None
    await bench.order(amphora.configure(2))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    assert (await bench.events(amphora))[-1].reason == "no such thing"
    assert bench.machines.agents[amphora.id].in_force["bundle"] == 1
    await bench.order(amphora.configure(3))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused", "configured")


async def test_what_cannot_be_rendered_is_refused_by_name_and_never_sent(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.configure(2, member(address="not an address")))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    assert "address" in (await bench.events(amphora))[-1].reason
    assert [push["bundle"] for push in bench.machines.agents[amphora.id].pushes] == [1]


async def test_member_ports_are_awaited_plugged_in_and_unplugged_when_no_longer_named(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    there = member(subnet_id=TENANT)
    await bench.order(amphora.configure(2, there, with_tenant=True))
    await bench.ports(amphora, amphora.tenant)
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert amphora.tenant.id in bench.machines.attached[amphora.id]
    await bench.order(amphora.configure(3))
    await bench.until_types(amphora, "booted", "configured", "configured", "configured")
    assert amphora.tenant.id not in bench.machines.attached[amphora.id]


async def test_while_the_agent_is_away_only_the_newest_wish_remains(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    await agent.stop()
    for bundle in (2, 3, 4):
        await bench.order(amphora.configure(bundle))
    await asyncio.sleep(0.2)
    await agent.start()
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert [event.bundle for event in (await bench.events(amphora))[1:]] == [1, 4]


async def test_older_and_repeated_orders_change_nothing(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora)
    await bench.order(amphora.boot(), amphora.configure(5))
    await bench.until_types(amphora, "booted", "configured")
    await bench.order(amphora.configure(4), amphora.boot(), amphora.configure(6))
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert [push["bundle"] for push in bench.machines.agents[amphora.id].pushes] == [5, 6]


async def test_a_deleted_amphora_is_gone_and_no_order_brings_it_back(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "deleted")
    assert bench.machines.agents == {}
    other = Amphora()
    await bench.order(amphora.configure(9), amphora.boot(), amphora.delete())
    await bench.serving(other)  # whoever came later has been served, so those were looked at
    assert await bench.types(amphora) == ["booted", "configured", "deleted"]
    assert other.id in bench.machines.agents
    assert amphora.id not in bench.machines.agents


async def test_one_that_never_booted_is_deleted_once(bench: Bench, amphora: Amphora) -> None:
    await bench.order(amphora.boot(), amphora.delete(), amphora.delete())
    await bench.until_types(amphora, "deleted")


async def test_after_a_failed_boot_it_can_be_deleted(bench: Bench, amphora: Amphora) -> None:
    await bench.order(amphora.boot(deadline_s=0.1))
    await bench.until_types(amphora, "boot-failed")
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "boot-failed", "deleted")


async def test_a_restart_leaves_running_amphorae_alone(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.stop()
    await bench.start()
    other = Amphora()
    await bench.serving(other)
    assert await bench.types(amphora) == ["booted", "configured"]
    assert len(bench.machines.agents[amphora.id].pushes) == 1


async def test_after_a_restart_a_weight_still_changes_without_a_reload(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.stop()
    await bench.start()
    await bench.order(amphora.configure(2))
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert (await bench.events(amphora))[-1].result == "runtime"


async def test_what_another_version_rendered_is_reloaded_with_the_next_change(
    bench: Bench, amphora: Amphora, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runtime commands would leave haproxy with the old file, and with a digest that says otherwise."""
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    await agent.stop()
    await bench.order(amphora.configure(2))
    await until(lambda: _wished(bench, amphora), lambda bundle: bundle == 2)
    await bench.stop()
    await agent.start()
    real = HaproxyDriver.render

    def render(self: HaproxyDriver, *about: Any, **named: Any) -> Bundle:
        bundle = real(self, *about, **named)
        return msgspec.structs.replace(bundle, digest=bundle.digest[::-1])  # as another template has

    monkeypatch.setattr(HaproxyDriver, "render", render)
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert agent.pushes[-1]["runtime"] is None


async def _wished(bench: Bench, amphora: Amphora) -> int | None:
    engine = sa.create_engine(bench.settings().database_url)
    with engine.connect() as connection:
        kept = sa.select(ORDERS.c.bundle).where(ORDERS.c.amphora_id == amphora.id, ORDERS.c.purpose == "configure")
        bundle: int | None = connection.scalar(kept)
    engine.dispose()
    return bundle


async def test_a_lost_machine_is_booted_again_with_a_new_certificate_and_its_last_wish(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    before = bench.machines.agents[amphora.id].files["agent.pem"]
    await bench.stop()
    await bench.machines.lose_all()
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    assert len(await bench.commits(amphora)) == 2
    agent = bench.machines.agents[amphora.id]
    assert agent.files["agent.pem"] != before
    assert agent.in_force["bundle"] == 1
    assert bench.machines.attached[amphora.id] == {amphora.management.id, amphora.vip.id}


async def test_a_lost_machine_whose_newest_wish_was_refused_gets_the_last_good_one(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    bench.machines.refuses = lambda bundle: "no" if bundle["bundle"] == 2 else None
    await bench.order(amphora.configure(2))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    await bench.stop()
    await bench.machines.lose_all()
    await bench.start()
    await until(lambda: bench.types(amphora), lambda types: types[3:] == ["booted", "configured"])
    assert bench.machines.agents[amphora.id].in_force["bundle"] == 1


async def test_a_machine_that_dies_under_us_is_booted_again_when_it_is_next_needed(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    await bench.machines.lose_all()
    await bench.order(amphora.configure(2))
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    assert isinstance(last := (await bench.events(amphora))[-1], AmphoraConfigured)
    assert last.bundle == 2


@pytest.fixture
def watched_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made before the bench, so that its first look comes soon."""
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.005)


@pytest.mark.usefixtures("watched_closely")
async def test_a_machine_that_dies_is_booted_again_though_nobody_needs_it_just_now(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    await bench.machines.lose_all()
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    assert bench.machines.agents[amphora.id].in_force["bundle"] == 1


@pytest.mark.usefixtures("watched_closely")
async def test_looking_after_amphorae_that_are_well_changes_nothing(bench: Bench, amphora: Amphora) -> None:
    others = [Amphora() for _ in range(5)]
    for one in (amphora, *others):
        await bench.serving(one)
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "deleted")
    for one in others:
        assert await bench.types(one) == ["booted", "configured"]


async def test_amphorae_of_a_lost_authority_are_booted_again_one_by_one(bench: Bench, amphora: Amphora) -> None:
    amphorae = [amphora, Amphora(), Amphora()]
    for one in amphorae:
        await bench.serving(one)
    await bench.stop()
    lose_the_authority(bench)
    off_at_once: list[int] = []

    async def count(name: str) -> None:
        if name == "after power off":
            off_at_once.append(len(amphorae) - len(bench.machines.agents))

    bench.machines.boundary = count
    await bench.start()
    for one in amphorae:
        await bench.until_types(one, "booted", "configured", "booted", "configured")
        assert bench.machines.agents[one.id].in_force["bundle"] == 1
        assert bench.machines.attached[one.id] == {one.management.id, one.vip.id}
    assert off_at_once == [1, 1, 1]


async def test_a_stranger_at_an_amphoras_address_does_not_get_it_restarted(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    genuine = bench.machines.agents[amphora.id]
    other = open_authority(bench.folder / "stranger", SystemClock())
    files = {**genuine.files, "agent.pem": other.issue(amphora.id).pem}
    await genuine.stop()
    stranger = LoopbackAgent(amphora.id, files)
    await stranger.start()
    await bench.order(amphora.configure(2))
    await asyncio.sleep(0.3)
    assert (stranger.pushes, bench.machines.boots) == ([], [amphora.id])
    await stranger.stop()
    await genuine.start()
    await bench.until_types(amphora, "booted", "configured", "configured")


async def test_a_certificate_is_renewed_in_time(
    bench: Bench, amphora: Amphora, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.serving(amphora)
    before = bench.machines.agents[amphora.id].files["agent.pem"]
    await bench.stop()
    # Due when a second old: no test waits for twenty days.
    bench.changed_settings = bench.changed_settings | {"certificate_renew_before_s": IN_USE_S}
    monkeypatch.setattr("actium_compute.watch.LOOK_EVERY_S", 0.05)
    await asyncio.sleep(1.1)
    await bench.start()
    await until(lambda: bench.types(amphora), lambda types: types[2:3] == ["certificate-renewed"])
    booted, _, renewed, *_ = await bench.events(amphora)
    assert renewed.certificate_expires_at > booted.certificate_expires_at
    assert bench.machines.agents[amphora.id].files["agent.pem"] != before
    assert bench.machines.boots == [amphora.id]


async def test_a_renewal_that_was_cut_off_before_it_was_recorded_is_recorded_at_the_next_start(
    bench: Bench, amphora: Amphora, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.serving(amphora)
    await bench.stop()
    bench.changed_settings = bench.changed_settings | {"certificate_renew_before_s": IN_USE_S}
    given = asyncio.Event()

    async def never_answered(name: str) -> None:
        if name == "after certificate":
            given.set()
            await asyncio.Event().wait()

    bench.machines.boundary = never_answered
    await bench.start()
    async with asyncio.timeout(20):
        await given.wait()
    await bench.stop()
    bench.changed_settings = bench.changed_settings | {"certificate_renew_before_s": 86_400.0}
    bench.machines.boundary = no_boundary
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    first, _, again, _ = await bench.events(amphora)
    assert again.certificate_expires_at > first.certificate_expires_at
    assert bench.machines.boots == [amphora.id]


async def test_many_amphorae_come_up_side_by_side(bench: Bench) -> None:
    amphorae = [Amphora() for _ in range(12)]
    for one in amphorae:
        await bench.order(one.boot(), one.configure(1, member(id=MemberId(an_id(one.id)))))
        await bench.ports(one)
    for one in amphorae:
        await bench.until_types(one, "booted", "configured")
    assert sorted(bench.machines.boots) == sorted(one.id for one in amphorae)
