"""Secrets: kept when asked, used by amphorae, followed when they change, and on no log, in no table and in no file in clear."""

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actium_compute.adapters.local_secrets import LocalSecretStore
from actium_shared import streams
from actium_shared.commands.compute import (
    CheckSecrets,
    ConfigureAmphora,
    DeleteSecret,
    FindSealingKey,
    PutSecret,
    SealingKey,
    SecretUse,
    sealing_context,
)
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore, Recorded
from actium_shared.events.secret import SecretDeleted, SecretStored
from actium_shared.ids import LoadBalancerId, ProjectId, SecretRef
from actium_shared.message import Accepted, Actor, CommandCause, Reason, Rejected, Reply
from actium_shared.sealing import new_private_key, public_key, seal
from builders import load_balancer
from certificates import Issued, root, server
from integration.compute.bench import Amphora, Bench, until

PROJECT = load_balancer().project_id
REF = SecretRef("actium:secret/web")
CONTAINER = SecretRef("https://barbican.example.com/v1/containers/1b0c")
ACTOR = Actor(user_id="operator", project_id=PROJECT, request_id="req-1")
WEB, NEWER = server(), server()
DEADLINE_S = 20.0


def content(issued: Issued) -> bytes:
    return issued.pem + issued.key_pem + issued.intermediates_pem


