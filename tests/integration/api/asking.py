"""Asking the API of a world for things, and expecting its refusals."""

from typing import Any

import httpx

from builders import PUBLIC
from integration.api.world import World

LBAAS = "/v2.0/lbaas"


async def make(world: World, **fields: Any) -> dict[str, Any]:
    """Create a load balancer and wait until it serves."""
    body = {"loadbalancer": {"name": "web", "vip_subnet_id": PUBLIC, **fields}}
    with world.fleet.busy():
        response = await world.client.post(f"{LBAAS}/loadbalancers", json=body)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()["loadbalancer"]
    await world.wait_for(f"{LBAAS}/loadbalancers/{created['id']}", "ACTIVE")
    return created


async def made(world: World, path: str, key: str, **fields: Any) -> dict[str, Any]:
    with world.fleet.busy():
        response = await world.client.post(f"{LBAAS}/{path}", json={key: fields})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()[key]
    return document


def fault(response: httpx.Response, status: int, *words: str) -> None:
    """Expect upstream's fault body with these words in it."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"faultcode", "faultstring", "debuginfo"}
    assert body["faultcode"] == ("Server" if status >= 500 else "Client")
    for word in words:
        assert word in body["faultstring"], body["faultstring"]
