"""
A real Barbican for tests: PyPI's release in an environment of its own, on SQLite, on loopback, for whoever asks.

It lets everyone in as an administrator of the project that he names: Keystone is another test's matter.
"""

import base64
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from actium_shared.testing.nats_server import free_port
from own_environment import Environment

HERE = Path(__file__).parent
ENVIRONMENT = Environment("barbican", HERE / "requirements.lock")
ANSWERS_WITHIN_S = 90
HEADERS = {"X-Project-Id": "a-project", "X-Roles": "admin,member,creator"}
BINARY = "application/octet-stream"

CONFIGURATION = """
[DEFAULT]
db_auto_create = true
host_href = {url}
log_file = {folder}/barbican.log
[database]
connection = sqlite:///{folder}/barbican.sqlite
[simple_crypto_plugin]
kek = {key}
"""
PASTE = """
[composite:main]
use = egg:Paste#urlmap
/v1: api

[pipeline:api]
pipeline = context microversion app

[app:app]
paste.app_factory = barbican.api.app:create_main_app

[filter:context]
paste.filter_factory = barbican.api.middleware.context:UnauthenticatedContextMiddleware.factory

[filter:microversion]
paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory
"""


@dataclass
class Barbican:
    """One that runs."""

    url: str
    process: "subprocess.Popen[bytes]"
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self._client.headers.update(HEADERS)

    def put(self, content: bytes) -> str:
        """Keep a secret; give its reference."""
        if content.startswith(b"-----BEGIN"):
            payload = {"payload": content.decode(), "payload_content_type": "text/plain"}
        else:
            encoded = base64.b64encode(content).decode()
            payload = {"payload": encoded, "payload_content_type": BINARY, "payload_content_encoding": "base64"}
        return str(self._post("/v1/secrets", payload)["secret_ref"])

    def put_text(self, text: str) -> str:
        return str(self._post("/v1/secrets", {"payload": text, "payload_content_type": "text/plain"})["secret_ref"])

    def contain(self, *, kind: str = "certificate", **refs: str) -> str:
        """Make a container of secrets; give its reference."""
        named = [{"name": name, "secret_ref": ref} for name, ref in refs.items()]
        made = self._post("/v1/containers", {"name": "web", "type": kind, "secret_refs": named})
        return str(made["container_ref"])

    def delete(self, ref: str) -> None:
        self._client.delete(ref).raise_for_status()

    def _post(self, path: str, body: Mapping[str, object]) -> Any:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@contextmanager
def running(folder: Path) -> Iterator[Barbican]:
    """Run one."""
    ENVIRONMENT.install()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Each of its modules reads its configuration anew, and looks for it at home.
    configuration, paste = folder / ".barbican" / "barbican.conf", folder / "paste.ini"
    configuration.parent.mkdir()
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    configuration.write_text(CONFIGURATION.format(folder=folder, url=url, key=key))
    paste.write_text(PASTE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ACTIUM_", "PYTHON"))}
    process = subprocess.Popen(
        [str(ENVIRONMENT.python), str(HERE / "serve.py"), str(paste), str(port)],
        env=inherited | {"HOME": str(folder)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "barbican.stderr").open("wb"),
    )
    try:
        _await(url, process)
        yield Barbican(url, process)
    finally:
        process.kill()
        process.wait(10)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        try:
            httpx.get(f"{url}/v1/secrets", headers=HEADERS, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            assert process.poll() is None, "barbican has ended"
            assert time.monotonic() < deadline, "barbican does not answer"
            time.sleep(0.1)
