"""Actium as a provider of upstream's Octavia: the driver and its agent, by octavia-lib's own ways, against a running API."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from octavia_lib.api.drivers import data_models, exceptions
from octavia_lib.api.drivers.driver_lib import DriverLibrary
from octavia_lib.api.drivers.provider_base import ProviderDriver
from oslo_config import cfg
from stevedore.driver import DriverManager

import builders as a
from actium_api.drivers import frames
from actium_provider_driver import agent, settings
from actium_provider_driver.client import Client
from actium_provider_driver.following import Following
from actium_shared.testing.nats_server import NatsServer
from integration.api.world import DEADLINE_S, World, running

LB, LISTENER = a.an_id("provided-lb"), a.an_id("provided-listener")
GROUP = "octavia.api.drivers"


@pytest.fixture
async def world(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[World]:
    async with running(nats_server, tmp_path) as made:
        yield made


@dataclass
class Octavia:
    """What octavia-driver-agent does with what it is told: here it is kept."""

    folder: Path
    statuses: dict[str, dict[str, str]] = field(default_factory=dict)
    figures: dict[str, dict[str, int]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    async def serve(self) -> None:
        servers = [
            await asyncio.start_unix_server(self._status, self.folder / "status.sock"),
            await asyncio.start_unix_server(self._statistics, self.folder / "stats.sock"),
        ]
        (self.folder / "get.sock").touch()
        try:
            await asyncio.Event().wait()
        finally:
            for server in servers:
                server.close()

    async def _status(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = await frames.receive(reader)
        records = [record for items in told.values() for record in items]
        if any(record["id"] in self.unknown for record in records):
            await frames.send(writer, {"status_code": 500, "fault_string": "unknown"})
        else:
            for record in records:
                self.statuses.setdefault(record["id"], {}).update(record)
            await frames.send(writer, {"status_code": 200})
        writer.close()

    async def _statistics(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for record in (await frames.receive(reader))["listeners"]:
            self.figures[record["id"]] = record
        await frames.send(writer, {"status_code": 200})
        writer.close()

    def of(self, object_id: str) -> str | None:
        return self.statuses.get(object_id, {}).get("provisioning_status")


def client(world: World) -> Client:
    conf = cfg.ConfigOpts()
    settings.register(conf)
    conf([])
    conf.set_override("endpoint", str(world.client.base_url), group=settings.GROUP)
    return Client(settings.connect(conf))


def loaded(of: Client | None = None) -> ProviderDriver:
    """Load the driver as octavia-api does."""
    manager: Any = DriverManager(GROUP, "actium", invoke_on_load=True, invoke_args=() if of is None else (of,))
    return manager.driver


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.05)


@dataclass
class Ids:
    """Of one test's own load balancer: others are on the same log."""

    name: str

    def __getattr__(self, what: str) -> str:
        return a.an_id(f"provided-{self.name}-{what}")


def balancer(ids: Ids, **fields: Any) -> data_models.LoadBalancer:
    listener = data_models.Listener(
        listener_id=ids.listener, loadbalancer_id=ids.lb, protocol="HTTP", protocol_port=80, default_pool_id=ids.pool
    )
    member = data_models.Member(member_id=ids.member, pool_id=ids.pool, address="10.1.0.10", protocol_port=80)
    pool = data_models.Pool(
        pool_id=ids.pool, loadbalancer_id=ids.lb, protocol="HTTP", lb_algorithm="ROUND_ROBIN", members=[member]
    )
    return data_models.LoadBalancer(
        loadbalancer_id=ids.lb, project_id="p", name="upstream's", listeners=[listener], pools=[pool], **fields
    )


def test_it_is_a_driver_of_octavia_lib_that_answers_every_call_of_the_interface() -> None:
    driver = loaded()
    assert isinstance(driver, ProviderDriver)
    calls = {name for name in vars(ProviderDriver) if not name.startswith("_") and callable(vars(ProviderDriver)[name])}
    assert calls <= vars(type(driver)).keys()


def test_without_an_address_of_actium_it_says_what_is_missing() -> None:
    with pytest.raises(exceptions.DriverError) as refused:
        loaded().loadbalancer_failover(LB)
    assert "[actium_provider] endpoint" in refused.value.operator_fault_string


