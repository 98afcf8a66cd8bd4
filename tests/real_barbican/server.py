"""
A real Barbican for tests: PyPI's release in an environment of its own, on SQLite, on loopback.

Without a Keystone it lets everyone in as who he says he is.
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
from own_environment import BARBICAN

HERE = Path(__file__).parent
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
KEYSTONE = """
[keystone_authtoken]
www_authenticate_uri = {OS_AUTH_URL}
auth_url = {OS_AUTH_URL}
auth_type = password
interface = public
username = {OS_USERNAME}
password = {OS_PASSWORD}
user_domain_id = {OS_USER_DOMAIN_ID}
project_name = {OS_PROJECT_NAME}
project_domain_id = {OS_PROJECT_DOMAIN_ID}
"""
PASTE = """
[composite:main]
use = egg:Paste#urlmap
/v1: {pipeline}

[pipeline:api]
pipeline = context microversion app

[app:app]
paste.app_factory = barbican.api.app:create_main_app

[pipeline:api_with_keystone]
pipeline = authtoken authenticated microversion app

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory

[filter:authenticated]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory

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

    def put(self, content: bytes, *, token: str | None = None) -> str:
        """Keep a secret, as the token's owner where there is one; give its reference."""
        if content.startswith(b"-----BEGIN"):
            payload = {"payload": content.decode(), "payload_content_type": "text/plain"}
        else:
            encoded = base64.b64encode(content).decode()
            payload = {"payload": encoded, "payload_content_type": BINARY, "payload_content_encoding": "base64"}
        return str(self._post("/v1/secrets", payload, token=token)["secret_ref"])

    def put_text(self, text: str) -> str:
        return str(self._post("/v1/secrets", {"payload": text, "payload_content_type": "text/plain"})["secret_ref"])

    def contain(self, *, kind: str = "certificate", token: str | None = None, **refs: str) -> str:
        """Make a container of secrets; give its reference."""
        named = [{"name": name, "secret_ref": ref} for name, ref in refs.items()]
        made = self._post("/v1/containers", {"name": "web", "type": kind, "secret_refs": named}, token=token)
        return str(made["container_ref"])

    def delete(self, ref: str) -> None:
        self._client.delete(ref).raise_for_status()

    def _post(self, path: str, body: Mapping[str, object], *, token: str | None = None) -> Any:
        answer = self._client.post(path, json=body, headers={"X-Auth-Token": token} if token else None)
        assert answer.status_code == 201, answer.text
        return answer.json()


@contextmanager
def running(folder: Path, *, keystone: Mapping[str, str] | None = None) -> Iterator[Barbican]:
    """Run one; `keystone` are the `OS_*` variables of a service user by whom it has tokens checked."""
    BARBICAN.install()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Each of its modules reads its configuration anew, and looks for it at home.
    configuration, paste = folder / ".barbican" / "barbican.conf", folder / "paste.ini"
    configuration.parent.mkdir()
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    configuration.write_text(
        CONFIGURATION.format(folder=folder, url=url, key=key) + (KEYSTONE.format(**keystone) if keystone else "")
    )
    paste.write_text(PASTE.format(pipeline="api_with_keystone" if keystone else "api"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "ACTIUM_", "PYTHON"))}
    process = subprocess.Popen(
        [str(BARBICAN.python), str(HERE / "serve.py"), str(paste), str(port)],
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
    while not _answers(url):
        assert process.poll() is None, "barbican has ended"
        assert time.monotonic() < deadline, "barbican does not answer"
        time.sleep(0.1)


def _answers(url: str) -> bool:
    """Tell whether it does, be it that it wants a token."""
    try:
        return httpx.get(f"{url}/v1/secrets", headers=HEADERS, trust_env=False).status_code in (200, 401)
    except httpx.HTTPError:
        return False
