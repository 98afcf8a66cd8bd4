"""`actium secret` from the command line to the store, over the real operator API and the real compute."""

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
import msgspec
import pytest

from actium_api.main import main as api_main
from actium_api.settings import ApiSettings
from actium_compute.adapters.management import PlainManagementNetwork
from actium_compute.adapters.memory import MemoryMachines
from actium_compute.main import serve
from actium_compute.settings import ComputeSettings
from actium_shared import streams, tasks
from actium_shared.bus import Bus
from actium_shared.event_store import JetStreamEventStore
from actium_shared.events.load_balancer import ListenerCreated, LoadBalancerCreated
from actium_shared.ids import ListenerId, SecretRef
from actium_shared.testing.nats_server import NatsServer
from actium_shared.wishes import Listener
from certificates import Issued, root, server
from integration.api.world import answers, free_port
from integration.operator.writing import Life, Log

WEB, NEWER = server(), server()


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
        command = (sys.executable, "-m", "actium_api.cli", "secret", *words)
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
        result = await self.actium("put", *files, *words)
        assert (result.code, result.err) == (0, "")
        return result.out.strip()

    async def listed(self, ref: str) -> dict[str, Any] | None:
        told = json.loads((await self.actium("list", "--json")).out)
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


async def test_what_is_put_is_listed_with_its_end_and_a_digest_and_replaced_under_its_reference(here: Here) -> None:
    ref = await here.put(WEB, "--name", "web")
    assert ref.startswith("actium:secret/")
    first = await here.listed(ref)
    assert first is not None
    assert (first["name"], first["kind"], first["used_by"]) == ("web", "certificate", [])
    assert first["expires_at"] == WEB.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%S")
    assert await here.put(NEWER, "--ref", ref) == ref
    second = await here.listed(ref)
    assert second is not None
    assert second["name"] == "web"
    assert second["digest"] != first["digest"]
    table = (await here.actium("list")).out
    assert ref in table
    assert second["digest"][:8] in table


async def test_a_reference_of_another_kind_of_store_and_another_project_can_be_given(here: Here) -> None:
    ref = "https://barbican.example.com/v1/containers/6f0a"
    result = await here.actium(
        "put", "--pkcs12", here.file("web.p12", WEB.pkcs12()), "--name", "web", "--ref", ref, "--project", "p2"
    )
    assert result.out.strip() == ref
    listed = await here.listed(ref)
    assert listed is not None
    assert listed["project_id"] == "p2"
    assert (await here.actium("delete", ref)).code == 0
    assert await here.listed(ref) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--certificate", "{leaf}", "--name", "web"), "a certificate with its private key is wanted"),
        (("--ca", "{bundle}", "--name", "ca"), "a bundle of authorities' certificates, without any key is wanted"),
        (("--crl", "{leaf}", "--name", "crl"), "a certificate revocation list (CRL) is wanted"),
        (("--certificate", "{bundle}", "--ca", "{leaf}", "--name", "x"), "Name one thing"),
        (("--key", "{bundle}", "--name", "x"), "Name one thing"),
        (("--ca", "{leaf}"), "Give it a --name."),
        (("--ca", "/no/such/file", "--name", "x"), "/no/such/file cannot be read: No such file or directory."),
        (("--pkcs12", "{protected}", "--name", "x"), "without a passphrase"),
    ],
)
async def test_what_is_wrong_is_said_in_a_sentence_that_shows_nothing(
    here: Here, words: tuple[str, ...], sentence: str
) -> None:
    files = {
        "leaf": here.file("leaf.pem", WEB.pem),
        "bundle": here.file("bundle.pem", WEB.pem + WEB.key_pem),
        "protected": here.file("protected.p12", WEB.pkcs12(passphrase=b"secret")),
    }
    result = await here.actium("put", *(word.format(**files) for word in words))
    assert (result.code, result.out) == (1, "")
    assert sentence in result.err
    assert not any(line.decode() in result.err for line in WEB.key_pem.splitlines()[1:-1])


async def test_a_secret_in_use_is_deleted_by_force_only_and_its_users_are_named(
    here: Here, nats_server: NatsServer
) -> None:
    ref = await here.put(WEB, "--name", "web")
    life = await _with_listener(nats_server, SecretRef(ref))
    async with asyncio.timeout(20):
        while not (listed := await here.listed(ref)) or not listed["used_by"]:
            await asyncio.sleep(0.05)
    assert listed["used_by"] == [{"name": "web", "id": life.load_balancer_id}]
    refused = await here.actium("delete", ref)
    assert refused.code == 1
    assert f"web ({life.load_balancer_id})" in refused.err
    assert "--force" in refused.err
    assert (await here.actium("delete", ref, "--force")).code == 0
    assert await here.listed(ref) is None


async def _with_listener(server: NatsServer, ref: SecretRef) -> Life:
    life = Life()
    listener = Listener(id=ListenerId("l1"), protocol="TERMINATED_HTTPS", protocol_port=443, sni_container_refs=(ref,))
    async with server.bus("planner") as bus:
        log = Log({"planner": JetStreamEventStore(bus)})
        await log.append(
            "loadbalancer",
            life.load_balancer_id,
            LoadBalancerCreated(load_balancer_id=life.load_balancer_id, generation=1, load_balancer=life.load_balancer),
            ListenerCreated(load_balancer_id=life.load_balancer_id, generation=1, listener=listener),
        )
    return life


async def test_the_events_say_in_words_what_happened_to_a_secret(here: Here) -> None:
    ref = await here.put(WEB, "--name", "web")
    await here.actium("delete", ref)
    answer = await here.client.get("/operator/v1/events", params={"type": "secret"})
    lines = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    stored, deleted = [line for line in lines if line["body"]["secret_ref"] == ref]
    assert stored["words"]["what"].startswith(f'"web" certificate {ref}, content ')
    assert stored["cause"]["command"]["body"]["sealed"] == ""
    assert "forgotten" in deleted["words"]["what"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b'{"content": "!!!", "name": "x"}', "application/json", 400, "base64"),
        (b'{"name": "x"}', "application/json", 400, "content"),
        (b'{"content": "", "nonsense": 1}', "application/json", 400, "nonsense"),
        (b"{", "application/json", 400, "cannot be read"),
        (b'{"content": "", "kind": "key"}', "application/json", 400, "kind"),
        (b'{"content": ""}', "text/plain", 415, "application/json"),
        (b'{"content": "' + b"A" * 3_000_000 + b'"}', "application/json", 413, "must not exceed"),
        (b'{"content": "aGFsbG8=", "name": "x"}', "application/json", 400, "neither PEM nor"),
        (b'{"content": "aGFsbG8=", "name": "x\\u0007"}', "application/json", 400, "printable"),
    ],
)
async def test_a_bad_request_is_refused_and_what_is_wrong_is_named(
    here: Here, body: bytes, content_type: str, status: int, words: str
) -> None:
    answer = await here.client.post("/operator/v1/secrets", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert words in json.dumps(answer.json()["error"])


async def test_a_secret_that_is_not_there_is_not_deleted(here: Here) -> None:
    answer = await here.client.delete("/operator/v1/secrets", params={"ref": "nothing"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (404, "ref")


async def test_the_api_keeps_nothing_of_a_key(here: Here) -> None:
    own = root()
    await here.put(own, "--name", "own")
    (here.folder / "web.key").unlink()
    lines = own.key_pem.splitlines()[1:-1]
    for path in here.folder.rglob("*"):
        if path.is_file():
            assert not any(line in path.read_bytes() for line in lines), path
    assert await here.bus.last_sequence(streams.DEAD_LETTERS) == 0
