"""
Secrets in files of this machine, encrypted: AES-256-GCM under a key that lies beside them and is its owner's only.

The log says which content is in force under a reference; here lies each content under its reference and digest, so one
can be written before its event, and none is ever written over. No service but compute can read any of it.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actium_compute.authority import write_private
from actium_compute.ports import Secret
from actium_shared import sealing
from actium_shared.errors import PermanentError, RetryableError
from actium_shared.ids import SecretRef

log = logging.getLogger(__name__)

KEY_BYTES = 32
NONCE_BYTES = 12
_STORE_KEY, _SEALING_KEY, _CONTENT = "store.key", "sealing.key", "content"

Current = Callable[[Collection[SecretRef]], Awaitable[Mapping[SecretRef, str]]]
"""Gives the digest of what is in force under each of these references; nothing of one where there is nothing."""


class LocalSecretStore:
    """Opened with `open_local_secrets`. Implements `SecretStore`; what is kept is told to it by `put`, `remove` and `keep_only`."""

    def __init__(self, folder: Path, key: bytes, *, sealing_key: bytes, current: Current) -> None:
        self._folder = folder
        self._cipher = AESGCM(_derived(key, b"content"))
        self._digest_key = _derived(key, b"digest")
        self._current = current
        self.sealing_key = sealing_key
        """Whoever seals to its public key is understood here."""

    async def read(self, refs: Collection[SecretRef]) -> Mapping[SecretRef, Secret | PermanentError]:
        digests = await self._current(refs)
        found = await asyncio.to_thread(lambda: {ref: self._found(ref, digests.get(ref)) for ref in refs})
        return {
            ref: await self._looked_for_again(ref, digests[ref]) if each is None else each
            for ref, each in found.items()
        }

    async def _looked_for_again(self, ref: SecretRef, digest: str) -> Secret | PermanentError:
        """Give what lies there instead of a content that is not there: it may have been replaced in this moment."""
        while True:
            newer = (await self._current([ref])).get(ref)
            if newer == digest:
                return PermanentError(f"the content of secret {ref} is lost; put it again")
            found = await asyncio.to_thread(self._found, ref, newer)
            if found is not None or newer is None:
                return found or PermanentError(f"there is no secret {ref}")
            digest = newer

    def _found(self, ref: SecretRef, digest: str | None) -> Secret | PermanentError | None:
        """Give what lies there, or why it cannot be used; None of what should lie there and does not."""
        if digest is None:
            return PermanentError(f"there is no secret {ref}")
        try:
            return self._content(ref, digest)
        except PermanentError as exc:
            return exc
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise RetryableError(f"secret {ref} cannot be read now: {exc.strerror}") from exc

    def digest(self, secret: Secret) -> str:
        """Give what tells this content from others, and, since it is keyed, nothing of it."""
        return hmac.new(self._digest_key, _encoded(secret), hashlib.sha256).hexdigest()

    def put(self, ref: SecretRef, secret: Secret) -> None:
        """
        Keep a content, beside those that are under the reference already; again does no harm.

        Raises:
            RetryableError: it cannot be written.
        """
        digest = self.digest(secret)
        nonce = secrets.token_bytes(NONCE_BYTES)
        box = nonce + self._cipher.encrypt(nonce, _encoded(secret), _bound(ref, digest))
        try:
            write_private(self._path(ref, digest), box)
        except OSError as exc:
            raise RetryableError(f"secret {ref} cannot be kept: {exc.strerror}") from exc

    def remove(self, ref: SecretRef, digest: str) -> None:
        """
        Remove one content.

        Raises:
            RetryableError: it cannot be removed.
        """
        try:
            self._path(ref, digest).unlink(missing_ok=True)
        except OSError as exc:
            raise RetryableError(f"secret {ref} cannot be removed: {exc.strerror}") from exc

    def keep_only(self, current: Iterable[tuple[SecretRef, str]]) -> None:
        """Remove every content but these: what was replaced or deleted, and what was written and never told."""
        kept = {self._path(ref, digest).name for ref, digest in current}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _content(self, ref: SecretRef, digest: str) -> Secret:
        box = self._path(ref, digest).read_bytes()
        try:
            content = self._cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound(ref, digest))
            return msgspec.msgpack.decode(content, type=Secret)
        except (InvalidTag, ValueError) as exc:
            raise PermanentError(f"the content of secret {ref} cannot be decrypted; put it again") from exc

    def _path(self, ref: SecretRef, digest: str) -> Path:
        return self._folder / f"{hashlib.sha256(ref.encode()).hexdigest()[:KEY_BYTES]}.{digest}"


def open_local_secrets(folder: Path, current: Current) -> LocalSecretStore:
    """
    Open the store in `folder`; what is missing of it is made.

    Raises:
        PermanentError: its keys cannot be read.
    """
    content = folder / _CONTENT
    content.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / _STORE_KEY).exists() and any(content.iterdir()):
        log.error("the key of the secrets is lost: all of them have to be put again", extra={"folder": str(folder)})
    key = _kept_key(folder / _STORE_KEY, lambda: secrets.token_bytes(KEY_BYTES))
    sealing_key = _kept_key(folder / _SEALING_KEY, sealing.new_private_key)
    return LocalSecretStore(content, key, sealing_key=sealing_key, current=current)


def _kept_key(path: Path, make: Callable[[], bytes]) -> bytes:
    if not path.exists():
        write_private(path, make())
    try:
        key = path.read_bytes()
    except OSError as exc:
        raise PermanentError(f"key file {path} cannot be read: {exc.strerror}") from exc
    if len(key) != KEY_BYTES:
        raise PermanentError(f"key file {path} holds {len(key)} bytes, and must hold {KEY_BYTES}")
    path.chmod(0o600)
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    info = b"actium/local-secrets/" + purpose
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)


def _bound(ref: SecretRef, digest: str) -> bytes:
    return f"{ref}\n{digest}".encode()


def _encoded(secret: Secret) -> bytes:
    return msgspec.msgpack.encode(secret)
