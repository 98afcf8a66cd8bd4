"""The event store's contract on both of its adapters."""

from collections.abc import AsyncIterator, Iterator

import pytest

from actium_shared.event_store import EventStore, JetStreamEventStore
from actium_shared.testing.memory_event_store import MemoryEventStore
from actium_shared.testing.nats_server import NatsServer
from contract.event_store.contract import EventStoreContract


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> EventStore:
        return MemoryEventStore()


class TestJetStreamEventStore(EventStoreContract):
    @pytest.fixture
    async def store(self, nats_server: NatsServer) -> AsyncIterator[EventStore]:
        async with nats_server.bus("network") as bus:
            yield JetStreamEventStore(bus)
