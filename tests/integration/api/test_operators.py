"""What operators do to load balancers and see of the fleet, by their command line and by HTTP, in a world with a planner."""

from datetime import UTC, datetime
from typing import Any

from actium_shared.bus import Question
from actium_shared.commands.health import LastHeard, ReleaseHeldLosses
from actium_shared.events.health import AmphoraLossHeldBack, AmphoraLost
from actium_shared.message import Accepted, Position, Reason, Rejected, Reply
from actium_shared.streams import events_of
from actium_shared.testing.nats_server import NatsServer
from builders import PUBLIC, an_id
from integration.api.world import World, Writer
from integration.operator.test_command_line import Result, run_at

LBS = "/v2/lbaas/loadbalancers"
AMPHORAE = "/v2/octavia/amphorae"
OPERATOR = "/operator/v1"
HEALTH = events_of("health")


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


async def test_what_a_limit_holds_back_is_shown_and_let_go_of_with_reason_and_name(
    world: World, nats_server: NatsServer
) -> None:
    lb_id = await create(world, "stormy")
    await world.wait_for(f"{LBS}/{lb_id}", "ACTIVE")
    fleet = (await world.client.get(f"{OPERATOR}/amphorae")).json()["amphorae"]
    (only,) = [each for each in fleet if each["load_balancers"] == [{"id": lb_id, "name": "stormy"}]]
    asked: list[Question] = []
    about: dict[str, Any] = {name: only[name] for name in ("appliance_id", "host")}
    about |= {"amphora_id": only["id"], "last_heard_at": datetime.now(UTC)}
    async with nats_server.bus("health") as bus:
        health = Writer("health", bus)

        async def judge(question: Question) -> Reply:
            if not isinstance(question.command, ReleaseHeldLosses):
                return LastHeard(heard_at={})
            asked.append(question)
            if question.command.host == "elsewhere":
                return Rejected(reason=Reason.NOT_FOUND, detail="nothing is held back on host elsewhere", field="host")
            await health.append("liveness", only["id"], AmphoraLost(**about, reason="silent"), order_id="lost")
            return Accepted(position=Position(HEALTH, await bus.last_sequence(HEALTH)))

        await bus.serve_asks("health", judge)
        held = AmphoraLossHeldBack(**about, reason="too many at once")
        await health.append("liveness", only["id"], held, order_id="held")
        await world.wait_for(f"{AMPHORAE}/{only['id']}", "FAILOVER_STOPPED", field="status")
        listed = await actium(world, "losses", "list")
        assert listed.out.splitlines()[0] == "1 held back, 0 lost and not replaced yet"
        line = next(line for line in listed.out.splitlines() if only["id"] in line)
        assert [word for word in (only["host"], "held-back", "stormy", "too many at once") if word not in line] == []

        elsewhere = await actium(world, "losses", "release", "--host", "elsewhere", "--reason", "power cut")
        assert (elsewhere.code, elsewhere.err.strip()) == (1, "nothing is held back on host elsewhere")
        without = await actium(world, "losses", "release", "--reason", " ")
        assert (without.code, without.err.strip()) == (1, "reason: must have 1 to 1000 characters")
        released = await actium(world, "losses", "release", "--reason", "power cut")
        assert released.out.splitlines()[0] == "0 held back, 1 lost and not replaced yet"
    command = asked[-1].command
    assert isinstance(command, ReleaseHeldLosses)
    assert (command.host, command.reason) == ("", "power cut")
    actor = asked[-1].envelope.actor
    assert actor is not None
    assert actor.user_id.startswith("admin ")
