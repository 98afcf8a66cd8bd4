"""The way to an agent: who is trusted, what is a value and what an error, and life after the agent was started again."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from actium_compute.adapters.management import PlainManagementNetwork
from actium_compute.agent_client import AGENT_PORT, AgentClient, AgentClients
from actium_compute.agents import Applied, Outdated, Refused
from actium_compute.amphora_drivers.bundle import Bundle
from actium_compute.amphora_drivers.haproxy import HaproxyDriver
from actium_compute.authority import Authority, open_authority
from actium_shared.clock import SystemClock
from actium_shared.errors import PermanentError, RetryableError
from integration.compute.bench import Amphora
from integration.compute.loopback import LoopbackAgent
from unit.compute.wishes import PORTS, order


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(tmp_path / "authority", SystemClock())


@pytest.fixture
async def agent(amphora: Amphora, authority: Authority) -> AsyncIterator[LoopbackAgent]:
    agent = agent_with(amphora, authority, certified_as=amphora.id)
    await agent.start()
    yield agent
    await agent.stop()


def agent_with(amphora: Amphora, authority: Authority, *, certified_as: str) -> LoopbackAgent:
    files = {
        "amphora.json": msgspec.json.encode({"listen_address": amphora.address}),
        "agent.pem": authority.issue(certified_as).pem,
        "ca.pem": authority.certificate_pem,
    }
    return LoopbackAgent(amphora.id, files)


def client_of(amphora: Amphora, authority: Authority) -> AgentClient:
    return AgentClients(PlainManagementNetwork(), authority.client_context).of(amphora.id, amphora.address)


def bundle(number: int) -> Bundle:
    return HaproxyDriver().render(order(bundle=number), PORTS, {})


async def test_answers_are_values(agent: LoopbackAgent, amphora: Amphora, authority: Authority) -> None:
    client = client_of(amphora, authority)
    assert isinstance(await client.configure(bundle(2)), Applied)
    assert (await client.status()).digest == bundle(2).digest
    assert isinstance(await client.configure(bundle(1)), Outdated)
    agent.refuses = lambda _bundle: "words of haproxy"
    assert await client.configure(bundle(3)) == Refused("words of haproxy")
    client.close()


async def test_the_bundle_travels_in_the_agents_own_terms(
    agent: LoopbackAgent, amphora: Amphora, authority: Authority
) -> None:
    await client_of(amphora, authority).configure(bundle(1))
    (pushed,) = agent.pushes
    assert set(pushed) == {"bundle", "epoch", "digest", "files", "interfaces", "flags", "runtime", "logs"}
    assert pushed["flags"] == {"yield": False, "fence": False}
    assert {"mac", "name", "mtu", "addresses", "vips", "gateway", "metric", "routes"} <= set(pushed["interfaces"][0])


async def test_an_agent_that_was_started_again_is_found_in_the_same_call(
    agent: LoopbackAgent, amphora: Amphora, authority: Authority
) -> None:
    client = client_of(amphora, authority)
    await client.status()
    await agent.stop()
    await agent.start()
    assert (await client.status()).amphora_id == amphora.id


async def test_nobody_there_is_worth_another_try(amphora: Amphora, authority: Authority) -> None:
    with pytest.raises(RetryableError):
        await client_of(amphora, authority).status()


async def test_another_amphora_at_its_address_is_not_taken_for_it(amphora: Amphora, authority: Authority) -> None:
    other = agent_with(amphora, authority, certified_as="another")
    await other.start()
    with pytest.raises(RetryableError, match="certificate verify failed"):
        await client_of(amphora, authority).status()
    assert other.pushes == []
    await other.stop()


async def test_a_certificate_of_another_authority_is_refused(
    agent: LoopbackAgent, amphora: Amphora, tmp_path: Path
) -> None:
    stranger = open_authority(tmp_path / "stranger", SystemClock())
    with pytest.raises(RetryableError, match="certificate verify failed"):
        await client_of(amphora, stranger).status()


async def test_the_agent_sees_the_controllers_name_or_refuses(
    agent: LoopbackAgent, amphora: Amphora, authority: Authority, tmp_path: Path
) -> None:
    pem = tmp_path / "amphora.pem"
    pem.write_bytes(authority.issue(amphora.id).pem)

    def as_amphora() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=authority.certificate_pem.decode())
        context.load_cert_chain(pem)
        return context

    client = AgentClient(PlainManagementNetwork(), as_amphora, amphora_id=amphora.id, address=amphora.address)
    with pytest.raises(RetryableError):
        await client.configure(bundle(1))
    assert agent.pushes == []


async def test_what_the_agent_does_not_understand_is_not_tried_again(amphora: Amphora, authority: Authority) -> None:
    agent = agent_with(amphora, authority, certified_as=amphora.id)
    agent.misunderstands = "files must be a map"
    await agent.start()
    with pytest.raises(PermanentError, match="files must be a map"):
        await client_of(amphora, authority).configure(bundle(1))
    await agent.stop()


async def test_silence_ends_at_the_deadline(
    amphora: Amphora, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actium_compute.agent_client.STATUS_TIMEOUT_S", 0.1)
    silent = await asyncio.start_server(lambda _reader, _writer: None, amphora.address, AGENT_PORT)
    with pytest.raises(RetryableError, match="no answer within"):
        await client_of(amphora, authority).status()
    silent.close()
