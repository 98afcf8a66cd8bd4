"""PyPI's `openstack` command against the real api process: token, catalogue and networks come from the facade."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from actium_shared.events.network import Network, NetworkDiscovered, Port, PortCreated, Subnet, VipReserved
from actium_shared.ids import AmphoraId, ApplianceId, NetworkId, PortId, ProjectId, SubnetId
from actium_shared.testing.nats_server import NatsServer, free_port
from integration.operator.writing import Life, Log, writing
from integration.stock_client import StockClient

NETWORK_ID = NetworkId("6d3c1a52-6a86-4b0c-8d5e-0d5c3f6f6a01")
SUBNET_ID = SubnetId("6d3c1a52-6a86-4b0c-8d5e-0d5c3f6f6a02")
PORT_ID = PortId("6d3c1a52-6a86-4b0c-8d5e-0d5c3f6f6a03")


class Client(StockClient):
    """The stock client and the process that it asks."""

    def __init__(self, url: str, process: Process) -> None:
        super().__init__(url)
        self.url = url
        self.process = process


@pytest.fixture
async def log(nats_server: NatsServer) -> AsyncIterator[Log]:
    async with writing(nats_server) as log:
        yield log


@pytest.fixture
async def client(nats_server: NatsServer, log: Log, tmp_path: Path) -> AsyncIterator[Client]:
    password = tmp_path / "password"
    password.write_text(nats_server.password("api"))
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ACTIUM_")},
        "ACTIUM_NATS_URL": nats_server.url,
        "ACTIUM_NATS_PASSWORD_FILE": str(password),
        "ACTIUM_LISTEN_PORT": str(port),
        "ACTIUM_DATABASE_URL": f"sqlite:///{tmp_path}/api.sqlite",
        "ACTIUM_FACADE": "true",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "actium_api", env=environment, stdout=DEVNULL, stderr=(tmp_path / "log").open("wb")
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await _answers(url)
        yield Client(url, process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()


async def _answers(url: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                if (await client.get(f"{url}/operator/v1/services")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def _networks(log: Log, life: Life) -> None:
    subnet = Subnet(
        id=SUBNET_ID,
        name="public",
        network_id=NETWORK_ID,
        cidr="203.0.113.0/24",
        gateway="203.0.113.1",
        pool_start="203.0.113.100",
        pool_end="203.0.113.250",
    )
    network = Network(id=NETWORK_ID, name="public", role="vip", mtu=1500, subnets=(subnet,))
    await log.append("network", NETWORK_ID, NetworkDiscovered(network=network))
    await log.append(
        "vip",
        life.load_balancer_id,
        VipReserved(load_balancer_id=life.load_balancer_id, project_id=ProjectId("p1"), vip=life.vip),
    )
    port = Port(
        id=PORT_ID,
        network_id=NETWORK_ID,
        subnet_id=SUBNET_ID,
        address="203.0.113.101",
        prefix_length=24,
        mac="02:00:00:00:00:01",
        mtu=1500,
    )
    ids = {"amphora_id": AmphoraId(life.amphora_id), "appliance_id": ApplianceId(life.appliance_id)}
    await log.append("port", life.amphora_id, PortCreated(**ids, port=port))


async def _projected(client: Client, name: str) -> None:
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=client.url, trust_env=False) as http:
        while not (await http.get("/network/v2.0/ports", params={"name": name})).json()["ports"]:
            await asyncio.sleep(0.05)


async def test_the_calls_that_come_before_load_balancing_work(client: Client, log: Log) -> None:
    life = Life()
    await _networks(log, life)
    await _projected(client, f"amphora-{life.amphora_id}")
    token, catalogue, projects, networks, load_balancers, subnet, ports = await asyncio.gather(
        client.json("token", "issue"),
        client.json("catalog", "list"),
        client.json("project", "list"),
        client.json("network", "list"),
        client.json("loadbalancer", "list"),
        client.json("subnet", "show", "public"),
        client.json("port", "list", "--fixed-ip", "ip-address=203.0.113.100"),
    )
    endpoints = {
        service["Type"]: {endpoint["url"] for endpoint in service["Endpoints"] if endpoint["region"] == "embedded"}
        for service in catalogue
    }
    assert endpoints == {
        "identity": {f"{client.url}/identity/v3"},
        "network": {f"{client.url}/network"},
        "load-balancer": {client.url},
    }
    assert [(project["ID"], project["Name"]) for project in projects] == [(token["project_id"], "admin")]
    assert [(network["Name"], network["Subnets"]) for network in networks] == [("public", [SUBNET_ID])]
    assert load_balancers == []
    assert subnet["id"] == SUBNET_ID
    assert subnet["allocation_pools"] == [{"start": "203.0.113.100", "end": "203.0.113.250"}]
    assert [port["Name"] for port in ports] == [f"octavia-lb-{life.load_balancer_id}"]


async def test_what_is_not_there_or_cannot_be_changed_is_refused_in_words(client: Client) -> None:
    unknown, changed = await asyncio.gather(
        client.run("network", "show", "nowhere"), client.run("network", "create", "mine")
    )
    assert unknown[0] == changed[0] == 1
    assert "nowhere" in unknown[2]
    assert "read-only" in changed[2]


async def test_a_body_that_is_no_request_for_a_token_is_refused(client: Client) -> None:
    async with httpx.AsyncClient(base_url=client.url, trust_env=False) as http:
        for body in (b"{", b"{}", b'{"auth": {"identity": {}}}'):
            answer = await http.post("/identity/v3/auth/tokens", content=body)
            assert answer.status_code == 400
            assert answer.json()["error"]["title"] == "Bad Request"


async def test_an_open_stream_of_events_ends_properly_when_the_api_is_stopped(client: Client) -> None:
    async with (
        asyncio.timeout(30),
        httpx.AsyncClient(base_url=client.url, trust_env=False, timeout=30) as http,
        http.stream("GET", "/operator/v1/events", params={"follow": "true"}) as answer,
    ):
        told = (await http.get("/operator/v1/services")).json()["services"]
        assert next(one for one in told if one["name"] == "api")["healthy"]
        client.process.send_signal(signal.SIGTERM)
        # A connection that is cut raises here: that is how it ends for those who do not end in time.
        assert [line async for line in answer.aiter_lines()] == []
