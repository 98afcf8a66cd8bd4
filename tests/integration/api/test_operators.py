"""What operators do to load balancers and see of the fleet, by their command line and by HTTP, in a world with a planner."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from actium_shared.testing.nats_server import NatsServer
from builders import PUBLIC, an_id
from integration.api.world import World, running
from integration.operator.test_command_line import Result, run_at

LBS = "/v2/lbaas/loadbalancers"
OPERATOR = "/operator/v1"


@pytest_asyncio.fixture
async def world(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[World]:
    async with running(nats_server, tmp_path) as made:
        yield made


async def actium(world: World, *words: str) -> Result:
    return await run_at(str(world.client.base_url), *words)


async def create(world: World, name: str) -> str:
    answer = await world.client.post(LBS, json={"loadbalancer": {"name": name, "vip_subnet_id": PUBLIC}})
    return str(answer.json()["loadbalancer"]["id"])


async def told(world: World, lb_id: str, kind: str) -> Any:
    """Give the one event of this kind in the load balancer's story."""
    story = (await world.client.get(f"{OPERATOR}/load-balancers/{lb_id}/story")).json()
    (found,) = [step["event"] for step in story["events"] if step["event"]["type"] == kind]
    return found


async def test_a_load_balancer_is_settled_with_reason_and_name_on_the_log(world: World) -> None:
    with world.fleet.busy():
        lb_id = await create(world, "stuck")
        done = await actium(world, "settle", "stuck", "--reason", "the rack burnt down")
        assert (done.code, done.err) == (0, "")
        await world.wait_for(f"{LBS}/{lb_id}", "ERROR")
    event = await told(world, lb_id, "loadbalancer.settled")
    assert "the rack burnt down" in event["words"]["what"]
    assert event["actor"]["user_id"].startswith("admin ")  # and the name of whoever runs this


async def test_nothing_is_settled_without_a_reason(world: World) -> None:
    lb_id = await create(world, "fine")
    refused = await actium(world, "settle", lb_id, "--reason", "  ")
    assert (refused.code, refused.err.strip()) == (1, "reason: must have 1 to 1000 characters")
    unknown = await world.client.post(f"{OPERATOR}/load-balancers/{an_id('none')}/settle", json={"reason": "x"})
    assert unknown.status_code == 404


async def test_no_web_page_can_have_a_browser_change_something(world: World) -> None:
    lb_id = await create(world, "quiet")
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        sent = await world.client.post(
            f"{OPERATOR}/load-balancers/{lb_id}/settle",
            content=b'{"reason": "x"}',
            headers={"Content-Type": kind},
        )
        assert sent.status_code == 415


async def test_the_fleet_is_shown_as_it_stands(world: World) -> None:
    lb_id = await create(world, "web")
    await world.wait_for(f"{LBS}/{lb_id}", "ACTIVE")
    carried = [{"id": lb_id, "name": "web"}]
    fleet = (await world.client.get(f"{OPERATOR}/amphorae")).json()["amphorae"]
    (only,) = [each for each in fleet if each["load_balancers"] == carried]
    assert (only["status"], only["topology"], only["vrrp_state"]) == ("ALLOCATED", "SINGLE", None)
    shown = await actium(world, "amphorae")
    line = next(line for line in shown.out.splitlines() if only["id"] in line)
    assert [word for word in ("STANDALONE", only["host"], "ALLOCATED", "web", "1.1 d") if word not in line] == []
    empty = await actium(world, "spares")
    assert (empty.code, empty.out.split()[0]) == (0, "pool")


async def test_what_a_drill_measured_is_on_the_log(world: World) -> None:
    lb_id = await create(world, "drilled")
    await world.wait_for(f"{LBS}/{lb_id}", "ACTIVE")
    drill = {"kind": "planned", "gap_ms": 41.5, "probes": 900, "failed": 3, "interval_ms": 5.0}
    path = f"{OPERATOR}/load-balancers/{lb_id}/drills"
    assert (await world.client.post(path, json=drill)).status_code == 204
    words = (await told(world, lb_id, "loadbalancer.drilled"))["words"]["what"]
    assert "interrupted traffic for 42 ms" in words
    assert "900 requests" in words
    wrong = await world.client.post(path, json=drill | {"kind": "fun"})
    assert (wrong.status_code, wrong.json()["error"]["detail"]) == (
        400,
        "kind must be one of planned, kill, and is 'fun'.",
    )
    assert (await world.client.get(f"{LBS}/{lb_id}")).json()["loadbalancer"]["provisioning_status"] == "ACTIVE"
