"""Overlapping ranges, a read model deleted under writes, a night's rest (`down` and `up`), and configurations that fail."""

import shutil
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from actium_embedded.backends import wished
from actium_embedded.toml import to_toml
from system.worlds import Tenant, TestWorld, a_name, answers, await_value, events, free_port


@pytest.fixture(scope="module")
def overlapping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    """A world whose management network, VIP network and one tenant network share a range."""
    world = TestWorld(tmp_path_factory.mktemp("overlap") / "world", a_name("o"))
    world.up(port=free_port())
    world.down()
    file = world.folder / "world.toml"
    choices = tomllib.loads(file.read_text())
    by_name: dict[str, dict[str, Any]] = {network["name"]: network for network in choices["networks"]}
    public = by_name["public"]
    start = public["cidr"].rsplit(".", 1)[0]
    by_name["lb-mgmt"] |= {
        "cidr": public["cidr"],
        "controller": f"{start}.1",
        "pool": [f"{start}.100", f"{start}.250"],
    }
    by_name["tenant-b"] |= {"cidr": public["cidr"], "gateway": f"{start}.1", "pool": public["pool"], "routed": False}
    file.write_text(to_toml(choices))
    world.up()
    try:
        yield world
    finally:
        world.down(wipe=True)


def subnet_ids(world: TestWorld) -> dict[str, str]:
    listed = httpx.get(f"{world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
    return {subnet["name"]: subnet["id"] for subnet in listed}


def test_vip_management_and_member_ranges_may_overlap(overlapping: TestWorld) -> None:
    world = overlapping
    tenant, subnets = Tenant(world.facts.api_url), subnet_ids(world)
    world.actium("backend", "start", "same", "--network", "tenant-b")
    (backend,) = wished(world.facts)
    lb = tenant.web(subnets["public"], (backend.address, subnets["tenant-b"]))
    assert await_value(lambda: answers(lb["vip_address"]), lambda names: names == ["same"], 15) == ["same"]
    statuses = await_value(
        lambda: tenant.show(lb["id"])["operating_status"], lambda status: status == "ONLINE", 15
    )  # its beats cross the management network of the same range
    assert statuses == "ONLINE"


def test_a_read_model_deleted_under_writes_is_rebuilt_equal(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str]
) -> None:
    lb = tenant.web(subnets["public"])
    pool_id = lb["pools"][0]["id"]
    stop, made = Event(), []

    def write() -> None:
        number = 10
        while not stop.is_set() and number < 200:
            tenant.request("PUT", f"/pools/{pool_id}/members?additive_only=true", members=[a_member(number)])
            made.append(f"10.1.0.{number}")
            number += 1

    writer = Thread(target=write)
    writer.start()
    await_value(lambda: len(made), lambda count: count >= 5, 30)
    database = world.facts.data / "api.sqlite"
    world.kill("api")
    for file in database.parent.glob("api.sqlite*"):
        file.unlink(missing_ok=True)
    before = len(made)
    await_value(lambda: len(made), lambda count: count >= before + 5, 30)
    stop.set()
    writer.join(30)
    tenant.wait(lb["id"])
    listed = {member["address"] for member in tenant.request("GET", f"/pools/{pool_id}/members")["members"]}
    assert listed == set(made)
    living = dump(database)
    world.actium("down")
    for file in database.parent.glob("api.sqlite*"):
        file.unlink()
    world.actium("up")
    tenant.wait(lb["id"])
    rebuilt = await_value(lambda: dump(database), lambda rows: rows.keys() == living.keys(), 10)
    for table in living:
        if table not in ("positions", "listener_statistics", "statistics"):
            assert rebuilt[table] == living[table] or _later_only(living[table], rebuilt[table]), table


def a_member(number: int) -> dict[str, Any]:
    return {"address": f"10.1.0.{number}", "protocol_port": 80}


def dump(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            if not name.startswith(("sqlite_", "alembic"))
        ]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


def _later_only(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> bool:
    """The world went on while it restarted: rows may have changed their times and statuses, none is missing."""
    return [row[0] for row in before] == [row[0] for row in after]


def test_after_a_night_down_load_balancers_serve_again(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    lb = tenant.web(subnets["public"], (backends["one"], subnets["tenant-a"]), (backends["two"], None))
    world.actium("down")
    assert answers(lb["vip_address"], timeout_s=0.5) == ["-"]
    world.actium("up")
    seen = await_value(lambda: answers(lb["vip_address"], count=4), lambda names: "-" not in names, 20)
    assert sorted(seen) == ["one", "one", "two", "two"]
    assert tenant.wait(lb["id"])["provisioning_status"] == "ACTIVE"
    booted = [event["type"] for event in events(world, "--load-balancer", lb["id"])].count("amphora.booted")
    assert booted == 2


def test_a_refused_configuration_keeps_the_last_good_one_and_the_next_good_change_heals(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    lb = tenant.web(subnets["public"], (backends["one"], subnets["tenant-a"]))
    (amphora_id,) = world.amphorae()
    squatter = subprocess.Popen(
        ["ip", "netns", "exec", f"amphora-{amphora_id}-traffic", shutil.which("python3") or "python3", "-c", SQUAT],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == "there\n"
        wrong = tenant.create("listener", loadbalancer_id=lb["id"], protocol="HTTP", protocol_port=8080)
        tenant.wait(lb["id"], "ERROR")
        assert answers(lb["vip_address"], count=3) == ["one"] * 3
        told = list(events(world, "--load-balancer", lb["id"]))
        reasons = [event["body"]["reason"] for event in told if event["type"] == "loadbalancer.round-failed"]
        assert len(reasons) == 1
        assert "8080" in reasons[0]
    finally:
        squatter.kill()
        squatter.wait(10)
    tenant.request("DELETE", f"/listeners/{wrong['id']}")
    tenant.wait(lb["id"])
    assert answers(lb["vip_address"], count=3) == ["one"] * 3


SQUAT = """
import socket, time
taken = socket.socket()
taken.bind(("0.0.0.0", 8080))
taken.listen()
print("there", flush=True)
time.sleep(300)
"""
"""Holds a port inside the amphora, which no check of the file can see: haproxy refuses when it is started."""