class Keeping:
    """The operator API as compute knows it, with a reference that no other test uses: they share a log."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.ref = self.another("web")

    def another(self, name: str) -> SecretRef:
        return SecretRef(f"actium:secret/{name}/{self._bench.folder.name}")

    async def ask(self, command: Any) -> Reply:
        """Ask, and again where nobody answers: compute may still be on its way up."""
        async with self._bench.server.bus("api") as api, asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    return await api.ask(command, actor=ACTOR, timeout_s=10)
                except RetryableError:
                    await asyncio.sleep(0.02)

    async def put(
        self,
        plain: bytes,
        *,
        ref: SecretRef | None = None,
        project: ProjectId = PROJECT,
        name: str = "web",
        kind: str = "",
        key: bytes | None = None,
    ) -> Reply:
        """Seal it as the API does, to the key that compute tells or to another, and ask."""
        ref = ref or self.ref
        answer = await self.ask(FindSealingKey(project_id=project))
        assert isinstance(answer, SealingKey)
        sealed = seal(plain, key or answer.public_key, context=sealing_context(project, ref))
        return await self.ask(PutSecret(project_id=project, secret_ref=ref, name=name, sealed=sealed, kind=kind))

    async def delete(self, ref: SecretRef | None = None) -> Reply:
        return await self.ask(DeleteSecret(project_id=PROJECT, secret_ref=ref or self.ref))

    async def check(self, ref: SecretRef, purpose: str, *, ca_ref: SecretRef | None = None) -> str:
        """Give the words of the refusal, none where it can be used."""
        field = f"{purpose}_ref"
        use = SecretUse(secret_ref=ref, purpose=purpose, field=field, ca_ref=ca_ref)
        answer = await self.ask(CheckSecrets(project_id=PROJECT, uses=(use,)))
        if isinstance(answer, Accepted):
            return ""
        assert isinstance(answer, Rejected)
        assert (answer.reason, answer.field) == (Reason.INVALID, field)
        return answer.detail

    async def told(self, ref: SecretRef | None = None) -> list[Recorded]:
        subject = streams.event_subject("compute", "secret", ref or self.ref)
        store = JetStreamEventStore(self._bench.planner)
        return [item async for item in store.read("EVENTS_COMPUTE", after=0, subjects=(subject,))]

    async def events(self, ref: SecretRef | None = None) -> list[Any]:
        return [event for item in await self.told(ref) for event in item.commit.events]

    def contents(self) -> int:
        """Count what lies in the store."""
        return len(list((self._bench.folder / "secrets" / "content").iterdir()))

    def with_tls(self, order: ConfigureAmphora) -> ConfigureAmphora:
        (wish,) = order.load_balancers
        (listener,) = wish.listeners
        listener = msgspec.structs.replace(listener, protocol="TERMINATED_HTTPS", default_tls_container_ref=self.ref)
        return msgspec.structs.replace(order, load_balancers=(msgspec.structs.replace(wish, listeners=(listener,)),))

    async def serve(self, amphora: Amphora) -> None:
        """Bring an amphora to where it serves with the certificate."""
        assert isinstance(await self.put(content(WEB)), Accepted)
        await self._bench.ports(amphora)
        await self._bench.order(amphora.boot(), self.with_tls(amphora.configure(1)))
        await self._bench.until_types(amphora, "booted", "configured")


@pytest.fixture
def secrets(bench: Bench) -> Keeping:
    return Keeping(bench)


def pushed_files(bench: Bench, amphora: Amphora) -> bytes:
    """All that the agent was last given."""
    return b"\n".join(bench.machines.agents[amphora.id].pushes[-1]["files"].values())


async def test_a_secret_is_kept_and_the_log_tells_of_it_without_the_box(secrets: Keeping) -> None:
    answer = await secrets.put(content(WEB), ref=CONTAINER)
    (item,) = await secrets.told(CONTAINER)
    assert answer == Accepted(position=item.position)
    (event,) = item.commit.events
    assert isinstance(event, SecretStored)
    assert (event.secret_ref, event.project_id, event.name, event.kind) == (CONTAINER, PROJECT, "web", "certificate")
    assert event.expires_at == WEB.certificate.not_valid_after_utc
    cause = item.commit.cause
    assert isinstance(cause, CommandCause)
    assert (cause.actor, cause.command) == (
        ACTOR,
        PutSecret(project_id=PROJECT, secret_ref=CONTAINER, name="web", sealed=b""),
    )


async def test_the_same_again_changes_nothing_and_another_content_takes_its_place(secrets: Keeping) -> None:
    first = await secrets.put(content(WEB))
    assert await secrets.put(WEB.pkcs12()) == first  # in another form, which does not matter
    await secrets.put(content(NEWER))
    stored, newer = await secrets.events()
    assert stored.digest != newer.digest
    assert secrets.contents() == 1


async def test_what_cannot_be_kept_is_refused_in_words_and_leaves_nothing(secrets: Keeping) -> None:
    await secrets.put(content(WEB))
    other = secrets.another("other")
    refusals = {
        Reason.INVALID: await secrets.put(WEB.pem + NEWER.key_pem, ref=other),
        Reason.CONFLICT: await secrets.put(root().pem),
        Reason.UNAVAILABLE: await secrets.put(content(NEWER), key=public_key(new_private_key())),
    }
    for reason, answer in refusals.items():
        assert isinstance(answer, Rejected)
        assert answer.reason is reason
    wrong = await secrets.put(WEB.pem, ref=other, kind="certificate")
    assert isinstance(wrong, Rejected)
    assert "a certificate with its private key is wanted" in wrong.detail
    foreign = await secrets.put(content(NEWER), project=ProjectId("another"))
    assert isinstance(foreign, Rejected)
    assert foreign.field == "project_id"
    assert len(await secrets.events()) == 1
    assert await secrets.events(other) == []
    assert secrets.contents() == 1


async def test_a_deleted_secret_is_gone_and_its_reference_is_free_again(secrets: Keeping) -> None:
    await secrets.put(content(WEB))
    first = await secrets.delete()
    assert await secrets.delete() == first  # done already
    assert secrets.contents() == 0
    unknown = await secrets.delete(secrets.another("unknown"))
    assert isinstance(unknown, Rejected)
    assert unknown.reason is Reason.NOT_FOUND
    assert isinstance(await secrets.put(root().pem, project=ProjectId("another")), Accepted)
    assert [type(event) for event in await secrets.events()] == [SecretStored, SecretDeleted, SecretStored]


async def test_checks_name_the_field_the_secret_and_what_is_wrong(secrets: Keeping) -> None:
    web, ca, crl, other_ca, foreign = map(secrets.another, ("web", "ca", "crl", "other-ca", "foreign"))
    authority = WEB.chain[-1]
    for ref, plain in ((web, content(WEB)), (ca, authority.pem), (crl, authority.crl()), (other_ca, root().pem)):
        await secrets.put(plain, ref=ref)
    await secrets.put(content(NEWER), ref=foreign, project=ProjectId("another"))

    assert await secrets.check(web, "certificate") == await secrets.check(ca, "ca") == ""
    assert await secrets.check(crl, "crl", ca_ref=ca) == ""
    assert f"secret {web} cannot be used: it is a certificate" in await secrets.check(web, "ca")
    assert "is not signed by any of the CA's" in await secrets.check(crl, "crl", ca_ref=other_ca)
    nothing = secrets.another("nothing")
    assert await secrets.check(nothing, "certificate") == f"certificate_ref: there is no secret {nothing}."
    # As if there were none: nobody learns what others have.
    assert await secrets.check(foreign, "certificate") == f"certificate_ref: there is no secret {foreign}."


async def test_an_amphora_is_given_its_certificate_and_a_new_one_when_that_is_replaced(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await secrets.serve(amphora)
    assert WEB.key_pem in pushed_files(bench, amphora)
    await secrets.put(content(NEWER))
    await bench.until_types(amphora, "booted", "configured", "configured")
    files = pushed_files(bench, amphora)
    assert NEWER.key_pem in files
    assert WEB.key_pem not in files
    _, before, after = await bench.events(amphora)
    assert (before.bundle, after.bundle) == (1, 1)  # nobody wished for anything else
    assert before.digest != after.digest == bench.machines.agents[amphora.id].in_force["digest"]


async def test_a_replaced_secret_is_followed_though_we_were_killed_at_once(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await secrets.serve(amphora)
    agent = bench.machines.agents[amphora.id]
    await agent.stop()  # so that nothing can be told it
    await secrets.put(content(NEWER))
    await bench.stop()
    await agent.start()
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert NEWER.key_pem in pushed_files(bench, amphora)


async def test_what_the_agent_took_before_we_were_killed_is_recorded(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await secrets.serve(amphora)

    async def die(name: str) -> None:
        if name == "after push":
            raise ConnectionResetError

    agent = bench.machines.agents[amphora.id]
    bench.machines.boundary = die
    await secrets.put(content(NEWER))
    await until(lambda: pushes(bench, amphora), lambda count: count >= 2)
    await bench.stop()

    async def live(_name: str) -> None:
        return

    bench.machines.boundary = live
    await bench.start()
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert (await bench.events(amphora))[-1].digest == agent.in_force["digest"]


async def pushes(bench: Bench, amphora: Amphora) -> int:
    return len(bench.machines.agents[amphora.id].pushes)


async def test_a_deleted_secret_serves_on_until_the_next_change_which_is_refused_by_name_and_heals_by_itself(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await secrets.serve(amphora)
    await secrets.delete()
    await bench.order(secrets.with_tls(amphora.configure(2)))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    assert (await bench.events(amphora))[-1].reason == f"there is no secret {secrets.ref}"
    assert await pushes(bench, amphora) == 1
    await secrets.put(content(NEWER))
    await until(lambda: bench.types(amphora), lambda types: types[-1] == "configured" and len(types) >= 4)
    assert NEWER.key_pem in pushed_files(bench, amphora)
    assert (await bench.events(amphora))[-1].bundle == 2  # nobody ordered it again


async def test_of_neighbours_only_those_whose_secret_is_missing_are_blamed(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await bench.serving(amphora)
    order = amphora.configure(2)
    (lacking,) = secrets.with_tls(order).load_balancers
    vip = msgspec.structs.replace(lacking.load_balancer.vip, address="203.0.113.99")
    other = msgspec.structs.replace(lacking.load_balancer, id=LoadBalancerId("another"), vip=vip)
    neighbour = msgspec.structs.replace(order.load_balancers[0], load_balancer=other)
    await bench.order(msgspec.structs.replace(order, load_balancers=(lacking, neighbour)))
    await bench.until_types(amphora, "booted", "configured", "configuration-refused")
    event = (await bench.events(amphora))[-1]
    assert event.reason == f"there is no secret {secrets.ref}"
    assert event.load_balancer_ids == (lacking.load_balancer.id,)


async def test_what_was_refused_for_want_of_a_secret_is_tried_again_though_we_were_killed_in_between(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await bench.ports(amphora)
    await bench.order(amphora.boot(), secrets.with_tls(amphora.configure(1)))
    await bench.until_types(amphora, "booted", "configuration-refused")
    agent = bench.machines.agents[amphora.id]
    await agent.stop()  # so that nothing can be told it
    await secrets.put(content(WEB))
    await bench.stop()
    await agent.start()
    await bench.start()
    await bench.until_types(amphora, "booted", "configuration-refused", "configured")
    assert WEB.key_pem in pushed_files(bench, amphora)


async def test_a_secret_in_use_is_deleted_only_by_who_insists(bench: Bench, secrets: Keeping, amphora: Amphora) -> None:
    await secrets.serve(amphora)
    careful = DeleteSecret(project_id=PROJECT, secret_ref=secrets.ref, unless_used=True)
    answer = await secrets.ask(careful)
    assert isinstance(answer, Rejected)
    used_by = secrets.with_tls(amphora.configure(1)).load_balancers[0].load_balancer.id
    assert (answer.reason, answer.detail) == (
        Reason.CONFLICT,
        f"Secret {secrets.ref} is in use by load balancer {used_by}.",
    )
    await bench.order(amphora.configure(2))  # without it
    await bench.until_types(amphora, "booted", "configured", "configured")
    assert isinstance(await secrets.ask(careful), Accepted)


async def test_another_projects_secret_is_never_given_out(bench: Bench, secrets: Keeping, amphora: Amphora) -> None:
    await secrets.put(content(WEB), project=ProjectId("another"))
    await bench.ports(amphora)
    await bench.order(amphora.boot(), secrets.with_tls(amphora.configure(1)))
    await bench.until_types(amphora, "booted", "configuration-refused")
    assert (await bench.events(amphora))[-1].reason == f"there is no secret {secrets.ref}"


async def test_a_store_that_cannot_be_read_for_a_while_refuses_nothing(
    bench: Bench, secrets: Keeping, amphora: Amphora, monkeypatch: pytest.MonkeyPatch
) -> None:
    await secrets.put(content(WEB))
    tried: list[SecretRef] = []

    def broken(_store: LocalSecretStore, ref: SecretRef, _digest: str) -> None:
        tried.append(ref)
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(LocalSecretStore, "_content", broken)
        await bench.ports(amphora)
        await bench.order(amphora.boot(), secrets.with_tls(amphora.configure(1)))

        async def tries() -> int:
            return len(tried)

        await until(tries, lambda count: count >= 3)
    await until(lambda: bench.types(amphora), lambda types: types[-1:] == ["configured"])
    assert "configuration-refused" not in await bench.types(amphora)


async def test_contents_that_nobody_told_of_are_removed_at_the_start(bench: Bench, secrets: Keeping) -> None:
    await secrets.put(content(WEB))
    await bench.stop()
    stray = bench.folder / "secrets" / "content" / "stray"
    stray.write_bytes(b"kept, but never told")
    await bench.start()
    await until(lambda: secrets.put(content(WEB)), lambda answer: isinstance(answer, Accepted))
    assert not stray.exists()


async def test_no_private_key_is_on_the_log_in_a_table_or_in_a_file_in_clear(
    bench: Bench, secrets: Keeping, amphora: Amphora
) -> None:
    await secrets.serve(amphora)
    await secrets.put(content(NEWER))
    await bench.until_types(amphora, "booted", "configured", "configured")
    await bench.stop()
    with sqlite3.connect(bench.folder / "compute.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert any(path.parent.name == "content" for path in files)
    for path in files:
        found = path.read_bytes()
        assert not any(trace in found for trace in traces(WEB, NEWER)), path
    for path in (bench.folder / "secrets").glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    for item in await secrets.told():
        assert not any(trace in msgspec.msgpack.encode(item.commit.events) for trace in traces(WEB, NEWER))


def traces(*issued: Issued) -> Iterator[bytes]:
    """Give what shows that a private key is there: the lines of its PEM."""
    for each in issued:
        yield from each.key_pem.splitlines()[1:-1]
