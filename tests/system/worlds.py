"""A whole embedded world for tests, driven as a person would: by `./actium`, by HTTP, and by the stock client."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

import stock_client
from actium_embedded import environment
from actium_embedded import world as worlds

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
ACTIVE_WITHIN_S = 30.0
CONVERGE_WITHIN_S = 60.0


PENDING = {"PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE"}


@dataclass
class TestWorld:
    """One world in a folder. `environment` reaches its services at `up`."""

    __test__ = False

    folder: Path
    name: str
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """What `./actium` is run by, such as `unshare` with its options."""

    def command(self, *words: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "actium_embedded", "--world", str(self.folder), *words]

    def actium(self, *words: str, timeout_s: float = 120.0, check: bool = True) -> str:
        """Run `./actium <words>` on this world and give what it prints."""
        done = subprocess.run(
            self.command(*words),
            env=os.environ | self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"actium {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def up(self, *words: str, port: int | None = None) -> None:
        first = ["up", "--name", self.name] if not worlds.exists(self.folder) else ["up"]
        self.actium(*first, *words, *(["--port", str(port)] if port else []))

    def down(self, *, wipe: bool = False) -> None:
        self.actium("down", *(["--wipe"] if wipe else []))

    @property
    def facts(self) -> worlds.World:
        return worlds.load(self.folder)

    def amphorae(self) -> list[str]:
        """Give the ids of the amphorae that exist in this world."""
        folder = self.facts.amphorae
        return sorted(path.name for path in folder.iterdir() if UUID.fullmatch(path.name)) if folder.exists() else []

    def pid(self, process: str) -> int:
        """Give the pid of one of the world's processes."""
        rows = json.loads(self.actium("status", "--json", check=False))
        return int(next(row["pid"] for row in rows if row["name"] == process))

    def kill(self, process: str) -> None:
        os.kill(self.pid(process), signal.SIGKILL)

    def openstack(self, *words: str) -> Any:
        """Run the stock client and give what it prints, decoded where that is JSON."""
        done = stock_client.openstack(environment.for_client(self.facts), *words)
        return _printed(words, done.code, done.out, done.err)

    def openstack_in_a_shell(self, *words: str) -> Any:
        """Do the same as a person does: in a shell that was told of this world by `./actium env`."""
        line = f"{self.actium('env')}\nexec openstack {shlex.join(words)}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)
        return _printed(words, done.returncode, done.stdout, done.stderr)


def _printed(words: Sequence[str], code: int, out: str, err: str) -> Any:
    if code != 0:
        raise AssertionError(f"openstack {shlex.join(words)}: {out}{err}")
    return json.loads(out) if "-f" in words else out


