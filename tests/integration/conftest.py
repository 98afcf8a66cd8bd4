"""A fresh nats-server per test module, with the permissions that services have everywhere."""

from collections.abc import Iterator

import pytest

from actium_shared.testing.nats_server import NatsServer


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()
