"""The API behind a real Keystone: who is let in, what he may, and whose name the log carries."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

import stock_client
from actium_shared.testing.nats_server import NatsServer
from builders import PUBLIC, an_id
from certificates import server as certified
from integration.api.world import World, running
from real_barbican import server as real_barbican
from real_barbican.server import Barbican
from real_keystone import server
from real_keystone.server import Keystone

pytestmark = pytest.mark.asyncio(loop_scope="module")

LBAAS = "/v2.0/lbaas"
AMPHORAE = "/v2.0/octavia/amphorae"
OPERATOR_KEY = "an-operator-key-of-this-test-0123456789"
TOKEN_KEPT_S = 2.0
DEADLINE_S = 20.0
ISSUED = certified()


@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    with server.running(tmp_path_factory.mktemp("keystone")) as running_keystone:
        service = running_keystone.make_project("service")
        running_keystone.make_user("actium", roles={service: "service"})
        one, two = (running_keystone.make_project(name) for name in ("one", "two"))
        running_keystone.make_user("mia", roles={one: "member"})
        running_keystone.make_user("rea", roles={one: "reader"})
        running_keystone.make_user("oto", roles={two: "member"})
        running_keystone.make_user("lou", roles={one: "load-balancer_member"})
        yield running_keystone


@pytest.fixture(scope="module")
def coming(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Barbican]"]:
    """Give a Barbican that lets in whom Keystone knows. It takes its time, and starts while other tests run."""
    service_user, folder = keystone.variables("actium", "service"), tmp_path_factory.mktemp("barbican")
    with ExitStack() as stack, ThreadPoolExecutor(1) as threads:
        yield threads.submit(lambda: stack.enter_context(real_barbican.running(folder, keystone=service_user)))


@dataclass
class Site:
    """The API and its Keystone, as several people see them."""

    world: World
    keystone: Keystone
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: str, method: str, path: str, **body: Any) -> httpx.Response:
        """Ask as `user@project`."""
        headers = {"X-Auth-Token": self.token(who)}
        return await self.world.client.request(method, path, json=body or None, headers=headers)

    def token(self, who: str) -> str:
        if who not in self.tokens:
            user, _, project = who.partition("@")
            self.tokens[who] = self.keystone.token(user, project or None)
        return self.tokens[who]

    async def make(self, who: str, **fields: Any) -> dict[str, Any]:
        response = await self.ask(
            who, "POST", f"{LBAAS}/loadbalancers", loadbalancer={"vip_subnet_id": PUBLIC, **fields}
        )
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()["loadbalancer"]
        return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    nats_server: NatsServer, keystone: Keystone, coming: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("world")
    key = folder / "operator.key"
    key.write_text(OPERATOR_KEY)
    settings: dict[str, Any] = {"auth": "keystone", "token_kept_s": TOKEN_KEPT_S, "operator_key_file": key}
    settings["secret_store"] = "barbican"
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("OS_")]:
            environment.delenv(name)
        for name, value in keystone.variables("actium", "service").items():
            environment.setenv(name, value)
        async with running(nats_server, folder, **settings) as world:
            yield Site(world, keystone)


def refused(response: httpx.Response) -> None:
    assert response.status_code == 403, response.text
    assert response.json()["faultcode"] == "Client"
    assert "Policy does not allow this request" in response.json()["faultstring"]


async def test_without_a_good_token_nobody_gets_in(site: Site) -> None:
    for headers in ({}, {"X-Auth-Token": "gAAAA-nonsense"}, {"X-Auth-Token": ""}, {"X-Project-Id": "p1"}):
        for path in (f"{LBAAS}/loadbalancers", "/v2", "/load-balancer/v2.0/flavors", "/nowhere", "/network/v2.0/ports"):
            response = await site.world.client.get(path, headers=headers)
            assert response.status_code == 401, path
            assert response.json()["error"]["title"] == "Unauthorized"
            assert response.headers["www-authenticate"] == f'Keystone uri="{site.keystone.url}"'
            assert response.headers["x-openstack-request-id"].startswith("req-")


async def test_discovery_needs_no_token_and_the_identity_facade_is_gone(site: Site) -> None:
    for path in ("/", "/load-balancer/"):
        assert (await site.world.client.get(path)).json()["versions"][-1]["status"] == "CURRENT"
    assert (await site.world.client.options(f"{LBAAS}/loadbalancers")).status_code == 200
    assert (await site.ask("mia@one", "HEAD", f"{LBAAS}/loadbalancers")).status_code == 405
    assert (await site.ask("mia@one", "GET", "/v2")).json() == "v2"
    assert (await site.ask("admin@admin", "POST", "/identity/v3/auth/tokens")).status_code == 404
    assert (await site.world.client.get("/healthcheck")).status_code == 404


async def test_a_project_has_its_own_things_to_itself(site: Site) -> None:
    mine = await site.make("mia@one", name="mine")
    theirs = await site.make("oto@two", name="theirs")
    assert mine["project_id"] == mine["tenant_id"] == site.keystone.project_id("one")
    path = f"{LBAAS}/loadbalancers/{mine['id']}"
    for who in ("mia@one", "rea@one", "admin@admin"):
        assert (await site.ask(who, "GET", path)).json()["loadbalancer"]["name"] == "mine"
        assert (await site.ask(who, "GET", f"{path}/status")).status_code == 200
    for method, below in (("GET", ""), ("GET", "/status"), ("GET", "/stats"), ("DELETE", ""), ("PUT", "/failover")):
        refused(await site.ask("oto@two", method, f"{path}{below}"))
    refused(await site.ask("oto@two", "PUT", path, loadbalancer={"name": "got you"}))
    listener = {"loadbalancer_id": mine["id"], "protocol": "HTTP", "protocol_port": 80}
    refused(await site.ask("oto@two", "POST", f"{LBAAS}/listeners", listener=listener))
    refused(await site.ask("rea@one", "POST", f"{LBAAS}/listeners", listener=listener))
    for who, seen in (("mia@one", {"mine"}), ("oto@two", {"theirs"}), ("admin@admin", {"mine", "theirs"})):
        listed = (await site.ask(who, "GET", f"{LBAAS}/loadbalancers")).json()["loadbalancers"]
        assert {each["name"] for each in listed} == seen
    foreign = f"{LBAAS}/loadbalancers?project_id={theirs['project_id']}"
    refused(await site.ask("mia@one", "GET", foreign))
    (only,) = (await site.ask("admin@admin", "GET", foreign)).json()["loadbalancers"]
    assert only["id"] == theirs["id"]
    for who, lb in (("mia@one", mine), ("oto@two", theirs)):
        assert (await site.ask(who, "DELETE", f"{LBAAS}/loadbalancers/{lb['id']}")).status_code == 204


async def test_what_is_below_a_load_balancer_is_its_projects_too(site: Site) -> None:
    tree = {
        "name": "p",
        "protocol": "HTTP",
        "lb_algorithm": "ROUND_ROBIN",
        "members": [{"address": "10.1.0.9", "protocol_port": 80}],
    }
    made = await site.make("mia@one", name="tree", pools=[tree])
    pool = made["pools"][0]
    members = f"{LBAAS}/pools/{pool['id']}/members"
    member = f"{members}/{pool['members'][0]['id']}"
    for path in (f"{LBAAS}/pools/{pool['id']}", members, member):
        assert (await site.ask("rea@one", "GET", path)).status_code == 200
        refused(await site.ask("oto@two", "GET", path))
    refused(await site.ask("rea@one", "PUT", members, members=[]))
    refused(await site.ask("oto@two", "DELETE", member))
    assert (await site.ask("oto@two", "GET", f"{LBAAS}/pools")).json()["pools"] == []
    assert (await site.ask("mia@one", "DELETE", f"{LBAAS}/loadbalancers/{made['id']}?cascade=true")).status_code == 204


async def test_what_does_not_exist_is_not_found_even_by_those_who_may_nothing(site: Site) -> None:
    for who in ("mia@one", "lou@one", "mia"):
        for path in (f"{LBAAS}/loadbalancers/{an_id('none')}", f"{LBAAS}/listeners/x", f"{AMPHORAE}/x"):
            assert (await site.ask(who, "GET", path)).status_code == 404
    refused(await site.ask("mia@one", "DELETE", f"{LBAAS}/flavors/{an_id('none')}"))
    refused(await site.ask("mia@one", "DELETE", f"{AMPHORAE}/{an_id('none')}"))


async def test_for_another_project_only_an_administrator_can_make_something(site: Site) -> None:
    two = site.keystone.project_id("two")
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC, "project_id": two}}
    refused(await site.ask("mia@one", "POST", f"{LBAAS}/loadbalancers", **body))
    made = await site.make("admin@admin", project_id=two)
    assert made["project_id"] == two
    assert (await site.ask("oto@two", "DELETE", f"{LBAAS}/loadbalancers/{made['id']}")).status_code == 204


async def test_a_token_without_a_project_or_a_known_role_may_nothing(site: Site) -> None:
    for who in ("mia", "lou@one"):
        for path in ("loadbalancers", "pools", "flavors", "quotas/defaults"):
            refused(await site.ask(who, "GET", f"{LBAAS}/{path}"))
        network = await site.ask(who, "GET", "/network/v2.0/networks")
        assert (network.status_code, network.json()["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
        refused(await site.ask(who, "POST", f"{LBAAS}/loadbalancers", loadbalancer={"vip_subnet_id": PUBLIC}))


async def test_an_administrator_of_the_whole_system_has_to_name_a_project(site: Site) -> None:
    headers = {"X-Auth-Token": site.keystone.token(project=None, scope={"system": {"all": True}})}
    listed = await site.world.client.get(f"{LBAAS}/loadbalancers", headers=headers)
    assert listed.status_code == 200
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC}}
    response = await site.world.client.post(f"{LBAAS}/loadbalancers", json=body, headers=headers)
    assert response.status_code == 400
    assert "project_id must be given" in response.json()["faultstring"]


async def test_what_belongs_to_the_site_is_for_administrators(site: Site) -> None:
    own, other = site.keystone.project_id("one"), site.keystone.project_id("two")
    for path in ("flavors", "availabilityzones", "providers", f"quotas/{own}", f"quotas/{own}/default", "quotas"):
        assert (await site.ask("rea@one", "GET", f"{LBAAS}/{path}")).status_code == 200, path
    assert (await site.ask("rea@one", "GET", f"{LBAAS}/quotas/defaults")).status_code == 200
    for path in (
        "flavorprofiles",
        "availabilityzoneprofiles",
        f"quotas/{other}",
        "providers/actium/flavor_capabilities",
    ):
        refused(await site.ask("mia@one", "GET", f"{LBAAS}/{path}"))
        assert (await site.ask("admin@admin", "GET", f"{LBAAS}/{path}")).status_code == 200, path
    refused(await site.ask("mia@one", "GET", AMPHORAE))
    refused(await site.ask("mia@one", "PUT", f"{LBAAS}/quotas/{own}", quota={"pool": 5}))
    assert (await site.ask("admin@admin", "GET", AMPHORAE)).status_code == 200


async def test_the_operator_api_is_for_administrators_and_whoever_has_the_key(site: Site) -> None:
    path = "/operator/v1/positions"
    assert (await site.world.client.get(path)).status_code == 401
    refusal = await site.ask("mia@one", "GET", path)
    assert (refusal.status_code, "actium:operator" in refusal.json()["error"]["detail"]) == (403, True)
    assert (await site.ask("admin@admin", "GET", path)).status_code == 200
    for key, status in ((OPERATOR_KEY, 200), (OPERATOR_KEY[:-1], 401), ("", 401)):
        response = await site.world.client.get(path, headers={"X-Actium-Operator-Key": key})
        assert response.status_code == status


async def test_a_revoked_token_is_good_no_longer_than_it_is_kept(site: Site) -> None:
    headers = {"X-Auth-Token": site.keystone.token("rea", "one")}
    path = f"{LBAAS}/loadbalancers"
    assert (await site.world.client.get(path, headers=headers)).status_code == 200
    site.keystone.revoke(headers["X-Auth-Token"])
    async with asyncio.timeout(TOKEN_KEPT_S + 5):
        while (await site.world.client.get(path, headers=headers)).status_code != 401:
            await asyncio.sleep(0.05)


async def test_the_log_says_who_did_it_in_which_request(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    body = {"loadbalancer": {"vip_subnet_id": PUBLIC, "name": "traced"}}
    headers = {
        "X-Auth-Token": site.token("mia@one"),
        "X-Openstack-Request-Id": "req-11111111-2222-3333-4444-555555555555",
    }
    with caplog.at_level(logging.INFO):
        response = await site.world.client.post(f"{LBAAS}/loadbalancers", json=body, headers=headers)
    request_id = response.headers["x-openstack-request-id"]
    assert request_id != headers["X-Openstack-Request-Id"]
    assert headers["X-Openstack-Request-Id"] in {getattr(record, "global_request_id", "") for record in caplog.records}
    lb = response.json()["loadbalancer"]
    key = {"X-Actium-Operator-Key": OPERATOR_KEY}
    answer = await site.world.client.get(
        "/operator/v1/events", params={"load_balancer": lb["id"], "from": "start", "follow": "false"}, headers=key
    )
    events = [json.loads(line) for line in answer.text.splitlines()]
    (created,) = [event for event in events if event["type"] == "loadbalancer.created"]
    actor = created["actor"]
    assert (actor["project_id"], actor["request_id"]) == (lb["project_id"], request_id)
    assert len(actor["user_id"]) == 32
    assert (await site.ask("mia@one", "DELETE", f"{LBAAS}/loadbalancers/{lb['id']}")).status_code == 204


async def test_tokens_and_passwords_are_never_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    fresh, bad = site.keystone.token("rea", "one"), "gAAAA-a-bad-token-that-nobody-shall-see"
    with caplog.at_level(logging.DEBUG):
        for token in (fresh, bad):
            await site.world.client.get(f"{LBAAS}/loadbalancers", headers={"X-Auth-Token": token})
    said = "\n".join(
        str(vars(record)) for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    for secret in (fresh, bad, "'actium'"):
        assert secret not in said


async def test_the_stock_client_works_with_its_own_keystone(site: Site) -> None:
    site.keystone.make_endpoint(
        "load-balancer", f"{site.world.client.base_url}/load-balancer".replace("//load", "/load")
    )
    site.keystone.make_endpoint("network", f"{site.world.client.base_url}/network".replace("//net", "/net"))
    made = await site.make("mia@one", name="stock")
    (listed,) = await openstack(site, "mia", "one", "loadbalancer", "list", "--name", "stock")
    assert (listed["name"], listed["project_id"]) == ("stock", made["project_id"])
    assert await openstack(site, "oto", "two", "loadbalancer", "list", "--name", "stock") == []
    assert (await openstack(site, "rea", "one", "loadbalancer", "show", "stock"))["id"] == made["id"]
    assert (await site.ask("mia@one", "DELETE", f"{LBAAS}/loadbalancers/{made['id']}")).status_code == 204


async def test_only_secrets_that_a_tenant_can_read_himself_can_be_named(site: Site, coming: "Future[Barbican]") -> None:
    barbican = await asyncio.wrap_future(coming)
    site.keystone.make_endpoint("key-manager", barbican.url)
    mias = {"token": site.token("mia@one")}
    key, certificate = (barbican.put(each, **mias) for each in (ISSUED.key_pem, ISSUED.pem))
    both = barbican.contain(certificate=certificate, private_key=key, **mias)
    gone = f"{barbican.url}/v1/containers/{an_id('none')}"
    looked_at = site.world.fleet.secrets_asked_for
    for who, ref, status in (("mia@one", both, 201), ("oto@two", both, 400), ("oto@two", gone, 400)):
        lb = await site.make(who, name="tls")
        path, body = f"{LBAAS}/listeners", {"protocol": "TERMINATED_HTTPS", "protocol_port": 443}
        more = {"loadbalancer_id": lb["id"], "default_tls_container_ref": ref}
        del looked_at[:]
        answer = await site.ask(who, "POST", path, listener=body | more)
        assert answer.status_code == status, answer.text
        if status == 201:
            assert looked_at == [("default_tls_container_ref", ref)]
            listener = answer.json()["listener"]["id"]
            sni = {"sni_container_refs": [gone]}
            refused_change = await site.ask(who, "PUT", f"{path}/{listener}", listener=sni)
            assert refused_change.json()["faultstring"] == f"sni_container_refs: there is no secret {gone}."
            # What is named already is not looked at again: an administrator need not be able to read it.
            plain: dict[str, list[str]] = {"sni_container_refs": []}
            assert (await site.ask("admin@admin", "PUT", f"{path}/{listener}", listener=plain)).status_code == 200
        else:
            assert answer.json()["faultstring"] == f"default_tls_container_ref: there is no secret {ref}."
            assert looked_at == []
            pool = {"loadbalancer_id": lb["id"], "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
            pool |= {"tls_enabled": True, "tls_container_ref": ref}
            answer = await site.ask(who, "POST", f"{LBAAS}/pools", pool=pool)
            assert answer.json()["faultstring"] == f"tls_container_ref: there is no secret {ref}."
            tree = {"vip_subnet_id": PUBLIC, "listeners": [body | {"default_tls_container_ref": ref}]}
            assert (await site.ask(who, "POST", f"{LBAAS}/loadbalancers", loadbalancer=tree)).status_code == 400
        path = f"{LBAAS}/loadbalancers/{lb['id']}?cascade=true"
        assert (await site.ask(who, "DELETE", path)).status_code == 204


async def openstack(site: Site, user: str, project: str, *words: str) -> Any:
    environment = {"NO_PROXY": "127.0.0.1"} | site.keystone.variables(user, project)
    done = await asyncio.to_thread(stock_client.openstack, environment, *words, "-f", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)
