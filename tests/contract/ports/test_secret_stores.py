"""What every `SecretStore` promises, asked of each adapter; Barbican's of a real Barbican."""

import asyncio
import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from keystoneauth1.adapter import Adapter
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from actium_compute.adapters import barbican
from actium_compute.adapters.barbican import BarbicanSecretStore
from actium_compute.adapters.local_secrets import LocalSecretStore, open_local_secrets
from actium_compute.ports import Secret, SecretStore
from actium_compute.secret_content import read as understood
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.ids import SecretRef
from certificates import root, server
from real_barbican import server as real
from real_barbican.server import HEADERS, Barbican

AUTHORITY = root()
ISSUED = server()
WHOLE = ISSUED.pem + ISSUED.key_pem + ISSUED.intermediates_pem
SOURCES = {"pem": WHOLE, "pkcs12": ISSUED.pkcs12(), "authorities": AUTHORITY.pem, "crl": AUTHORITY.crl()}


class Shelf(ABC):
    """A store, and how something is put into it."""

    @abstractmethod
    def put(self, content: bytes) -> SecretRef:
        """Keep it; give its reference."""

    @abstractmethod
    def delete(self, ref: SecretRef) -> None: ...

    @abstractmethod
    def unknown(self) -> SecretRef:
        """Give a reference under which there is nothing."""

    store: SecretStore


async def one(store: SecretStore, ref: str) -> Secret | PermanentError:
    return (await store.read([SecretRef(ref)]))[SecretRef(ref)]


class SecretStoreContract:
    @pytest.mark.parametrize("source", SOURCES)
    async def test_what_was_put_is_read_in_one_spelling(self, shelf: Shelf, source: str) -> None:
        ref = shelf.put(SOURCES[source])
        assert await one(shelf.store, ref) == understood(SOURCES[source]).secret

    async def test_several_are_read_at_once_and_each_has_its_own_error(self, shelf: Shelf) -> None:
        web, gone = shelf.put(WHOLE), shelf.unknown()
        found = await shelf.store.read([web, gone])
        assert found.keys() == {web, gone}
        assert found[web] == understood(WHOLE).secret
        assert isinstance(found[gone], PermanentError)
        assert gone in str(found[gone])

    async def test_what_was_deleted_is_not_there(self, shelf: Shelf) -> None:
        ref = shelf.put(WHOLE)
        shelf.delete(ref)
        found = await one(shelf.store, ref)
        assert isinstance(found, PermanentError)
        assert f"there is no secret {ref}" in str(found)

    async def test_nothing_is_read_where_nothing_is_wanted(self, shelf: Shelf) -> None:
        assert await shelf.store.read([]) == {}


class LocalShelf(Shelf):
    def __init__(self, folder: Path) -> None:
        self.current: dict[SecretRef, str] = {}
        self.local = open_local_secrets(folder, self._digests)
        self.store = self.local

    async def _digests(self, refs: Collection[SecretRef]) -> Mapping[SecretRef, str]:
        return {ref: self.current[ref] for ref in refs if ref in self.current}

    def put(self, content: bytes) -> SecretRef:
        ref, secret = SecretRef(f"secret-{len(self.current)}"), understood(content).secret
        self.local.put(ref, secret)
        self.current[ref] = self.local.digest(secret)
        return ref

    def delete(self, ref: SecretRef) -> None:
        del self.current[ref]

    def unknown(self) -> SecretRef:
        return SecretRef("nothing-here")


class BarbicanShelf(Shelf):
    def __init__(self, barbican: Barbican, local: LocalShelf) -> None:
        self.barbican = barbican
        self.store = BarbicanSecretStore(adapter(barbican.url), beside=local.store)

    def put(self, content: bytes) -> SecretRef:
        return SecretRef(self.barbican.put(content))

    def delete(self, ref: SecretRef) -> None:
        self.barbican.delete(ref)

    def unknown(self) -> SecretRef:
        return SecretRef(f"{self.barbican.url}/v1/secrets/{uuid.uuid4()}")


def adapter(url: str) -> Adapter:
    return Adapter(Session(auth=NoAuth(endpoint=url)), endpoint_override=url, additional_headers=HEADERS)


@pytest.fixture
def local(tmp_path: Path) -> LocalShelf:
    return LocalShelf(tmp_path / "secrets")


