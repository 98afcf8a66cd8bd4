"""Upstream's API in a process of its own, out of an environment of its own."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from actium_shared.testing.nats_server import free_port
from own_environment import OCTAVIA

HERE = Path(__file__).parent
STARTS_WITHIN_S = 90.0
CONFIGURATION = """
[DEFAULT]
transport_url = fake://
log_file = {folder}/upstream.log
[api_settings]
auth_strategy = testing
default_provider_driver = noop_driver
enabled_provider_drivers = noop_driver:no-op, amphora:amphorae
[controller_worker]
network_driver = network_noop_driver
compute_driver = compute_noop_driver
image_driver = image_noop_driver
volume_driver = volume_noop_driver
amphora_driver = amphora_noop_driver
[certificates]
cert_manager = noop_cert_manager
[database]
connection = sqlite://
"""


class Upstream:
    """`Side` that stands on upstream's own no-op drivers."""

    provider = "noop_driver"

    def __init__(self, url: str) -> None:
        self.client = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False)

    async def settle(self) -> None:
        (await self.client.post("/-/settle")).raise_for_status()

    async def undo(self, path: str) -> None:
        """It is undone with its answer; see `serve`."""

    async def wipe(self) -> None:
        (await self.client.post("/-/wipe")).raise_for_status()


def told(script: str, given: str, *, timeout_s: float) -> str:
    """Run a script of this folder in its environment, without a server, and give what it prints."""
    OCTAVIA.install()
    command = (str(OCTAVIA.python), "-W", "ignore", str(HERE / script))
    environment = clean_environment()
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, env=environment, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run it and give its address."""
    with running(folder) as (url, _):
        yield url


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, int]]:
    """Run it and give its address and its pid."""
    OCTAVIA.install()
    port = free_port()
    configuration = folder / "upstream.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    words = (str(OCTAVIA.python), "-W", "ignore", str(HERE / "serve.py"), "--config-file", str(configuration))
    with (folder / "upstream.stderr").open("wb") as errors:
        process = subprocess.Popen(
            (*words, str(port)), env=clean_environment(), stdout=subprocess.DEVNULL, stderr=errors
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process, folder)
        yield url, process.pid
    finally:
        process.kill()
        process.wait(10)


def clean_environment() -> dict[str, str]:
    """Give ours less what means something to programs of OpenStack, of ours, or to Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ACTIUM_", "PYTHON"))}


def _await(url: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            httpx.get(url, trust_env=False).raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, (folder / "upstream.stderr").read_text()[-2000:]
            assert time.monotonic() < deadline, f"upstream did not start within {STARTS_WITHIN_S} s"
            time.sleep(0.1)
        else:
            return
