"""What tests of other vendors' drivers share: their load balancers, made and shown over HTTP, reported on by the driver."""

from typing import Any

from builders import PUBLIC
from integration.drivers.conftest import Site

LBS = "/v2/lbaas/loadbalancers"


async def create(site: Site, **fields: Any) -> dict[str, Any]:
    body = {"vip_subnet_id": PUBLIC, "provider": "acme", "name": "web", **fields}
    response = await site.client.post(LBS, json={"loadbalancer": body})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["loadbalancer"]
    return made


async def served(site: Site, **fields: Any) -> dict[str, Any]:
    made = await create(site, **fields)
    await active(site, made["id"])
    return made


async def active(site: Site, lb_id: str, **more: list[dict[str, Any]]) -> None:
    own = {"id": lb_id, "provisioning_status": "ACTIVE", "operating_status": "ONLINE"}
    await site.report(loadbalancers=[own], **more)


async def shown(site: Site, path: str, *fields: str) -> tuple[Any, ...]:
    response = await site.client.get(path)
    assert response.status_code == 200, response.text
    (document,) = response.json().values()
    return tuple(document[field] for field in fields)
