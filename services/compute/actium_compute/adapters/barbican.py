"""
Secrets in Barbican: certificate containers, and single secrets (PKCS#12, PEM, CRLs, authorities), by what tenants call them.

A reference's host is never asked: of it only what it names counts, and the catalogue says where Barbican is. keystoneauth
blocks, so it works in threads. It is told to log nothing: at its debug level it would log what it reads.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from keystoneauth1 import exceptions
from keystoneauth1.adapter import Adapter
from requests import Response

from actium_compute.ports import Secret, SecretStore
from actium_compute.secret_content import MOST_BYTES, ContentError, read
from actium_shared.commands.compute import SecretKind
from actium_shared.errors import PermanentError, RetryableError, SettingsError
from actium_shared.ids import SecretRef
from actium_shared.secret_refs import CONTAINERS, SECRETS, in_barbican

log = logging.getLogger(__name__)

SERVICE = "key-manager"
ANSWER_TIMEOUT_S = 4.0
"""Of each of Barbican's answers."""

READ_TIMEOUT_S = 12.0
"""Of all that is read at once; whoever asks the API waits no more than 20 s."""

THREADS = 8
CERTIFICATE_CONTAINER = "certificate"
CERTIFICATE, KEY, PASSPHRASE, INTERMEDIATES = "certificate", "private_key", "private_key_passphrase", "intermediates"
PEM = b"-----BEGIN "


class BarbicanSecretStore:
    """Implements `SecretStore`. What is no reference of Barbican's is read from the store `beside`."""

    def __init__(self, barbican: Adapter, *, beside: SecretStore) -> None:
        self._barbican, self._beside = barbican, beside
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="barbican")

    async def read(self, refs: Collection[SecretRef]) -> Mapping[SecretRef, Secret | PermanentError]:
        ours = [ref for ref in refs if in_barbican(ref) is None]
        found = dict(await self._beside.read(ours)) if ours else {}
        loop = asyncio.get_running_loop()
        theirs = [ref for ref in refs if ref not in found]
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                reading = [loop.run_in_executor(self._threads, self._read, ref) for ref in theirs]
                return found | dict(zip(theirs, await asyncio.gather(*reading), strict=True))
        except TimeoutError as exc:
            raise RetryableError(f"Barbican has not answered within {READ_TIMEOUT_S:g} s") from exc

    def _read(self, ref: SecretRef) -> Secret | PermanentError:
        """Read one, in a thread."""
        try:
            return self._secret(ref)
        except ContentError as exc:
            return PermanentError(f"secret {ref} cannot be used: {exc}")
        except PermanentError as exc:
            return exc

    def _secret(self, ref: SecretRef) -> Secret:
        named = in_barbican(ref)
        assert named is not None
        kind, its_id = named
        if kind == SECRETS:
            return read(self._payload(its_id, ref)).secret
        container = _json(self._get(f"{CONTAINERS}/{its_id}", ref), ref)
        if container.get("type") != CERTIFICATE_CONTAINER:
            raise ContentError(f"it is a container of type {container.get('type')}, and must be of type certificate")
        parts = {each["name"]: self._payload(_id_of(each["secret_ref"], ref), ref) for each in container["secret_refs"]}
        return read(_joined(parts), SecretKind.CERTIFICATE).secret

    def _payload(self, its_id: str, ref: SecretRef) -> bytes:
        described = _json(self._get(f"{SECRETS}/{its_id}", ref), ref)
        kind = (described.get("content_types") or {}).get("default")
        if kind is None:
            raise ContentError("it has no content")
        # Barbican answers only to the very type that was stored, less the text's encoding.
        content = self._get(f"{SECRETS}/{its_id}/payload", ref, accept=str(kind).partition(";")[0]).content
        if len(content) > MOST_BYTES:
            raise ContentError(f"it has {len(content)} bytes, and {MOST_BYTES} are possible")
        return content

    def _get(self, path: str, ref: SecretRef, *, accept: str = "application/json") -> Response:
        try:
            response = self._barbican.get(
                f"{self._base()}/v1/{path}",
                headers={"Accept": accept},
                raise_exc=False,
                log=False,
                timeout=ANSWER_TIMEOUT_S,
            )
        except exceptions.ClientException as exc:
            raise RetryableError(f"Barbican cannot be asked for secret {ref}: {type(exc).__name__}: {exc}") from exc
        if response.status_code == 404:
            raise PermanentError(f"there is no secret {ref}")
        if response.status_code == 403:
            raise PermanentError(f"secret {ref} may not be read by our service user: grant it by an ACL")
        if response.status_code != 200:
            raise RetryableError(f"Barbican answers {response.status_code} when it is asked for secret {ref}")
        return response

    def _base(self) -> str:
        """Give where Barbican is, whether the catalogue names a version or not."""
        endpoint = self._barbican.get_endpoint()
        if endpoint is None:
            raise RetryableError(f"the catalogue has no endpoint of type {SERVICE}")
        return endpoint.rstrip("/").removesuffix("/v1")


