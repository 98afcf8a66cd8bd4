"""PyPI's `openstack` command, told of a world as `./actium env` tells it."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

OPENSTACK = str(Path(sys.executable).parent / "openstack")
TIMEOUT_S = 60.0


class StockClient:
    """Runs one command after the other, each in a process of its own."""

    def __init__(self, url: str) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": f"{url}/identity/v3",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": "embedded",
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": "embedded",
            "NO_PROXY": "127.0.0.1",
        }

    async def run(self, *words: str) -> tuple[int | None, str, str]:
        """Give exit code, output and errors."""
        process = await asyncio.create_subprocess_exec(
            OPENSTACK, *words, env=self._environment, stdout=PIPE, stderr=PIPE
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return process.returncode, out.decode(), err.decode()

    async def json(self, *words: str) -> Any:
        """Give what a command shows; it succeeds."""
        code, out, err = await self.run(*words, "-f", "json")
        assert code == 0, err
        return json.loads(out)

    async def succeeds(self, *words: str) -> None:
        code, _, err = await self.run(*words)
        assert code == 0, err

    async def fails(self, *words: str) -> str:
        """Give what a command complains of."""
        code, _, err = await self.run(*words)
        assert code != 0
        return err
