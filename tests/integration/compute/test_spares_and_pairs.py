"""Spares that are handed out, amphorae that know of each other, and drivers by name."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from actium_shared.commands.compute import ConfigureAmphora, Peer
from actium_shared.ids import ApplianceId
from builders import an_id
from integration.compute.bench import Amphora, Bench

POOL = ApplianceId(an_id("pool"))


async def test_a_spare_waits_for_no_vip_and_is_handed_out_without_a_restart(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora, amphora.management)
    await bench.order(amphora.boot_as_spare(POOL))
    await bench.until_types(amphora, "booted")
    assert bench.machines.attached[amphora.id] == {amphora.management.id}
    await bench.order(amphora.configure(1))
    await bench.ports(amphora, amphora.vip)
    await bench.until_types(amphora, "booted", "configured")
    booted, configured = await bench.events(amphora)
    assert (booted.appliance_id, configured.appliance_id) == (POOL, amphora.appliance_id)
    assert bench.machines.boots == [amphora.id]
    assert bench.machines.attached[amphora.id] == {amphora.management.id, amphora.vip.id}


async def test_a_spare_that_nobody_has_taken_is_deleted_for_its_pool(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora, amphora.management)
    await bench.order(amphora.boot_as_spare(POOL))
    await bench.until_types(amphora, "booted")
    await bench.order(msgspec.structs.replace(amphora.delete(), appliance_id=POOL))
    await bench.until_types(amphora, "booted", "deleted")
    assert {event.appliance_id for event in await bench.events(amphora)} == {POOL}


async def test_a_spare_that_was_handed_out_and_lost_its_machine_comes_back_as_what_it_is_now(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.ports(amphora)
    await bench.order(amphora.boot_as_spare(POOL))
    await bench.until_types(amphora, "booted")
    await bench.order(amphora.configure(1))
    await bench.until_types(amphora, "booted", "configured")
    await bench.stop()
    await bench.machines.lose_all()
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "booted", "configured")
    *_, booted, _ = await bench.events(amphora)
    assert booted.appliance_id == amphora.appliance_id
    assert bench.machines.attached[amphora.id] == {amphora.management.id, amphora.vip.id}


async def test_where_an_amphora_goes_is_wished_as_ordered(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora)
    group = {"group": amphora.appliance_id, "avoid_hosts": ("host-7",), "prefer_not_hosts": ("host-8",), "spread": "s"}
    await bench.order(msgspec.structs.replace(amphora.boot(), **group))
    await bench.until_types(amphora, "booted")
    wish = bench.machines.wishes[amphora.id]
    assert (wish.group, wish.avoid_hosts, wish.prefer_not_hosts, wish.spread) == (
        amphora.appliance_id,
        {"host-7"},
        {"host-8"},
        "s",
    )


async def test_a_partner_avoids_the_host_of_a_spare_that_was_handed_out(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora)
    await bench.order(amphora.boot_as_spare(POOL))
    await bench.until_types(amphora, "booted")
    await bench.order(amphora.configure(1))
    partner = Amphora()
    partner.appliance_id = amphora.appliance_id
    await bench.ports(partner)
    await bench.until_types(amphora, "booted", "configured")
    await bench.order(msgspec.structs.replace(partner.boot(), group=amphora.appliance_id))
    await bench.until_types(partner, "booted")
    assert bench.machines.wishes[partner.id].avoid_hosts == {"host-1"}


def with_peer(order: ConfigureAmphora, partner: Amphora) -> ConfigureAmphora:
    peers = (Peer(amphora_id=partner.id, vip_port_id=partner.vip.id),)
    return msgspec.structs.replace(order, role="BACKUP", peers=peers, epoch=3)


async def test_a_pair_waits_for_each_others_ports_and_gets_only_its_own(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    partner = Amphora()
    partner.appliance_id = amphora.appliance_id
    await bench.order(with_peer(amphora.configure(2), partner))
    await asyncio.sleep(0.1)
    assert await bench.types(amphora) == ["booted", "configured"]
    await bench.ports(partner)
    await bench.until_types(amphora, "booted", "configured", "configured")
    last = (await bench.events(amphora))[-1]
    assert (last.bundle, last.epoch) == (2, 3)
    assert bench.machines.attached[amphora.id] == {amphora.management.id, amphora.vip.id}
    pushed = bench.machines.agents[amphora.id].pushes[-1]
    assert any(partner.vip.address.encode() in content for content in pushed["files"].values())


async def test_when_the_partners_port_is_gone_it_is_still_configured(bench: Bench, amphora: Amphora) -> None:
    partner = Amphora()
    partner.appliance_id = amphora.appliance_id
    await bench.ports(amphora)
    await bench.ports(partner)
    await bench.order(amphora.boot(), with_peer(amphora.configure(1), partner))
    await bench.until_types(amphora, "booted", "configured")
    await bench.port_deleted(partner, partner.vip)
    await bench.order(msgspec.structs.replace(amphora.configure(2), epoch=4))
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert (await bench.events(amphora))[-1].epoch == 4


DRIVER = """
from actium_compute.amphora_drivers.bundle import Bundle, digest_of

