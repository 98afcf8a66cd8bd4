"""Requests really reach the members, whatever layer and route; what dies is taken out, what is deleted leaves nothing."""

import os
import signal
from contextlib import suppress

import pytest

from system.worlds import (
    Tenant,
    TestWorld,
    answers,
    await_value,
    commands_in,
    events,
    namespaces_of,
    processes_in,
)


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_requests_go_round_robin_to_plugged_and_routed_members(
    tenant: Tenant, subnets: dict[str, str], backends: dict[str, str], protocol: str
) -> None:
    lb = tenant.web(
        subnets["public"], (backends["one"], subnets["tenant-a"]), (backends["two"], None), protocol=protocol
    )
    seen = await_value(lambda: answers(lb["vip_address"], count=4), lambda names: "-" not in names, 10)
    assert sorted(seen) == ["one", "one", "two", "two"]


def test_a_member_that_dies_is_taken_out_and_returns(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    lb = tenant.web(subnets["public"], (backends["one"], subnets["tenant-a"]), (backends["two"], subnets["tenant-b"]))
    pool_id = lb["pools"][0]["id"]
    tenant.create("healthmonitor", pool_id=pool_id, type="HTTP", delay=1, timeout=1, max_retries=1, max_retries_down=1)
    tenant.wait(lb["id"])

    def statuses() -> dict[str, str]:
        members = tenant.request("GET", f"/pools/{pool_id}/members")["members"]
        return {member["address"]: member["operating_status"] for member in members}

    await_value(statuses, lambda found: set(found.values()) == {"ONLINE"}, 20)
    world.actium("backend", "stop", "two")
    try:
        await_value(statuses, lambda found: found[backends["two"]] == "ERROR", 20)
        assert answers(lb["vip_address"], count=6) == ["one"] * 6
        assert tenant.show(lb["id"])["operating_status"] == "DEGRADED"
    finally:
        world.actium("backend", "start", "two", "--network", "tenant-b", "--address", backends["two"])
    await_value(statuses, lambda found: set(found.values()) == {"ONLINE"}, 20)
    await_value(lambda: answers(lb["vip_address"], count=4), lambda names: "two" in names, 10)


def test_a_weight_changes_without_a_new_haproxy_or_a_lost_request(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    lb = tenant.web(subnets["public"], (backends["one"], subnets["tenant-a"]), (backends["two"], subnets["tenant-b"]))
    (amphora_id,) = world.amphorae()
    traffic = f"amphora-{amphora_id}-traffic"
    before = set(processes_in(traffic))
    pool_id = lb["pools"][0]["id"]
    (drained,) = [
        member
        for member in tenant.request("GET", f"/pools/{pool_id}/members")["members"]
        if member["address"] == backends["two"]
    ]
    tenant.request("PUT", f"/pools/{pool_id}/members/{drained['id']}", member={"weight": 0})
    tenant.wait(lb["id"])
    assert answers(lb["vip_address"], count=6) == ["one"] * 6
    assert set(processes_in(traffic)) == before


def test_a_killed_haproxy_and_a_killed_agent_come_back(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    lb = tenant.web(subnets["public"], (backends["one"], subnets["tenant-a"]))
    (amphora_id,) = world.amphorae()
    management = f"amphora-{amphora_id}"
    agents = [pid for pid, command in commands_in(management).items() if "actium_amphora_agent" in command]
    for pid in agents:
        os.kill(pid, signal.SIGKILL)
    assert answers(lb["vip_address"], count=5) == ["one"] * 5
    for pid, command in commands_in(f"{management}-traffic").items():
        if "haproxy" in command:
            with suppress(ProcessLookupError):  # the end of the master is the end of its worker
                os.kill(pid, signal.SIGKILL)
    await_value(lambda: answers(lb["vip_address"]), lambda names: names == ["one"], 10)
    tenant.request("PUT", f"/listeners/{lb['listeners'][0]['id']}", listener={"connection_limit": 100})
    tenant.wait(lb["id"])


def test_deletion_leaves_nothing(
    world: TestWorld, tenant: Tenant, subnets: dict[str, str], backends: dict[str, str]
) -> None:
    links = _fabric_links(world)
    lb = tenant.web(subnets["public"], (backends["one"], subnets["tenant-a"]))
    (amphora_id,) = world.amphorae()
    assert len(namespaces_of(amphora_id)) == 2
    tenant.request("DELETE", f"/loadbalancers/{lb['id']}", expect=400)
    tenant.request("DELETE", f"/loadbalancers/{lb['id']}?cascade=true")
    tenant.wait_gone(lb["id"])
    assert not namespaces_of(amphora_id)
    assert not world.amphorae()
    assert _fabric_links(world) == links
    types = [event["type"] for event in events(world, "--load-balancer", lb["id"])]
    assert types[0] == "vip.reserved"
    assert types[-1] == "loadbalancer.deleted"
    for expected in ("loadbalancer.created", "appliance.created", "port.created", "amphora.booted", "amphora.deleted"):
        assert types.count(expected) >= 1, (expected, types)


def test_a_create_costs_at_most_seven_synced_commits(world: TestWorld, tenant: Tenant, subnets: dict[str, str]) -> None:
    lb = tenant.create("loadbalancer", vip_subnet_id=subnets["public"])
    tenant.wait(lb["id"])
    told = list(events(world, "--load-balancer", lb["id"]))
    last = next(number for number, event in enumerate(told) if event["type"] == "loadbalancer.round-ended")
    positions = {str(event["position"]) for event in told[: last + 1] if not event["type"].startswith("health.")}
    assert len(positions) <= 7, sorted(positions)


def _fabric_links(world: TestWorld) -> set[str]:
    import subprocess

    listed = subprocess.run(
        ["ip", "-br", "-n", world.facts.fabric_namespace, "link"], capture_output=True, text=True, check=True
    )
    return {line.split("@")[0].split()[0] for line in listed.stdout.splitlines()}
