"""A world that accepts everything: by the stock client, by HTTP, over restarts, and attached to a terminal. No root."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from system.worlds import ROOT, Tenant, TestWorld, a_name, await_value, events, free_port

AS_NOBODY_SPECIAL = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""What is root's outside belongs to user 1000 inside, who has no capability."""

FOREGROUND_WITHIN_S = 60.0


def a_world(folder: Path) -> TestWorld:
    return TestWorld(folder, a_name("n"), prefix=AS_NOBODY_SPECIAL if os.geteuid() == 0 else ())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestWorld]:
    world = a_world(tmp_path_factory.mktemp("noop") / "world")
    world.up("--world", "noop", port=free_port())
    yield world
    world.down(wipe=True)


@pytest.fixture
def tenant(world: TestWorld) -> Tenant:
    return Tenant(world.facts.api_url)


def an_id() -> str:
    return str(uuid4())


def rows(world: TestWorld) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads(world.actium("status", "--json"))}


def log_of(world: TestWorld) -> list[Any]:
    return [event["position"] for event in events(world)]


def test_it_runs_without_root_and_all_is_well(world: TestWorld) -> None:
    assert all(row["well"] for row in rows(world).values())
    assert "relay" not in rows(world)
    services = httpx.get(f"{world.facts.api_url}/operator/v1/services").json()["services"]
    assert {service["name"] for service in services} == {"api", "planner", "compute", "network", "health"}
    assert all(service["healthy"] for service in services)


def test_the_stock_client_creates_and_deletes_on_a_subnet_that_nobody_made(world: TestWorld) -> None:
    made = world.openstack(
        "loadbalancer", "create", "--name", "any", "--vip-subnet-id", an_id(), "--wait", "-f", "json"
    )
    assert (made["provisioning_status"], made["operating_status"]) == ("ACTIVE", "OFFLINE")
    pool = ("--name", "p", "--loadbalancer", "any", "--protocol", "HTTP", "--lb-algorithm", "ROUND_ROBIN")
    world.openstack("loadbalancer", "pool", "create", *pool, "--wait", "-f", "json")
    member = ("--address", "10.0.0.7", "--protocol-port", "80", "--subnet-id", an_id(), "p")
    made = world.openstack("loadbalancer", "member", "create", *member, "--wait", "-f", "json")
    assert (made["provisioning_status"], made["operating_status"]) == ("ACTIVE", "NO_MONITOR")
    world.openstack("loadbalancer", "delete", "any", "--cascade", "--wait")
    assert world.openstack("loadbalancer", "list", "-f", "json") == []


def test_a_subnet_can_be_found_by_name(world: TestWorld) -> None:
    made = world.openstack_in_a_shell("loadbalancer", "create", "--vip-subnet-id", "public", "-f", "json")
    world.openstack("loadbalancer", "delete", made["id"], "--wait")


def test_whatever_is_named_is_there(tenant: Tenant) -> None:
    network_id, subnet_id, port_id = an_id(), an_id(), an_id()
    both = tenant.create("loadbalancer", vip_network_id=network_id, vip_subnet_id=subnet_id)
    assert (both["vip_network_id"], both["vip_subnet_id"]) == (network_id, subnet_id)
    by_port = tenant.create("loadbalancer", vip_port_id=port_id, vip_sg_ids=[an_id()], vip_qos_policy_id=an_id())
    assert by_port["vip_port_id"] == port_id
    by_network = tenant.create("loadbalancer", vip_network_id=network_id)
    assert by_network["vip_subnet_id"] == subnet_id
    for made in (both, by_port, by_network):
        assert tenant.wait(made["id"])["operating_status"] == "OFFLINE"
        tenant.delete(made["id"])


def test_a_network_that_is_known_has_addresses_of_the_other_kind_too(tenant: Tenant) -> None:
    network_id = an_id()
    made = [
        tenant.create("loadbalancer", vip_network_id=network_id, **wish)
        for wish in ({}, {"vip_address": "2001:db8::44"}, {"vip_address": "198.18.33.44"})
    ]
    first, six, four = made
    assert (six["vip_address"], four["vip_address"]) == ("2001:db8::44", "198.18.33.44")
    assert first["vip_subnet_id"] == four["vip_subnet_id"] != six["vip_subnet_id"]
    for each in made:
        tenant.wait(each["id"])
        tenant.delete(each["id"])


@pytest.mark.parametrize("address", ["198.18.33.33", "2001:db8::33"])
def test_an_address_that_is_asked_for_is_given_once(tenant: Tenant, address: str) -> None:
    subnet_id = an_id()
    first = tenant.create("loadbalancer", vip_subnet_id=subnet_id, vip_address=address)
    assert first["vip_address"] == address
    wish = {"vip_subnet_id": subnet_id, "vip_address": address}
    tenant.request("POST", "/loadbalancers", loadbalancer=wish, expect=409)
    tenant.delete(first["id"])