MADE = []

class MinimalDriver:
    def __init__(self):
        MADE.append(self)

    def secrets_of(self, order):
        return frozenset()

    def render(self, order, ports, secrets, *, logs=None):
        files = {"haproxy.cfg": b"# minimal"}
        return Bundle(bundle=order.bundle, epoch=order.epoch, digest=digest_of(files, ()), files=files, interfaces=())

    def runtime_commands(self, before, after, ports):
        raise AssertionError("what it made before was not its own")
"""


@pytest.fixture
def minimal_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a driver that is no part of compute."""
    installed = tmp_path / "installed"
    (installed / "minimal-1.0.dist-info").mkdir(parents=True)
    (installed / "minimal_driver.py").write_text(DRIVER)
    (installed / "minimal-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: minimal\nVersion: 1.0\n"
    )
    points = "[actium.amphora_drivers]\nminimal = minimal_driver:MinimalDriver\nbroken = minimal_driver:NoSuchDriver\n"
    (installed / "minimal-1.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(installed)
    monkeypatch.delitem(sys.modules, "minimal_driver", raising=False)


@pytest.mark.usefixtures("minimal_driver")
async def test_each_order_is_rendered_by_the_driver_that_it_names_and_that_is_loaded_once(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    for bundle in (2, 3):
        await bench.order(
            msgspec.structs.replace(amphora.configure(bundle), driver="minimal" if bundle == 2 else "haproxy")
        )
        await bench.until_types(amphora, "booted", *["configured"] * bundle)
    other = Amphora()
    await bench.ports(other)
    await bench.order(msgspec.structs.replace(other.boot(), driver="minimal"))
    await bench.order(msgspec.structs.replace(other.configure(1), driver="minimal"))
    await bench.until_types(other, "booted", "configured")
    assert [b"minimal" in push["files"]["haproxy.cfg"] for push in bench.machines.agents[amphora.id].pushes] == [
        False,
        True,
        False,
    ]
    assert bench.machines.agents[other.id].pushes[0]["files"]["haproxy.cfg"] == b"# minimal"
    assert len(sys.modules["minimal_driver"].MADE) == 1


async def test_an_amphora_for_an_unknown_driver_does_not_come_and_the_reason_names_it(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.ports(amphora)
    await bench.order(msgspec.structs.replace(amphora.boot(), driver="nosuch"))
    await bench.until_types(amphora, "boot-failed")
    assert "'nosuch'" in (await bench.events(amphora))[0].reason
    assert bench.machines.boots == []


@pytest.mark.usefixtures("minimal_driver")
@pytest.mark.parametrize("driver", ["nosuch", "broken"])
async def test_a_configuration_for_a_driver_that_is_not_to_be_had_is_refused_by_name(
    bench: Bench, amphora: Amphora, driver: str
) -> None:
    await bench.serving(amphora)
    await bench.order(msgspec.structs.replace(amphora.configure(2), driver=driver))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    assert f"'{driver}'" in (await bench.events(amphora))[-1].reason
