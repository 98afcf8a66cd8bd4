"""`actium secret` from the command line to the store, over the real operator API and the real compute."""

import asyncio
import contextlib
import json
import sqlite3

import msgspec
import pytest
from msgspec.structs import replace

from actium_shared import streams
from actium_shared.event_store import JetStreamEventStore
from actium_shared.events.load_balancer import ListenerCreated, LoadBalancerCreated
from actium_shared.ids import ListenerId, SecretRef
from actium_shared.testing.nats_server import NatsServer
from actium_shared.wishes import Listener
from builders import listener
from certificates import root, server
from integration.compute.bench import Amphora
from integration.operator.with_compute import Here, here
from integration.operator.writing import Life, Log

__all__ = ["here"]

WEB, NEWER = server(), server()


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
    table = (await here.actium("secret", "list")).out
    assert ref in table
    assert second["digest"][:8] in table


async def test_a_reference_of_another_kind_of_store_and_another_project_can_be_given(here: Here) -> None:
    ref = "https://barbican.example.com/v1/containers/6f0a"
    result = await here.actium(
        "secret",
        "put",
        "--pkcs12",
        here.file("web.p12", WEB.pkcs12()),
        "--name",
        "web",
        "--ref",
        ref,
        "--project",
        "p2",
    )
    assert result.out.strip() == ref
    listed = await here.listed(ref)
    assert listed is not None
    assert listed["project_id"] == "p2"
    assert (await here.actium("secret", "delete", ref)).code == 0
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
    result = await here.actium("secret", "put", *(word.format(**files) for word in words))
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
    refused = await here.actium("secret", "delete", ref)
    assert refused.code == 1
    assert f"web ({life.load_balancer_id})" in refused.err
    assert "--force" in refused.err
    assert (await here.actium("secret", "delete", ref, "--force")).code == 0
    assert await here.listed(ref) is None


async def test_a_secret_that_only_amphorae_still_use_is_deleted_by_force_only(
    here: Here, nats_server: NatsServer
) -> None:
    ref = SecretRef(await here.put(WEB, "--name", "web"))
    order = Amphora().configure(1)
    tls = listener(protocol="TERMINATED_HTTPS", protocol_port=443, default_tls_container_ref=ref)
    (wish,) = order.load_balancers
    async with nats_server.bus("planner") as planner:
        await planner.send_order(replace(order, load_balancers=(replace(wish, listeners=(tls,)),)))
    async with asyncio.timeout(20):
        while not _known_uses(here, ref):
            await asyncio.sleep(0.02)
    assert (await here.listed(ref) or {})["used_by"] == []
    refused = await here.actium("secret", "delete", ref)
    assert refused.code == 1
    assert f"in use by load balancer {wish.load_balancer.id}" in refused.err
    assert "With --force" in refused.err
    assert (await here.actium("secret", "delete", ref, "--force")).code == 0


def _known_uses(here: Here, ref: str) -> int:
    """Count what compute has been told to run with it."""
    with contextlib.closing(sqlite3.connect(here.folder / "compute.sqlite")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM secret_uses WHERE secret_ref = ?", (ref,)).fetchone()
    return int(count)


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
    await here.actium("secret", "delete", ref)
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
