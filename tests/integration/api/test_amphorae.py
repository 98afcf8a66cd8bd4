"""What administrators see of amphorae by HTTP: each field of them, and what each has carried."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from actium_shared import statistics
from actium_shared.ids import AmphoraId, ListenerId, LoadBalancerId
from actium_shared.statistics import ListenerTotals, LoadBalancerStatistics
from actium_shared.testing.nats_server import NatsServer
from builders import an_id
from contract.field_values import FIELDS
from integration.api.asking import fault, make
from integration.api.world import World


async def test_amphorae_are_shown_to_administrators(world: World) -> None:
    created = await make(world)
    found = (await world.client.get("/v2/octavia/amphorae", params={"loadbalancer_id": created["id"]})).json()
    (amphora,) = found["amphorae"]
    assert set(amphora) == {field for field, spec in FIELDS["amphora"].items() if spec["response"]}
    assert (await world.client.get(f"/v2/octavia/amphorae/{amphora['id']}")).json() == {"amphora": amphora}
    told = {field: datetime.fromisoformat(amphora.pop(field)) for field in ("created_at", "updated_at")}
    assert told["created_at"] <= told["updated_at"]
    assert datetime.fromisoformat(amphora.pop("cert_expiration")) > told["created_at"] + timedelta(days=29)
    assert amphora == {
        "id": str(UUID(amphora["id"])),
        "loadbalancer_id": created["id"],
        "compute_id": an_id("machine"),
        "lb_network_ip": "10.250.1.1",
        "vrrp_ip": "203.0.113.101",
        "ha_ip": created["vip_address"],
        "vrrp_port_id": str(UUID(amphora["vrrp_port_id"])),
        "ha_port_id": created["vip_port_id"],
        "cert_busy": False,
        "role": "STANDALONE",
        "status": "ALLOCATED",
        "vrrp_interface": None,
        "vrrp_id": 1,
        "vrrp_priority": None,
        "cached_zone": None,
        "image_id": "default",
        "compute_flavor": None,
    }
    assert (await world.client.get("/v2/lbaas/amphorae")).status_code == 404


async def test_what_an_amphora_has_carried_is_shown_by_listener(world: World, nats_server: NatsServer) -> None:
    created = await make(world, listeners=[{"protocol": "TCP", "protocol_port": port} for port in (80, 81)])
    lb_id, listeners = LoadBalancerId(created["id"]), sorted(each["id"] for each in created["listeners"])
    (amphora,) = (await world.client.get("/v2/octavia/amphorae", params={"loadbalancer_id": lb_id})).json()["amphorae"]
    path = f"/v2/octavia/amphorae/{amphora['id']}/stats"
    fault(await world.client.get(path), 404, "Statistics", amphora["id"])
    figures = [
        {
            "bytes_in": 100 + n,
            "bytes_out": 200 + n,
            "active_connections": n,
            "total_connections": 300 + n,
            "request_errors": 400 + n,
        }
        for n in range(2)
    ]
    totals = {ListenerId(name): ListenerTotals(**each) for name, each in zip(listeners, figures, strict=True)}
    async with nats_server.bus("health") as health:
        for amphora_id in (amphora["id"], an_id("one that is gone")):
            published = LoadBalancerStatistics(
                load_balancer_id=lb_id, amphora_id=AmphoraId(amphora_id), at=datetime.now(UTC), listeners=totals
            )
            await health.publish(statistics.subject(lb_id), statistics.encode(published))
        shown = await answered(world, path)
    assert shown == {
        "amphora_stats": [
            {"id": amphora["id"], "listener_id": name, "loadbalancer_id": lb_id, **each}
            for name, each in zip(listeners, figures, strict=True)
        ]
    }


async def answered(world: World, path: str) -> Any:
    """Give what is there as soon as something is."""
    async with asyncio.timeout(10):
        while (answer := await world.client.get(path)).status_code != 200:
            await asyncio.sleep(0.02)
    return answer.json()
