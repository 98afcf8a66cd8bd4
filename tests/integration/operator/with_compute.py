"""A running API and the real compute, and operators' files and commands beside them."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from actium_api.main import main as api_main
from actium_api.settings import ApiSettings
from actium_compute.adapters.management import PlainManagementNetwork
from actium_compute.adapters.memory import MemoryMachines
from actium_compute.main import serve
from actium_compute.settings import ComputeSettings
from actium_shared import tasks
from actium_shared.bus import Bus
from actium_shared.testing.nats_server import NatsServer
from certificates import Issued
from integration.api.world import answers, free_port


@dataclass(frozen=True, slots=True)
class Result:
    code: int | None
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Here:
    """A running API and compute, and files as an operator has them."""

    client: httpx.AsyncClient
    folder: Path
    bus: Bus

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    async def actium(self, *words: str) -> Result:
        environment = {**os.environ, "ACTIUM_OPERATOR_URL": str(self.client.base_url)}
        command = (sys.executable, "-m", "actium_api.cli", *words)
        async with asyncio.timeout(30):
            process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
            out, err = await process.communicate()
        return Result(process.returncode, out.decode(), err.decode())

    async def put(self, issued: Issued, *words: str) -> str:
        """Keep a certificate as people do, and give its reference."""
        files = (
            "--certificate",
            self.file("web.pem", issued.pem),
            "--key",
            self.file("web.key", issued.key_pem),
            "--intermediates",
            self.file("chain.pem", issued.intermediates_pem),
        )
        result = await self.actium("secret", "put", *files, *words)
        assert (result.code, result.err) == (0, "")
        return result.out.strip()

    async def listed(self, ref: str) -> dict[str, Any] | None:
        told = json.loads((await self.actium("secret", "list", "--json")).out)
        found: list[dict[str, Any]] = [one for one in told["secrets"] if one["ref"] == ref]
        return found[0] if found else None


@pytest.fixture
async def here(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Here]:
    passwords = tmp_path / "password"
    passwords.write_text(nats_server.password("api"))
    master_key = tmp_path / "master.key"
    master_key.write_bytes(bytes(32))
    api = ApiSettings(
        nats_url=nats_server.url,
        nats_password_file=passwords,
        listen_port=free_port(),
        database_url=f"sqlite:///{tmp_path}/api.sqlite",
    )
    compute = ComputeSettings(
        database_url=f"sqlite:///{tmp_path}/compute.sqlite",
        world_name="test",
        images_folder=tmp_path,
        amphorae_folder=tmp_path,
        authority_folder=tmp_path / "authority",
        secrets_folder=tmp_path / "secrets",
        heartbeat_master_key_file=master_key,
        relay_addresses=("127.0.0.1:5555",),
    )
    async with nats_server.bus("compute") as bus, nats_server.bus("health") as reader:
        parts = [
            asyncio.create_task(serve(bus, compute, MemoryMachines(compute.hosts), PlainManagementNetwork())),
            asyncio.create_task(api_main(api)),
        ]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api.listen_port}", timeout=30.0) as client:
            await answers(client)
            try:
                yield Here(client, tmp_path, reader)
            finally:
                await tasks.end(parts)