def connect() -> Adapter:
    """
    Give the way to Barbican for the service user of `OS_*` or clouds.yaml, as every client reads them.

    Raises:
        SettingsError: there is none.
    """
    from openstack.config import OpenStackConfig
    from openstack.exceptions import SDKException

    try:
        region = OpenStackConfig().get_one()
        session = region.get_session()
    except (SDKException, exceptions.ClientException) as exc:
        raise SettingsError(
            f"ACTIUM_SECRET_STORE=barbican needs a service user, given by OS_AUTH_URL and so on, or OS_CLOUD: {exc}"
        ) from exc
    return Adapter(
        session,
        service_type=SERVICE,
        interface=region.get_interface(SERVICE),
        region_name=region.get_region_name(SERVICE),
        endpoint_override=region.get_endpoint(SERVICE),
    )


def _json(response: Response, ref: SecretRef) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError as exc:
        raise RetryableError(f"Barbican's answer about secret {ref} is not JSON") from exc
    if not isinstance(document, dict):
        raise RetryableError(f"Barbican's answer about secret {ref} is no object")
    return document


def _id_of(secret_ref: str, ref: SecretRef) -> str:
    named = in_barbican(secret_ref)
    if named is None or named[0] != SECRETS:
        raise PermanentError(f"container {ref} names something that is no secret of Barbican's")
    return named[1]


def _joined(parts: Mapping[str, bytes]) -> bytes:
    """Give a container's parts as one PEM text, the key without its passphrase."""
    for name in (CERTIFICATE, KEY):
        if not parts.get(name):
            raise ContentError(f"the container has no {name}")
    certificate = _understood(CERTIFICATE, parts[CERTIFICATE], _certificates)
    intermediates = _understood(INTERMEDIATES, parts.get(INTERMEDIATES, b""), _certificates)
    passphrase = parts.get(PASSPHRASE, b"").strip() or None
    key = _understood(KEY, parts[KEY], functools.partial(_key, passphrase=passphrase))
    return b"\n".join((certificate, key, intermediates))


def _understood(name: str, content: bytes, parse: Callable[[bytes], bytes]) -> bytes:
    try:
        return parse(content)
    except (ValueError, TypeError) as exc:  # cryptography's words could show some of it
        raise ContentError(f"its {name} cannot be read, or not with its passphrase") from exc


def _certificates(content: bytes) -> bytes:
    """Give certificates as PEM, whatever they come in: PEM, DER or PKCS#7."""
    if not content.strip():
        return b""
    if b"-----BEGIN PKCS7-----" in content:
        return _pem(pkcs7.load_pem_pkcs7_certificates(content))
    if PEM in content:
        return content
    try:
        return _pem([x509.load_der_x509_certificate(content)])
    except ValueError:
        return _pem(pkcs7.load_der_pkcs7_certificates(content))


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _key(content: bytes, *, passphrase: bytes | None) -> bytes:
    load = serialization.load_pem_private_key if PEM in content else serialization.load_der_private_key
    key = load(content, passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
