"""The stock `openstack` command, told of a service under test as `./actium env` tells it of a world."""

import asyncio
import json
from typing import Any

import stock_client


class StockClient:
    """Runs one command after the other, each in a process of its own."""

    def __init__(self, url: str) -> None:
        self.environment = {
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

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Give exit code, output and errors."""
        done = await asyncio.to_thread(stock_client.openstack, self.environment, *words)
        return done.code, done.out, done.err

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
