"""Keys that two services derive from one secret: the same parts give the same key, and no key gives away another."""

from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actium_shared.errors import SettingsError

KEY_BYTES = 32

HEARTBEAT_LABEL = "actium/heartbeat"
"""What the key is for; another purpose gets another label, so that no key serves two."""


def heartbeat_key(master: bytes, amphora_id: str, version: int) -> bytes:
    """Give the key with which one amphora signs its datagrams; a new `version` replaces a key that leaked."""
    info = f"{HEARTBEAT_LABEL}/{version}/{amphora_id}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(master)


def read_master_key(path: Path) -> bytes:
    """
    Read the secret that all keys are derived from.

    Raises:
        SettingsError: it cannot be read, or is not of the right length.
    """
    try:
        key = path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"master key file {path} cannot be read: {exc.strerror}") from exc
    if len(key) != KEY_BYTES:
        raise SettingsError(f"master key file {path} holds {len(key)} bytes, {KEY_BYTES} random ones are needed")
    return key