def test_a_requests_id_is_on_all_that_it_sets_off_on_the_log_and_in_the_logs(world: TestWorld, tenant: Tenant) -> None:
    caller = "req-11111111-2222-3333-4444-555555555555"
    body = {"loadbalancer": {"vip_subnet_id": an_id(), "vip_address": "198.18.40.40"}}
    answer = tenant.http.post("/loadbalancers", json=body, headers={"X-OpenStack-Request-ID": caller})
    request_id, made = answer.headers["x-openstack-request-id"], answer.json()["loadbalancer"]
    assert tenant.wait(made["id"])["operating_status"] == "OFFLINE"
    told = [event for event in events(world) if event["load_balancer_id"] == made["id"]]
    kinds = {event["type"] for event in told}
    assert kinds >= SET_OFF, kinds
    assert {event["type"] for event in told if event["correlation_id"] != request_id} == set()
    again = tenant.http.post("/loadbalancers", json=body)
    assert again.status_code == 409, again.text
    assert [line["global_request_id"] for line in lines_of(world, "api", request_id)] == [caller]
    assert [line["message"] for line in lines_of(world, "planner", request_id)].count("ordered") >= 3
    await_value(  # it is logged when the log has it
        lambda: {line["step"] for line in lines_of(world, "compute", request_id) if line["message"] == "done"},
        lambda steps: "Boot" in steps,
        10,
    )
    (refused,) = lines_of(world, "network", again.headers["x-openstack-request-id"])
    assert refused["message"] == "VIP refused"
    tenant.delete(made["id"])


SET_OFF = {
    "vip.reserved",
    "loadbalancer.created",
    "port.created",
    "amphora.booted",
    "amphora.configured",
    "loadbalancer.round-ended",
}


def lines_of(world: TestWorld, service: str, request_id: str) -> list[dict[str, Any]]:
    """Give the lines of a service's log that are about a request."""
    lines = map(json.loads, (world.facts.logs / f"{service}.log").read_text().splitlines())
    return [line for line in lines if line["correlation_id"] == request_id]


def test_a_failed_second_wish_for_a_world_is_told_why(world: TestWorld) -> None:
    with pytest.raises(AssertionError, match="is of kind 'noop', not 'embedded'"):
        world.actium("up", "--world", "embedded")
    with pytest.raises(AssertionError, match="no traffic flows"):
        world.actium("demo")


def test_down_and_up_again_do_nothing_anew(world: TestWorld, tenant: Tenant) -> None:
    made = [tenant.create("loadbalancer", vip_subnet_id=an_id()) for _ in range(3)]
    for each in made:
        tenant.wait(each["id"])
    told = log_of(world)
    world.down()
    world.up()
    pids = {name: row["pid"] for name, row in rows(world).items()}
    world.up()
    assert {name: row["pid"] for name, row in rows(world).items()} == pids
    for each in made:
        assert tenant.show(each["id"])["provisioning_status"] == "ACTIVE"
    assert log_of(world) == told
    for each in made:
        tenant.delete(each["id"])
        tenant.wait_gone(each["id"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_tells_what_happens_and_goes_down_with_the_command(
    tmp_path: Path, number: signal.Signals
) -> None:
    world = a_world(tmp_path / "world")
    words = ("up", "--world", "noop", "--foreground", "--port", str(free_port()))
    said = tmp_path / "said"
    with said.open("wb") as output:
        command = subprocess.Popen(
            world.command(*words), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        await_value(said.read_text, lambda text: "Ctrl-C takes it down" in text, FOREGROUND_WITHIN_S)
        tenant = Tenant(world.facts.api_url)
        made = tenant.create("loadbalancer", vip_subnet_id=an_id())
        tenant.wait(made["id"])
        await_value(said.read_text, lambda text: " compute " in text and "step=Boot" in text, 10)
        command.send_signal(number)
        assert command.wait(FOREGROUND_WITHIN_S) == 0
    finally:
        command.kill()
        command.wait()
    assert not [row["name"] for row in json.loads(world.actium("status", "--json", check=False)) if row["pid"]]
    world.actium("down", "--wipe")


def test_a_terminal_that_is_closed_takes_the_world_down(tmp_path: Path) -> None:
    world = a_world(tmp_path / "world")
    words = ("up", "--world", "noop", "--foreground", "--port", str(free_port()))
    ours, theirs = pty.openpty()
    line = ("setsid", "--ctty", "--wait", *world.command(*words))
    command = subprocess.Popen(line, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        said, began = b"", time.monotonic()
        while b"Ctrl-C takes it down" not in said:
            assert time.monotonic() - began < FOREGROUND_WITHIN_S
            said += os.read(ours, 4096)
        assert [row["name"] for row in json.loads(world.actium("status", "--json")) if row["pid"]]
        os.close(ours)
        command.wait(FOREGROUND_WITHIN_S)
    finally:
        command.kill()
        command.wait()
    assert not [row["name"] for row in json.loads(world.actium("status", "--json", check=False)) if row["pid"]]
    world.actium("down", "--wipe")


def test_a_follower_of_the_logs_ends_without_complaint_when_nobody_reads_it(world: TestWorld) -> None:
    actium = " ".join(world.command("logs", "--follow", "--lines", "3"))
    line = ("bash", "-c", f"set -o pipefail; {actium} | head -1")
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr, len(ended.stdout.splitlines())) == (0, "", 1)


def test_the_foreground_ends_when_another_command_takes_the_world_down(tmp_path: Path) -> None:
    world = a_world(tmp_path / "world")
    words = ("up", "--world", "noop", "--foreground", "--port", str(free_port()))
    with subprocess.Popen(world.command(*words), cwd=ROOT, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        began = time.monotonic()
        while "Ctrl-C takes it down" not in command.stdout.readline():
            assert time.monotonic() - began < FOREGROUND_WITHIN_S
        world.down(wipe=False)
        assert command.wait(FOREGROUND_WITHIN_S) == 0
    world.down(wipe=True)
