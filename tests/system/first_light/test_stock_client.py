"""The stock `openstack` client does its whole day's work against a world, and exits with what it should."""

import json

import pytest

from system.worlds import Tenant, TestWorld, answers, await_value


def test_a_day_with_the_stock_client(world: TestWorld, tenant: Tenant, backends: dict[str, str]) -> None:
    lb = ("loadbalancer",)
    made = world.openstack(*lb, "create", "--vip-subnet-id", "public", "--name", "day", "--wait", "-f", "json")
    assert made["provisioning_status"] == "ACTIVE"
    world.openstack(
        *lb, "listener", "create", "--name", "http", "--protocol", "HTTP", "--protocol-port", "80", "--wait", "day"
    )
    world.openstack(
        *lb,
        "pool",
        "create",
        "--name",
        "pool",
        "--lb-algorithm",
        "ROUND_ROBIN",
        "--listener",
        "http",
        "--protocol",
        "HTTP",
        "--wait",
    )
    member = ("member", "create", "--protocol-port", "80", "--wait")
    world.openstack(*lb, *member, "--name", "m1", "--subnet-id", "tenant-a", "--address", backends["one"], "pool")
    world.openstack(*lb, *member, "--name", "m2", "--address", backends["two"], "pool")
    world.openstack(
        *lb,
        "healthmonitor",
        "create",
        "--name",
        "hm",
        "--delay",
        "1",
        "--timeout",
        "1",
        "--max-retries",
        "1",
        "--type",
        "HTTP",
        "--wait",
        "pool",
    )
    seen = await_value(lambda: answers(made["vip_address"], count=4), lambda names: min(names) == "one", 15)
    assert sorted(seen) == ["one", "one", "two", "two"]
    assert [row["name"] for row in world.openstack(*lb, "list", "-f", "json")] == ["day"]
    world.openstack(*lb, "set", "--name", "night", "--wait", "day")
    assert world.openstack(*lb, "show", "night", "-f", "json")["id"] == made["id"]
    status = json.loads(world.openstack(*lb, "status", "show", "night"))
    assert status["loadbalancer"]["listeners"][0]["pools"][0]["members"]
    stats = await_value(
        lambda: world.openstack(*lb, "stats", "show", "night", "-f", "json"),
        lambda found: found["total_connections"] >= 4,
        20,
    )
    assert stats["bytes_out"] > 0
    (amphora_id,) = world.amphorae()
    carried = world.openstack(*lb, "amphora", "stats", "show", amphora_id, "-f", "json")
    assert carried["total_connections"] >= stats["total_connections"]
    assert carried["bytes_out"] >= stats["bytes_out"]
    with pytest.raises(AssertionError, match="has children"):
        world.openstack(*lb, "delete", "night")
    world.openstack(*lb, "delete", "--cascade", "--wait", "night")
    assert world.openstack(*lb, "list", "-f", "json") == []
