"""The world that has whatever is named: the same tomorrow, of either kind of address, and however much was named."""

import time
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from actium_network.adapters.noop import Named, NoopFabric
from actium_network.ports import Network

NAMED = 10_000
TIMEOUT_S = 1.0


def versions(network: Network | None) -> list[int]:
    assert network is not None
    return [ip_network(subnet.cidr).version for subnet in network.subnets]


async def started(file: Path) -> NoopFabric:
    fabric = NoopFabric([], file)
    await fabric.ensure()
    return fabric


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "named.jsonl"


async def test_a_known_network_gets_a_subnet_for_addresses_of_the_other_kind_once(file: Path) -> None:
    fabric, network_id = await started(file), str(uuid4())
    for address, expected in ((None, [4]), ("2001:db8::1", [4, 6]), ("2001:db8::2", [4, 6]), ("10.0.0.1", [4, 6])):
        found = await fabric.find(network_id=network_id, subnet_id=None, address=address, timeout_s=TIMEOUT_S)
        assert versions(found) == expected
    assert await (await started(file)).networks() == await fabric.networks()


async def test_a_subnet_that_is_known_in_one_network_is_not_in_another(file: Path) -> None:
    fabric, subnet_id = await started(file), str(uuid4())
    first = await fabric.find(network_id=None, subnet_id=subnet_id, timeout_s=TIMEOUT_S)
    assert first is not None
    assert await fabric.find(network_id=first.id, subnet_id=subnet_id, timeout_s=TIMEOUT_S) == first
    assert await fabric.find(network_id=str(uuid4()), subnet_id=subnet_id, timeout_s=TIMEOUT_S) is None


def named_before(file: Path, named: Sequence[Named]) -> None:
    file.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in named))


async def test_thousands_that_were_named_are_known_again_within_a_moment(file: Path) -> None:
    together = str(uuid4())
    named = [
        Named(network_id=together if number % 2 else str(uuid4()), subnet_id=str(uuid4())) for number in range(NAMED)
    ]
    named_before(file, named)
    began = time.process_time()
    fabric = await started(file)
    for each in named:
        await fabric.find(network_id=None, subnet_id=each.subnet_id, timeout_s=TIMEOUT_S)
    assert time.process_time() - began < 2.0  # it took twelve once, when each was looked for among all
    assert len(await fabric.networks()) == NAMED // 2 + 1