@dataclass
class Tenant:
    """A client of the API that waits as clients do, and repeats what a 503 says may be repeated."""

    url: str

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"{self.url}/v2.0/lbaas", timeout=30)

    def request(self, method: str, path: str, *, expect: int | None = None, **body: Any) -> Any:
        deadline = time.monotonic() + CONVERGE_WITHIN_S
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        while True:
            try:
                answer = self.http.request(method, path, json=body or None, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code != 503:
                break
            assert time.monotonic() < deadline, f"{method} {path}: the API does not come back"
            time.sleep(0.05)
        if expect is not None:
            assert answer.status_code == expect, answer.text
        else:
            assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def delete(self, load_balancer_id: str) -> None:
        """Delete it with everything in it; one that is gone already is fine, as when a repeat follows a lost answer."""
        path = f"/loadbalancers/{load_balancer_id}?cascade=true"
        deadline = time.monotonic() + CONVERGE_WITHIN_S
        while status_or_none(lambda: self.http.delete(path).status_code) not in (204, 404):
            assert time.monotonic() < deadline, f"DELETE {path}: the API does not come back"
            time.sleep(0.05)

    def create(self, kind: str, **fields: Any) -> dict[str, Any]:
        path = f"/pools/{fields.pop('pool_id')}/members" if kind == "member" else f"/{kind}s"
        made: dict[str, Any] = self.request("POST", path, **{kind: fields})[kind]
        return made

    def show(self, load_balancer_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.request("GET", f"/loadbalancers/{load_balancer_id}")["loadbalancer"]
        return shown

    def wait(
        self, load_balancer_id: str, status: str = "ACTIVE", *, within_s: float = ACTIVE_WITHIN_S
    ) -> dict[str, Any]:
        """
        Wait for the provisioning status of the load balancer and everything in it, and give the load balancer.

        The load balancer alone is ACTIVE between two rounds while a child still waits for the second.
        """
        path = f"/loadbalancers/{load_balancer_id}/status"

        def statuses() -> set[str]:
            return set(_provisioning(self.request("GET", path)["statuses"]["loadbalancer"]))

        await_value(statuses, lambda seen: status in seen and not seen & PENDING, within_s)
        return self.show(load_balancer_id)

    def wait_gone(self, load_balancer_id: str, *, within_s: float = ACTIVE_WITHIN_S) -> None:
        def status() -> int:
            return self.http.get(f"/loadbalancers/{load_balancer_id}").status_code

        await_value(lambda: status_or_none(status), lambda code: code == 404, within_s)

    def web(self, vip_subnet_id: str, *members: tuple[str, str | None], protocol: str = "HTTP") -> dict[str, Any]:
        """Make a load balancer with a listener on port 80, a pool and members (address, subnet)."""
        lb = self.create("loadbalancer", vip_subnet_id=vip_subnet_id, name="web")
        pool = self.create("pool", loadbalancer_id=lb["id"], protocol=protocol, lb_algorithm="ROUND_ROBIN", name="pool")
        self.create(
            "listener", loadbalancer_id=lb["id"], protocol=protocol, protocol_port=80, default_pool_id=pool["id"]
        )
        for address, subnet_id in members:
            extra = {"subnet_id": subnet_id} if subnet_id else {}
            self.create("member", pool_id=pool["id"], address=address, protocol_port=80, **extra)
        return self.wait(lb["id"])


def _provisioning(tree: Any) -> Iterator[str]:
    """Give every provisioning status in a status tree."""
    if isinstance(tree, list):
        for item in tree:
            yield from _provisioning(item)
    elif isinstance(tree, dict):
        yield from (value for key, value in tree.items() if key == "provisioning_status")
        for value in tree.values():
            yield from _provisioning(value)


def status_or_none(status: Callable[[], int]) -> int | None:
    try:
        return status()
    except httpx.TransportError:
        return None


def await_value(get: Callable[[], Any], good: Callable[[Any], bool], within_s: float) -> Any:
    """Look until it is good; nothing can be awaited on the other side of HTTP."""
    deadline = time.monotonic() + within_s
    while not good(value := get()):
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen: {value}"
        time.sleep(0.02)
    return value


def answers(address: str, *, port: int = 80, count: int = 1, timeout_s: float = 2.0) -> list[str]:
    """
    Send requests, each on a new connection, and give the names of the back ends that answered ('-' for a failure).

    They leave from the host's address on the public network, so that nothing is sent elsewhere when the world is down.
    """
    host = address.rsplit(".", 1)[0] + ".2"
    names = []
    for _ in range(count):
        with httpx.Client(transport=httpx.HTTPTransport(local_address=host), timeout=timeout_s) as client:
            try:
                answer = client.get(f"http://{address}:{port}/")
                names.append(answer.text.strip() if answer.status_code == 200 else f"HTTP {answer.status_code}")
            except httpx.TransportError:
                names.append("-")
    return names


def namespaces() -> set[str]:
    folder = Path("/run/netns")
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def namespaces_of(amphora_id: str) -> set[str]:
    return {name for name in namespaces() if name.startswith(f"amphora-{amphora_id}")}


def processes_in(namespace: str) -> list[int]:
    listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def commands_in(namespace: str) -> dict[int, str]:
    """Give pid -> command line of what runs in a namespace."""
    found = {}
    for pid in processes_in(namespace):
        try:
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except FileNotFoundError:
            continue
    return found


def events(world: TestWorld, *words: str) -> Iterator[dict[str, Any]]:
    """Give the log, decoded by the operator's command line."""
    url = world.facts.api_url
    printed = subprocess.run(
        [sys.executable, "-m", "actium_api.cli", "events", "tail", "--from", "start", "--no-follow", "--json", *words],
        env=os.environ | {"ACTIUM_OPERATOR_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for line in printed.stdout.splitlines():
        yield json.loads(line)


def a_name(letter: str) -> str:
    """Give a name for a world that another run on this machine does not use: at most 8 characters."""
    return f"{letter}{os.getpid() % 10_000_000}"


def free_port() -> int:
    """Give a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
