"""What every `Agents` promises, asked of each adapter."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from actium_compute.adapters.management import PlainManagementNetwork
from actium_compute.adapters.noop import NoopAgents
from actium_compute.agent_client import AGENT_PORT, AgentClients
from actium_compute.agents import Agents, Applied
from actium_compute.amphora_drivers.bundle import Bundle, digest_of
from actium_compute.authority import open_authority
from actium_shared.clock import SystemClock
from integration.compute.loopback import LoopbackAgent

ADDRESS = "127.94.7.1"
EMPTY = digest_of({}, ())


def bundle(number: int) -> Bundle:
    return Bundle(bundle=number, epoch=1, digest=EMPTY, files={}, interfaces=())


class AgentsContract:
    async def test_an_agent_applies_what_it_is_given_and_says_so(self, agents: Agents, amphora_id: str) -> None:
        agent = agents.of(amphora_id, ADDRESS)
        applied = await agent.configure(bundle(7))
        assert isinstance(applied, Applied)
        assert (applied.bundle, applied.digest) == (7, EMPTY)
        status = await agent.status()
        assert (status.amphora_id, status.digest) == (amphora_id, EMPTY)

    async def test_the_same_bundle_again_is_no_error(self, agents: Agents, amphora_id: str) -> None:
        for _ in range(2):
            assert isinstance(await agents.of(amphora_id, ADDRESS).configure(bundle(1)), Applied)

    async def test_who_has_answered_has_shown_a_certificate(self, agents: Agents, amphora_id: str) -> None:
        agent = agents.of(amphora_id, ADDRESS)
        await agent.status()
        shown = agent.certificate_expires_at
        assert shown is not None
        assert shown > SystemClock().now()
        agents.forget(amphora_id)
        again = agents.of(amphora_id, ADDRESS)
        await again.status()
        assert again.certificate_expires_at == shown

    async def test_the_address_is_the_one_that_was_given(self, agents: Agents, amphora_id: str) -> None:
        assert agents.of(amphora_id, ADDRESS).address == ADDRESS


@pytest.fixture
def amphora_id() -> str:
    return str(uuid.uuid4())


class TestNoopAgents(AgentsContract):
    @pytest.fixture
    def agents(self) -> NoopAgents:
        return NoopAgents()


class TestAgentClients(AgentsContract):
    @pytest.fixture
    async def agents(self, tmp_path: Path, amphora_id: str) -> AsyncIterator[AgentClients]:
        authority = open_authority(tmp_path, SystemClock())
        settings = {"amphora_id": amphora_id, "listen_address": ADDRESS, "listen_port": AGENT_PORT}
        files = {
            "amphora.json": msgspec.json.encode(settings),
            "agent.pem": authority.issue(amphora_id).pem,
            "ca.pem": authority.certificate_pem,
        }
        agent = LoopbackAgent(amphora_id, files)
        await agent.start()
        clients = AgentClients(PlainManagementNetwork(), authority.client_context)
        yield clients
        clients.forget(amphora_id)
        await agent.stop()
