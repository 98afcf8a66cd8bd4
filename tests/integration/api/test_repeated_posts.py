"""POSTs that are repeated with their `Idempotency-Key`, over a real bus and the real planner."""

from typing import Any

from builders import PUBLIC
from integration.api.asking import LBAAS, fault, make
from integration.api.world import World


async def post_with_key(world: World, key: str, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    headers |= {"Idempotency-Key": key}
    response = await world.client.post(f"{LBAAS}/{path}", json=body, headers=headers)
    assert response.status_code == 201, response.text
    (document,) = response.json().values()
    return dict(document)


async def test_a_post_that_is_repeated_with_its_key_makes_nothing_new(world: World) -> None:
    pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
    members = [{"address": f"10.1.0.{number}", "protocol_port": 80} for number in (10, 11)]
    whole = {"loadbalancer": {"vip_subnet_id": PUBLIC, "pools": [pool | {"members": members}]}}
    first, again = [await post_with_key(world, "one", "loadbalancers", whole) for _ in range(2)]
    pool_id = first["pools"][0]["id"]
    assert (again["id"], again["pools"][0]["id"]) == (first["id"], pool_id)
    assert [each["id"] for each in again["pools"][0]["members"]] == [
        each["id"] for each in first["pools"][0]["members"]
    ]
    monitor = {"pool_id": pool_id, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1}
    for path, body in (
        ("listeners", {"listener": {"loadbalancer_id": first["id"], "protocol": "HTTP", "protocol_port": 80}}),
        (f"pools/{pool_id}/members", {"member": {"address": "10.1.0.12", "protocol_port": 80}}),
        ("healthmonitors", {"healthmonitor": monitor}),
    ):
        made_ids = {(await post_with_key(world, "one", path, body))["id"] for _ in range(2)}
        assert len(made_ids) == 1, path


async def test_keys_are_each_projects_own_and_not_of_any_length(world: World) -> None:
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC}}
    one = await post_with_key(world, "one", "loadbalancers", body)
    two = await post_with_key(world, "two", "loadbalancers", body)
    foreign = await post_with_key(world, "one", "loadbalancers", body, **{"X-Project-Id": "b"})
    assert len({one["id"], two["id"], foreign["id"]}) == 3
    headers = {"Idempotency-Key": "x" * 256}
    refused = await world.client.post(f"{LBAAS}/loadbalancers", json=body, headers=headers)
    fault(refused, 400, "Idempotency-Key", "255")


async def test_a_key_makes_another_thing_in_another_load_balancer(world: World) -> None:
    balancers = [await make(world) for _ in range(2)]
    kinds = {
        "listeners": {"listener": {"protocol": "HTTP", "protocol_port": 80}},
        "pools": {"pool": {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}},
    }
    for path, body in kinds.items():
        ((key, wish),) = body.items()
        one, other = [
            await post_with_key(world, "same", path, {key: wish | {"loadbalancer_id": each["id"]}})
            for each in balancers
        ]
        assert one["id"] != other["id"]
        shown = (await world.client.get(f"{LBAAS}/{path}/{one['id']}")).json()[key]
        assert shown["loadbalancers"] == [{"id": balancers[0]["id"]}]
