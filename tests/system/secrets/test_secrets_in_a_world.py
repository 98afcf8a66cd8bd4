"""
A certificate's whole life in a real world: put, served, replaced, deleted; and its key where it belongs and nowhere else.

The tests follow each other: a world is slow to make.
"""

import asyncio
import base64
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actium_embedded import keys
from actium_embedded.backends import wished
from actium_shared import streams
from actium_shared.bus import Bus
from certificates import Issued, issue, root, traces
from system.worlds import Tenant, TestWorld, await_value, commands_in, events, processes_in

NAME = "www.example.com"
ROOT = root("Root of all of them")
BETWEEN = issue("Intermediate of all of them", ROOT, authority=True)
FIRST, SECOND, THIRD = (issue(NAME, BETWEEN, names=[NAME]) for _ in range(3))
FEW_S = 20.0


class Served:
    """A load balancer that serves with a certificate, and its operator."""

    def __init__(self, world: TestWorld, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self.tenant = Tenant(world.facts.api_url)
        self.ref = self.put(FIRST, "--name", "web")
        self.load_balancer = self._made()
        self.address = str(self.load_balancer["vip_address"])
        self._host = self.address.rsplit(".", 1)[0] + ".2"

    def put(self, issued: Issued, *words: str) -> str:
        files = {"certificate": issued.pem, "key": issued.key_pem, "intermediates": issued.intermediates_pem}
        options = []
        for name, content in files.items():
            path = self._folder / f"{name}.pem"
            path.write_bytes(content)
            options += [f"--{name}", str(path)]
        try:
            return self._world.actium("secret", "put", *options, *words).strip()
        finally:
            (self._folder / "key.pem").unlink()

    def _made(self) -> dict[str, Any]:
        subnets = httpx.get(f"{self._world.facts.api_url}/network/v2.0/subnets").json()["subnets"]
        by_name = {subnet["name"]: subnet["id"] for subnet in subnets}
        (backend,) = wished(self._world.facts)
        lb = self.tenant.create("loadbalancer", vip_subnet_id=by_name["public"], name="web")
        pool = self.tenant.create("pool", loadbalancer_id=lb["id"], protocol="HTTP", lb_algorithm="ROUND_ROBIN")
        self.tenant.create(
            "listener",
            loadbalancer_id=lb["id"],
            protocol="TERMINATED_HTTPS",
            protocol_port=443,
            default_pool_id=pool["id"],
            default_tls_container_ref=self.ref,
        )
        member = {"address": backend.address, "protocol_port": 80, "subnet_id": by_name["tenant-a"]}
        self.tenant.create("member", pool_id=pool["id"], **member)
        return self.tenant.wait(lb["id"])

    @property
    def listener_id(self) -> str:
        return str(self.load_balancer["listeners"][0]["id"])

    def connect(self) -> ssl.SSLSocket:
        """Open a connection as a client does who trusts the root and nothing else."""
        context = ssl.create_default_context(cadata=ROOT.pem.decode())
        plain = socket.create_connection((self.address, 443), timeout=5, source_address=(self._host, 0))
        return context.wrap_socket(plain, server_hostname=NAME)

    def shown(self) -> int | None:
        """Give the serial number of the certificate that is served, None where nobody answers."""
        try:
            with self.connect() as connection:
                return int(connection.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type]
        except OSError:
            return None

    def wait_for(self, issued: Issued) -> None:
        await_value(self.shown, lambda serial: serial == issued.certificate.serial_number, FEW_S)


BEGINNING, END = f"GET / HTTP/1.1\r\nHost: {NAME}\r\n".encode(), b"\r\n"


def answer_on(connection: ssl.SSLSocket) -> str:
    answer = b""
    while b"one" not in answer:
        more = connection.recv(4096)
        assert more, answer
        answer += more
    return answer.decode()


@pytest.fixture(scope="module")
def served(world: TestWorld, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(world, tmp_path_factory.mktemp("files"))


def test_a_certificate_is_served_with_its_chain(served: Served) -> None:
    served.wait_for(FIRST)
    with served.connect() as connection:
        connection.sendall(BEGINNING + END)
        assert "200 OK" in answer_on(connection)


def test_a_replaced_certificate_is_served_at_once_and_requests_under_way_are_answered(
    world: TestWorld, served: Served
) -> None:
    (amphora_id,) = world.amphorae()
    with served.connect() as connection:
        connection.sendall(BEGINNING)
        before = _haproxies(amphora_id)
        served.put(SECOND, "--ref", served.ref)
        served.wait_for(SECOND)
        connection.sendall(END)
        assert "200 OK" in answer_on(connection)
    assert before & _haproxies(amphora_id)  # a reload, no new start
    configured = [event["body"] for event in events(world, "--type", "amphora.configured")]
    assert [one["bundle"] for one in configured] == sorted(one["bundle"] for one in configured)
    assert served.tenant.show(served.load_balancer["id"])["provisioning_status"] == "ACTIVE"


def _haproxies(amphora_id: str) -> set[int]:
    return {pid for pid, words in commands_in(f"amphora-{amphora_id}-traffic").items() if "haproxy" in words}


def test_a_secret_that_is_replaced_while_compute_is_dead_or_dying_is_followed(world: TestWorld, served: Served) -> None:
    served.put(THIRD, "--ref", served.ref)
    world.kill("compute")
    served.wait_for(THIRD)


def test_a_private_key_is_in_the_amphorae_s_memory_and_nowhere_else(world: TestWorld, served: Served) -> None:
    served.wait_for(THIRD)
    found = [path for path in _files(world.folder) if _holds_key(path.read_bytes())]
    assert all(map(_is_in_memory, found)), found
    on_tmpfs = _amphora_files(world)
    assert any(_holds_key(path.read_bytes()) for path in on_tmpfs), "else this test sees nothing at all"
    for path in on_tmpfs:
        if _holds_key(path.read_bytes()):
            assert _is_in_memory(path)
            assert path.stat().st_mode & 0o077 == 0, path
    for name, body in [*asyncio.run(_messages(world)), *_orders(world, served)]:
        assert not _holds_key(body), name
    assert world.actium("dead-letters") == ""


def _holds_key(content: bytes) -> bool:
    return any(trace in content for issued in (FIRST, SECOND, THIRD) for trace in traces(issued))


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _amphora_files(world: TestWorld) -> list[Path]:
    """Give the files of the agents, as they see them: most lie in mounts of their own."""
    found = []
    for amphora_id in world.amphorae():
        for pid in processes_in(f"amphora-{amphora_id}"):
            found += list(_files(Path(f"/proc/{pid}/root/run/amphora")))
    return found


def _is_in_memory(path: Path) -> bool:
    told = subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True, check=True)
    return told.stdout.strip() == "tmpfs"


async def _messages(world: TestWorld) -> list[tuple[str, bytes]]:
    """Give every message on every stream but that of orders, uncompressed, as those who may read it get it."""
    found = []
    for user in ("api", "planner", "health", "compute", "network"):
        async with _bus(world, user) as bus:
            for stream in set(streams.readable_streams(user)) - {streams.COMMANDS}:
                subjects = (f"snap.{user}.>",) if stream == streams.SNAPSHOTS else ()
                feed = bus.feed(stream, after=0, subjects=subjects, until_end=True)
                found += [(each.subject, each.body + repr(dict(each.headers)).encode()) async for each in feed]
    for subject in ("evt.compute.secret.", "snap.compute.", "snap.network."):
        assert any(name.startswith(subject) for name, _ in found), subject
    return found


def _orders(world: TestWorld, served: Served) -> list[tuple[str, bytes]]:
    """Give the orders of a change of what serves with the key: they are gone when they are done, so compute is held."""
    compute = world.pid("compute")
    os.kill(compute, signal.SIGSTOP)
    try:
        served.tenant.request("PUT", f"/listeners/{served.listener_id}", listener={"connection_limit": 50})
        found = asyncio.run(_waiting(world))
    finally:
        os.kill(compute, signal.SIGCONT)
    served.tenant.wait(served.load_balancer["id"])
    assert any(served.ref.encode() in body for _, body in found), "else these are not the orders that this is about"
    return found


async def _waiting(world: TestWorld) -> list[tuple[str, bytes]]:
    """Look at the orders that wait for compute, as it may itself, without taking them from it."""
    async with _bus(world, "compute") as bus, asyncio.timeout(FEW_S):
        while not (state := (await bus.api(f"STREAM.INFO.{streams.COMMANDS}", {}))["state"])["messages"]:
            await asyncio.sleep(0.02)
        found = []
        for sequence in range(state["first_seq"], state["last_seq"] + 1):
            message = (await bus.api(f"STREAM.MSG.GET.{streams.COMMANDS}", {"seq": sequence}))["message"]
            parts = (base64.b64decode(message.get(part, "")) for part in ("hdrs", "data"))
            found.append((str(message["subject"]), b"".join(parts)))
        return found


def _bus(world: TestWorld, user: str) -> Bus:
    password = keys.password_file(world.facts, user).read_text().strip()
    return Bus(url=f"nats://127.0.0.1:{world.facts.choices.ports.nats}", user=user, password=password)


def test_no_service_dumps_core(world: TestWorld) -> None:
    for name in ("api", "planner", "compute", "network", "health", "relay"):
        limits = Path(f"/proc/{world.pid(name)}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"], name


def test_a_deleted_secret_serves_on_and_the_next_change_says_what_is_missing(world: TestWorld, served: Served) -> None:
    told = world.actium("secret", "delete", served.ref, check=False)
    assert told == ""
    assert served.shown() == THIRD.certificate.serial_number
    world.actium("secret", "delete", "--force", served.ref)
    lb_id = served.load_balancer["id"]
    served.tenant.request("PUT", f"/listeners/{served.listener_id}", listener={"connection_limit": 100})
    served.tenant.wait(lb_id, "ERROR")
    assert served.shown() == THIRD.certificate.serial_number
    refused = [event["body"]["reason"] for event in events(world, "--type", "amphora.configuration-refused")]
    assert refused == [f"there is no secret {served.ref}"]
    served.put(FIRST, "--name", "web", "--ref", served.ref)
    served.tenant.request("PUT", f"/listeners/{served.listener_id}", listener={"connection_limit": 200})
    served.tenant.wait(lb_id)
    served.wait_for(FIRST)


def test_after_a_restart_of_everything_keys_are_fetched_again(world: TestWorld, served: Served) -> None:
    world.down()
    assert not any(_holds_key(path.read_bytes()) for path in _files(world.folder))
    world.up()
    served.wait_for(FIRST)
