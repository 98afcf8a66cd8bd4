"""
A real Keystone for tests: PyPI's release in an environment of its own, on SQLite, on loopback.

Installed once per checkout (a few seconds from a warm cache), set up anew for each who asks (some ten seconds).
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
from own_environment import KEYSTONE

HERE = Path(__file__).parent
COMMAND_TIMEOUT_S = 120
ANSWERS_WITHIN_S = 60
ADMIN_PASSWORD = "not-a-secret"

CONFIGURATION = """
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.sqlite
[fernet_tokens]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
"""


@dataclass
class Keystone:
    """One that runs. Users have the password of their name."""

    url: str
    process: "subprocess.Popen[bytes]"
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self._client.headers["X-Auth-Token"] = self.token()

    def variables(self, user: str = "admin", project: str | None = "admin") -> dict[str, str]:
        """Give what the stock clients read from the environment."""
        found = {
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": self.url,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": user,
            "OS_PASSWORD": password_of(user),
            "OS_USER_DOMAIN_ID": "default",
            "OS_REGION_NAME": "RegionOne",
        }
        return found if project is None else found | {"OS_PROJECT_NAME": project, "OS_PROJECT_DOMAIN_ID": "default"}

    def token(
        self, user: str = "admin", project: str | None = "admin", *, scope: Mapping[str, Any] | None = None
    ) -> str:
        who = {"name": user, "password": password_of(user), "domain": {"id": "default"}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": who}}}
        if project is not None:
            auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
        auth["scope"] = scope or auth.get("scope", "unscoped")
        answer = self._client.post("/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def revoke(self, token: str) -> None:
        answer = self._client.delete("/auth/tokens", headers={"X-Subject-Token": token})
        assert answer.status_code == 204, answer.text

    def make_project(self, name: str) -> str:
        return str(self._post("/projects", project={"name": name, "domain_id": "default"})["project"]["id"])

    def make_user(self, name: str, *, roles: Mapping[str, str]) -> str:
        """Make a user with these roles, project's id to role's name."""
        user = self._post("/users", user={"name": name, "password": password_of(name), "domain_id": "default"})["user"]
        for project_id, role in roles.items():
            self._put(f"/projects/{project_id}/users/{user['id']}/roles/{self._role(role)}")
        return str(user["id"])

    def make_endpoint(self, kind: str, url: str) -> None:
        service = self._post("/services", service={"type": kind, "name": kind})["service"]
        endpoint = {"service_id": service["id"], "interface": "public", "url": url, "region_id": "RegionOne"}
        self._post("/endpoints", endpoint=endpoint)

    def project_id(self, name: str) -> str:
        return str(self._get("/projects", name=name)["projects"][0]["id"])

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def _role(self, name: str) -> str:
        found = self._get("/roles", name=name)["roles"]
        return str((found[0] if found else self._post("/roles", role={"name": name})["role"])["id"])

    def _get(self, path: str, **query: str) -> Any:
        answer = self._client.get(path, params=query)
        return answer.raise_for_status().json()

    def _post(self, path: str, **body: Any) -> Any:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def _put(self, path: str) -> None:
        self._client.put(path).raise_for_status()


def password_of(user: str) -> str:
    return ADMIN_PASSWORD if user == "admin" else user


@contextmanager
def running(folder: Path) -> Iterator[Keystone]:
    """Run one, with the administrator `admin` of the project `admin`."""
    KEYSTONE.install()
    port = free_port()
    url = f"http://127.0.0.1:{port}/v3"
    configuration = folder / "keystone.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    for keys in ("fernet", "credential"):
        _make_keys(folder / keys)
    manage = (str(KEYSTONE.folder / "bin" / "keystone-manage"), "--config-file", str(configuration))
    _run(*manage, "db_sync")
    bootstrap = ("--bootstrap-password", ADMIN_PASSWORD, "--bootstrap-region-id", "RegionOne")
    _run(*manage, "bootstrap", *bootstrap, "--bootstrap-public-url", url)
    process = subprocess.Popen(
        [str(KEYSTONE.python), str(HERE / "serve.py"), str(port)],
        env=_environment() | {"OS_KEYSTONE_CONFIG_DIR": str(folder), "OS_KEYSTONE_CONFIG_FILES": "keystone.conf"},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "keystone.stderr").open("wb"),
    )
    try:
        _await(url, process)
        yield Keystone(url, process)
    finally:
        process.kill()
        process.wait(10)


def _make_keys(folder: Path) -> None:
    """Two keys as Keystone keeps them, the one in use and the next; its own command takes four seconds for it."""
    folder.mkdir(mode=0o700)
    for name in ("0", "1"):
        (folder / name).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))


def _environment() -> dict[str, str]:
    others = ("OS_", "ACTIUM_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def _run(*command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        try:
            httpx.get(url, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            assert process.poll() is None, "keystone has ended"
            assert time.monotonic() < deadline, "keystone does not answer"
            time.sleep(0.1)
