"""The door for amphorae: each gets its own bundle, byte for byte as it is pushed, and nobody anything else."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from actium_compute.authority import Authority, open_authority
from actium_shared.clock import SystemClock
from actium_shared.testing.nats_server import NatsServer
from integration.compute.bench import IN_USE_S, Amphora, Bench, until

GATEWAY = "127.78.0.1:9444"


@pytest.fixture
async def bench(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        bench = Bench(nats_server, tmp_path, stack)
        bench.changed_settings = {"gateway_bind": GATEWAY}
        await bench.connect()
        await bench.start()
        yield bench
        await bench.stop()
        await bench.machines.lose_all()


class Caller:
    """Somebody with a certificate."""

    def __init__(self, folder: Path, pem: bytes, ca: bytes, *, version: int = 1, edition: int = 1) -> None:
        file = folder / "caller.pem"
        file.write_bytes(pem)
        context = ssl.create_default_context(cadata=ca.decode())
        context.load_cert_chain(file)
        headers = {"actium-heartbeat-key-version": str(version), "actium-credentials-edition": str(edition)}
        self._client = httpx.AsyncClient(verify=context, trust_env=False, headers=headers)

    async def ask(self, method: str, path: str, content: Any = None) -> httpx.Response:
        body = None if content is None else msgspec.msgpack.encode(content)
        request = self._client.build_request(
            method, f"https://{GATEWAY}{path}", content=body, extensions={"sni_hostname": "controller.actium"}
        )
        return await self._client.send(request)


def the_amphora(bench: Bench, amphora: Amphora) -> Caller:
    agent = bench.machines.agents[amphora.id]
    return Caller(
        bench.folder, agent.files["agent.pem"], agent.files["ca.pem"], version=agent.key_version, edition=agent.edition
    )


def certified_as(bench: Bench, name: str, authority: Authority | None = None) -> Caller:
    ours = open_authority(bench.settings().authority_folder, SystemClock())
    return Caller(bench.folder, (authority or ours).issue(name).pem, ours.certificate_pem)


def outcome(pushed: dict[str, Any], **changes: Any) -> dict[str, Any]:
    said = {"result": "unchanged", "reason": "", "before": pushed["digest"], "took_ms": 1.0}
    return {name: pushed[name] for name in ("bundle", "epoch", "digest")} | said | changes


async def test_what_is_fetched_is_what_was_pushed(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    (pushed,) = bench.machines.agents[amphora.id].pushes
    answer = await the_amphora(bench, amphora).ask("GET", "/v1/bundle")
    assert answer.status_code == 200
    assert msgspec.msgpack.decode(answer.content) == pushed


async def test_there_is_nothing_for_a_spare(bench: Bench, amphora: Amphora) -> None:
    await bench.ports(amphora)
    await bench.order(amphora.boot_as_spare("a pool"))
    await bench.until_types(amphora, "booted")
    caller = the_amphora(bench, amphora)
    assert [(await caller.ask("GET", path)).status_code for path in ("/v1/bundle", "/v1/certificate")] == [204, 204]


async def test_strangers_and_those_who_are_gone_get_nothing(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    gone = the_amphora(bench, amphora)
    for name in ("somebody", "controller.actium"):
        assert (await certified_as(bench, name).ask("GET", "/v1/bundle")).status_code == 403
    impostor = certified_as(bench, amphora.id, open_authority(bench.folder / "other", SystemClock()))
    with pytest.raises(httpx.TransportError):
        await impostor.ask("GET", "/v1/bundle")
    await bench.order(amphora.delete())
    await bench.until_types(amphora, "booted", "configured", "deleted")
    assert (await gone.ask("GET", "/v1/bundle")).status_code == 403


async def test_a_fenced_one_is_told_to_carry_nothing(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    caller = the_amphora(bench, amphora)
    await bench.order(amphora.fence())
    await bench.until_types(amphora, "booted", "configured", "fenced")
    fetched = msgspec.msgpack.decode((await caller.ask("GET", "/v1/bundle")).content)
    assert (fetched["flags"]["fence"], fetched["files"], fetched["interfaces"]) == (True, {}, [])


async def test_requests_that_make_no_sense_are_answered_so(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    caller = the_amphora(bench, amphora)
    assert (await caller.ask("GET", "/v1/secrets")).status_code == 404
    assert (await caller.ask("POST", "/v1/outcome", {"bundle": "one"})).status_code == 400
    assert (await caller.ask("POST", "/v1/outcome", {"reason": "x" * 70_000})).status_code == 413


async def test_what_cannot_be_pushed_is_fetched_and_recorded_once(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    await agent.stop()
    await bench.order(amphora.configure(2))
    caller = the_amphora(bench, amphora)

    async def fetch() -> dict[str, Any]:
        return dict(msgspec.msgpack.decode((await caller.ask("GET", "/v1/bundle")).content))

    fetched = await until(fetch, lambda bundle: bundle["bundle"] == 2)
    told = outcome(fetched, result="reload", before=agent.in_force["digest"])
    wrong = outcome(fetched, digest="another")
    assert (await caller.ask("POST", "/v1/outcome", wrong)).status_code == 409
    assert (await caller.ask("POST", "/v1/outcome", told)).status_code == 204
    await bench.until_types(amphora, "booted", "configured", "configured")
    again = outcome(fetched)
    assert (await caller.ask("POST", "/v1/outcome", again)).status_code == 204
    await bench.stop()
    await bench.start()
    assert (await until_up(caller, again)).status_code == 204
    assert await bench.types(amphora) == ["booted", "configured", "configured"]
    assert (await bench.events(amphora))[-1].digest == fetched["digest"]


async def until_up(caller: Caller, told: dict[str, Any]) -> httpx.Response:
    async def ask() -> Any:
        try:
            return await caller.ask("POST", "/v1/outcome", told)
        except httpx.TransportError:
            return None

    answer: httpx.Response = await until(ask, lambda response: response is not None and response.status_code != 503)
    return answer


async def test_what_the_agent_refuses_is_recorded_with_its_words_and_once(bench: Bench, amphora: Amphora) -> None:
    await bench.serving(amphora)
    await bench.machines.agents[amphora.id].stop()
    await bench.order(amphora.configure(2))
    caller = the_amphora(bench, amphora)
    (pushed,) = bench.machines.agents[amphora.id].pushes
    told = outcome(pushed, bundle=2, result="refused", reason="words of haproxy")
    for _ in range(2):
        answer = await until_up(caller, told)
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    assert (await bench.events(amphora))[-1].reason == "words of haproxy"
    assert answer.status_code == 409  # what it should run now is what it ran before


async def test_credentials_that_are_due_are_fetched_and_recorded_when_they_are_shown(
    bench: Bench, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    agent = bench.machines.agents[amphora.id]
    await bench.stop()
    await agent.stop()  # out of reach
    bench.changed_settings = {"gateway_bind": GATEWAY, "certificate_renew_before_s": IN_USE_S}
    bench.clock = Later()
    await bench.start()
    caller = the_amphora(bench, amphora)

    async def fetch() -> Any:
        try:
            return await caller.ask("GET", "/v1/certificate")
        except httpx.TransportError:
            return None

    answer = await until(fetch, lambda response: response is not None and response.status_code == 200)
    fetched = msgspec.msgpack.decode(answer.content)
    renewed = Caller(bench.folder, fetched["pem"], fetched["ca"], version=fetched["heartbeat_key_version"])
    assert (await renewed.ask("GET", "/v1/bundle")).status_code == 200
    await bench.until_types(amphora, "booted", "configured", "certificate-renewed")
    event = (await bench.events(amphora))[-1]
    assert (event.heartbeat_key_version, event.credentials_edition) == (2, 1)


class Later(SystemClock):
    def now(self) -> Any:
        return super().now() + timedelta(seconds=2)