async def test_what_upstream_hands_over_is_made_changed_and_deleted(world: World) -> None:
    ids = Ids("calls")
    driver = loaded(client(world))

    def make() -> None:
        vip, more = driver.create_vip_port(ids.lb, "p", {"vip_subnet_id": a.PUBLIC}, [])
        assert (bool(vip["vip_port_id"]), vip["vip_subnet_id"], more) == (True, a.PUBLIC, [])
        addresses = {name: vip[name] for name in ("vip_address", "vip_port_id", "vip_subnet_id", "vip_network_id")}
        driver.loadbalancer_create(balancer(ids, **addresses, additional_vips=[]))

    def change() -> None:
        another = data_models.Member(member_id=ids.another, pool_id=ids.pool, address="10.1.0.11", protocol_port=80)
        driver.member_create(another)
        driver.member_update(another, data_models.Member(member_id=another.member_id, weight=5))
        monitor = data_models.HealthMonitor(
            healthmonitor_id=ids.monitor, pool_id=ids.pool, type="HTTP", delay=5, timeout=3, max_retries=2
        )
        driver.health_monitor_create(monitor)
        policy = data_models.L7Policy(
            l7policy_id=ids.policy, listener_id=ids.listener, action="REJECT", position=1, name="no"
        )
        driver.l7policy_create(policy)
        rule = data_models.L7Rule(
            l7rule_id=ids.rule, l7policy_id=policy.l7policy_id, type="PATH", compare_type="EQUAL_TO", value="/x"
        )
        driver.l7rule_create(rule)
        driver.l7rule_delete(rule)
        batch = data_models.Member(
            member_id=ids.member, pool_id=ids.pool, address="10.1.0.10", protocol_port=80, weight=9
        )
        driver.member_batch_update(ids.pool, [batch])

    await asyncio.to_thread(make)
    path = f"/v2/loadbalancers/{ids.lb}"
    shown = await world.wait_for(path, "ACTIVE")
    assert (shown["name"], shown["project_id"]) == ("upstream's", "p")
    await asyncio.to_thread(change)
    members = (await world.client.get(f"/v2/pools/{ids.pool}/members")).json()["members"]
    assert {each["address"]: each["weight"] for each in members if each["provisioning_status"] != "PENDING_DELETE"} == {
        "10.1.0.10": 9
    }
    await asyncio.to_thread(driver.loadbalancer_delete, balancer(ids), True)
    await world.wait_until_gone(path)


async def test_refusals_are_octavia_libs(world: World) -> None:
    driver = loaded(client(world))

    async def refused(kind: type[Exception], call: Callable[..., Any], *arguments: Any) -> str:
        with pytest.raises(kind) as caught:
            await asyncio.to_thread(call, *arguments)
        return str(getattr(caught.value, "user_fault_string", ""))

    nowhere = data_models.Listener(listener_id=LISTENER, loadbalancer_id=LB, protocol="HTTP", protocol_port=80)
    assert LB in await refused(exceptions.NotFound, driver.listener_create, nowhere)
    assert "colour" in await refused(exceptions.UnsupportedOptionError, driver.validate_flavor, {"colour": "red"})
    await asyncio.to_thread(driver.validate_flavor, {"loadbalancer_topology": "SINGLE"})
    assert "flavor" in await refused(exceptions.NotImplementedError, driver.loadbalancer_failover_with_flavor, LB, "f")
    dead = cfg.ConfigOpts()
    settings.register(dead)
    dead([])
    dead.set_override("endpoint", "http://127.0.0.1:1", group=settings.GROUP)
    gone = loaded(Client(settings.connect(dead)))
    assert "cannot be asked" in await refused(exceptions.DriverError, gone.get_supported_flavor_metadata)


async def test_the_agent_tells_octavia_what_became_of_everything(world: World, tmp_path: Path) -> None:
    ids = Ids("agent")
    folder = tmp_path / "octavia"
    folder.mkdir()
    octavia, ended = Octavia(folder), threading.Event()
    serving = asyncio.create_task(octavia.serve())
    await until((folder / "get.sock").exists)
    library = DriverLibrary(*(str(folder / f"{name}.sock") for name in ("status", "stats", "get")))
    following = Following(client(world), library, refresh_s=0.2)
    agents = asyncio.create_task(asyncio.to_thread(agent.follow, following, ended, 0.05))
    try:
        driver = loaded(client(world))

        def make() -> None:
            vip, _ = driver.create_vip_port(ids.lb, "p", {"vip_subnet_id": a.PUBLIC}, [])
            driver.loadbalancer_create(balancer(ids, vip_subnet_id=vip["vip_subnet_id"], additional_vips=[]))

        octavia.unknown = {ids.listener}  # one that Octavia does not know stops no other
        await asyncio.to_thread(make)
        await until(lambda: all(octavia.of(each) == "ACTIVE" for each in (ids.lb, ids.pool, ids.member)))
        assert octavia.of(ids.listener) is None
        await until(lambda: ids.listener in octavia.figures)
        member = data_models.Member(member_id=ids.member, pool_id=ids.pool)
        await asyncio.to_thread(driver.member_delete, member)
        await until(lambda: octavia.of(ids.member) == "DELETED")
        await asyncio.to_thread(driver.loadbalancer_delete, balancer(ids), True)
        await until(lambda: octavia.of(ids.lb) == "DELETED")
    finally:
        ended.set()
        await _all(agents)
        serving.cancel()


async def _all(*work: Awaitable[object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*work)
