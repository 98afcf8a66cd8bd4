"""The driver API: the planner's commands as JSON, by the caller's ids, done once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import builders as a
from actium_shared.testing.nats_server import NatsServer
from integration.api.world import World, running

COMMANDS = "/v1/commands"
LB = a.an_id("driver-api-lb")


@pytest.fixture
async def world(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[World]:
    async with running(nats_server, tmp_path) as made:
        yield made


async def post(world: World, command_id: str, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    response = await world.client.post(COMMANDS, json={"id": command_id, "type": kind, "body": body})
    found: dict[str, Any] = response.json()
    return response.status_code, found


async def test_a_load_balancer_is_made_changed_and_deleted_by_commands(world: World) -> None:
    project = {"project_id": "p"}
    status, reserved = await post(
        world, "c-1", "vip.reserve", {"load_balancer_id": LB, **project, "subnet_id": a.PUBLIC}
    )
    assert (status, reserved["outcome"]) == (200, "accepted")
    balancer = {"id": LB, **project, "vip": reserved["vip"], "name": "by command"}
    status, _ = await post(world, "c-2", "loadbalancer.create", {"load_balancer_id": LB, "load_balancer": balancer})
    assert status == 200
    path = f"/v2/loadbalancers/{LB}"
    assert (await world.client.get(path)).json()["loadbalancer"]["name"] == "by command"
    await world.wait_for(path, "ACTIVE")

    listener = {"id": a.LISTENER, "protocol": "HTTP", "protocol_port": 80}
    await post(world, "c-3", "listener.create", {"load_balancer_id": LB, "listener": listener})
    gone = {"load_balancer_id": LB, "listener_id": a.LISTENER}
    first = await post(world, "c-4", "listener.delete", gone)
    assert first[0] == 200
    assert await post(world, "c-4", "listener.delete", gone) == first  # done once, answered alike
    status, refused = await post(world, "c-5", "listener.delete", gone)
    assert (status, refused["outcome"], refused["reason"]) == (404, "rejected", "not-found")
    # The same id on another thing is another command.
    other = {"load_balancer_id": a.an_id("another"), "listener_id": a.LISTENER}
    assert (await post(world, "c-4", "listener.delete", other))[0] == 404


async def test_a_change_that_is_repeated_late_does_not_undo_a_newer_one(world: World) -> None:
    lb = a.an_id("driver-api-lb-2")
    _, reserved = await post(
        world, "d-1", "vip.reserve", {"load_balancer_id": lb, "project_id": "p", "subnet_id": a.PUBLIC}
    )
    balancer = {"id": lb, "project_id": "p", "vip": reserved["vip"]}
    await post(world, "d-2", "loadbalancer.create", {"load_balancer_id": lb, "load_balancer": balancer})
    for command_id, name in (("d-3", "old"), ("d-4", "new"), ("d-3", "old")):
        status, _ = await post(
            world, command_id, "loadbalancer.update", {"load_balancer_id": lb, "changes": {"name": name}}
        )
        assert status == 200
    assert (await world.client.get(f"/v2/loadbalancers/{lb}")).json()["loadbalancer"]["name"] == "new"


async def test_an_id_that_another_load_balancer_uses_is_refused(world: World) -> None:
    listener = {"id": a.an_id("disputed"), "protocol": "HTTP", "protocol_port": 80, "name": "first"}
    one, other = a.an_id("driver-api-lb-3"), a.an_id("driver-api-lb-4")
    for number, lb in enumerate((one, other)):
        wish = {"load_balancer_id": lb, "project_id": "p", "subnet_id": a.PUBLIC}
        _, reserved = await post(world, f"whose-{number}-1", "vip.reserve", wish)
        balancer = {"id": lb, "project_id": "p", "vip": reserved["vip"]}
        await post(
            world, f"whose-{number}-2", "loadbalancer.create", {"load_balancer_id": lb, "load_balancer": balancer}
        )
    create = "listener.create", {"load_balancer_id": one, "listener": listener}
    assert (await post(world, "whose-3", *create))[0] == 200
    assert (await post(world, "whose-3", *create))[0] == 200  # its own id again is the same wish
    changed = listener | {"name": "second"}
    status, refused = await post(world, "whose-4", "listener.create", {"load_balancer_id": other, "listener": changed})
    assert (status, refused["reason"], refused["field"]) == (409, "conflict", "id")
    assert listener["id"] in refused["detail"]
    shown = (await world.client.get(f"/v2/listeners/{listener['id']}")).json()["listener"]
    assert (shown["name"], shown["loadbalancers"]) == ("first", [{"id": one}])


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ([], "Expected `object`"),
        ({"id": "c", "type": "listener.create"}, "body"),
        ({"id": "", "type": "listener.create", "body": {}}, "id must have"),
        ({"id": "c", "type": "router.create", "body": {}}, "'router.create' is not known"),
        ({"id": "c", "type": "loadbalancer.settle-proposal", "body": {}}, "is not known"),
        ({"id": "c", "type": "listener.create", "version": 9, "body": {}}, "version of listener.create must be 1"),
        ({"id": "c", "type": "listener.create", "body": {"colour": 1}}, "body.colour is not known"),
        ({"id": "c", "type": "listener.create", "body": {"load_balancer_id": 7}}, "load_balancer_id"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(world: World, sent: object, words: str) -> None:
    response = await world.client.post(COMMANDS, json=sent)
    assert response.status_code == 400
    assert words in response.json()["faultstring"]


async def test_the_schema_tells_every_command(world: World) -> None:
    schema = (await world.client.get(f"{COMMANDS}/schema")).json()
    assert {"loadbalancer.create", "member.replace-all", "project.set-quota", "vip.reserve"} <= schema[
        "commands"
    ].keys()
    assert not {"loadbalancer.propose", "loadbalancer.report-status"} & schema["commands"].keys()
    assert schema["commands"]["listener.delete"]["body"]["$ref"].removeprefix("#/$defs/") in schema["$defs"]


async def test_an_id_that_another_command_has_is_refused(world: World) -> None:
    lb = a.an_id("driver-api-lb-3")
    _, reserved = await post(
        world, "e-1", "vip.reserve", {"load_balancer_id": lb, "project_id": "p", "subnet_id": a.PUBLIC}
    )
    balancer = {"id": lb, "project_id": "p", "vip": reserved["vip"]}
    await post(world, "e-2", "loadbalancer.create", {"load_balancer_id": lb, "load_balancer": balancer})

    def change(name: str) -> dict[str, Any]:
        return {"load_balancer_id": lb, "changes": {"name": name}}

    first = await post(world, "e-3", "loadbalancer.update", change("one"))
    assert first[0] == 200, first
    for kind, body in (("loadbalancer.update", change("two")), ("loadbalancer.delete", {"load_balancer_id": lb})):
        status, refused = await post(world, "e-3", kind, body)
        assert (status, refused["outcome"], refused["reason"], refused["field"]) == (409, "rejected", "conflict", "id")
    assert await post(world, "e-3", "loadbalancer.update", change("one")) == first
    assert (await world.client.get(f"/v2/loadbalancers/{lb}")).json()["loadbalancer"]["name"] == "one"