class TestLocalSecretStore(SecretStoreContract):
    @pytest.fixture
    def shelf(self, local: LocalShelf) -> LocalShelf:
        assert isinstance(local.store, LocalSecretStore)
        return local


class TestBarbicanSecretStore(SecretStoreContract):
    @pytest.fixture(scope="class")
    def real_barbican(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barbican]:
        with real.running(tmp_path_factory.mktemp("barbican")) as made:
            yield made

    @pytest.fixture
    def shelf(self, real_barbican: Barbican, local: LocalShelf) -> BarbicanShelf:
        return BarbicanShelf(real_barbican, local)

    async def test_a_certificate_container_is_read_whole(self, shelf: BarbicanShelf) -> None:
        put = shelf.barbican.put
        secret_key = ISSUED.encoded_key(PrivateFormat.PKCS8, passphrase=b"open sesame")
        chain = [each.certificate for each in ISSUED.chain if each.issuer]
        container = shelf.barbican.contain(
            certificate=put(ISSUED.pem),
            private_key=put(secret_key),
            private_key_passphrase=shelf.barbican.put_text("open sesame"),
            intermediates=put(pkcs7.serialize_certificates(chain, Encoding.PEM)),
        )
        assert await one(shelf.store, container) == understood(WHOLE).secret
        elsewhere = container.replace(shelf.barbican.url, "http://192.0.2.1:9311/key-manager")
        assert await one(shelf.store, elsewhere) == understood(WHOLE).secret  # only what it names counts

    async def test_der_is_read_too(self, shelf: BarbicanShelf) -> None:
        put = shelf.barbican.put
        key = ISSUED.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        intermediates = put(ISSUED.intermediates_pem)
        container = shelf.barbican.contain(
            certificate=put(ISSUED.certificate.public_bytes(Encoding.DER)),
            private_key=put(key),
            intermediates=intermediates,
        )
        assert await one(shelf.store, container) == understood(WHOLE).secret

    async def test_what_cannot_be_used_is_refused_by_name_and_shows_nothing_of_it(
        self, shelf: BarbicanShelf, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        put = shelf.barbican.put
        locked = put(ISSUED.encoded_key(PrivateFormat.PKCS8, passphrase=b"open sesame"))
        certificate = put(ISSUED.pem)
        for ref, words in (
            (shelf.barbican.put_text("not a certificate"), "neither PEM nor a PKCS#12"),
            (shelf.barbican.contain(kind="generic", certificate=certificate), "container of type generic"),
            (shelf.barbican.contain(certificate=certificate), "has no private_key"),
            (shelf.barbican.contain(certificate=certificate, private_key=locked), "not with its passphrase"),
        ):
            found = await one(shelf.store, ref)
            assert isinstance(found, PermanentError), ref
            assert words in str(found)
            assert ref in str(found)
        assert isinstance(await one(shelf.store, put(WHOLE)), Secret)
        told = caplog.text
        assert "PRIVATE KEY" not in told
        assert "BEGIN CERTIFICATE" not in told

    async def test_other_references_are_read_from_the_store_beside_it(
        self, shelf: BarbicanShelf, local: LocalShelf
    ) -> None:
        ref = local.put(WHOLE)
        assert await one(shelf.store, ref) == understood(WHOLE).secret


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barbican, "ANSWER_TIMEOUT_S", 0.2)


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.0 500 Broken\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\nnot JSON"])
async def test_a_barbican_that_does_not_answer_well_is_asked_again_later(
    local: LocalShelf, answer: bytes | None
) -> None:
    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await asyncio.sleep(1.0)
        else:
            writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        url = "http://{}:{}".format(*listening.sockets[0].getsockname())
        store = BarbicanSecretStore(adapter(url), beside=local.store)
        with pytest.raises(RetryableError, match="Barbican"):
            await one(store, f"{url}/v1/secrets/{uuid.uuid4()}")


async def test_a_barbican_that_is_not_there_is_asked_again_later(local: LocalShelf) -> None:
    store = BarbicanSecretStore(adapter("http://127.0.0.1:1"), beside=local.store)
    with pytest.raises(RetryableError, match="cannot be asked"):
        await one(store, f"http://127.0.0.1:1/v1/containers/{uuid.uuid4()}")
