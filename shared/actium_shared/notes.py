"""
The UDP datagram from compute to an amphora's agent: "tasks are pending, come and get them".

Pure, and free of every import but the standard library and msgpack: the agent copies it into its image. A note says
nothing else, so the worst that one can do is to make an agent ask. No socket and no clock here.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import msgpack

from actium_shared.heartbeat import BadSignature, Malformed

VERSION = 1
SIGNATURE_BYTES = hashlib.sha256().digest_size
NOTE_LIMIT_BYTES = 1_024

_LABEL = b"actium/note"
"""Notes have a key of their own, made of the heartbeat key: what is signed with the one is worth nothing by the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """`boot_id` and `counter` are the sender's: of one life of compute, counted within it."""

    amphora_id: str
    key_version: int
    boot_id: str
    counter: int
    at: float


def pack(note: Note, heartbeat_key: bytes) -> bytes:
    """Give the datagram; `heartbeat_key` is the amphora's, of the version that the note names."""
    payload: bytes = msgpack.packb(
        {
            "v": VERSION,
            "kind": "tasks pending",
            "amphora_id": note.amphora_id,
            "key_version": note.key_version,
            "boot_id": note.boot_id,
            "counter": note.counter,
            "at": note.at,
        }
    )
    return payload + _sign(payload, heartbeat_key)


def verify(datagram: bytes, heartbeat_key: bytes) -> Note:
    """
    Raises:
        BadSignature: not signed for the amphora with this key.
        Malformed: too large, not MessagePack, or a field is missing or of the wrong type.
    """
    if not SIGNATURE_BYTES < len(datagram) <= NOTE_LIMIT_BYTES:
        raise Malformed(f"{len(datagram)} bytes is not the size of a note")
    payload, signature = datagram[:-SIGNATURE_BYTES], datagram[-SIGNATURE_BYTES:]
    if not hmac.compare_digest(_sign(payload, heartbeat_key), signature):
        raise BadSignature("the signature does not match")
    return _parse(payload)


def _sign(payload: bytes, heartbeat_key: bytes) -> bytes:
    return hmac.digest(hmac.digest(heartbeat_key, _LABEL, "sha256"), payload, "sha256")


def _parse(payload: bytes) -> Note:
    try:
        fields = msgpack.unpackb(payload)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as exc:
        raise Malformed(f"not MessagePack: {exc}") from exc
    if not isinstance(fields, dict) or (fields.get("v"), fields.get("kind")) != (VERSION, "tasks pending"):
        raise Malformed(f"not a note of version {VERSION}")
    return Note(
        amphora_id=_field(fields, "amphora_id", str),
        key_version=_field(fields, "key_version", int),
        boot_id=_field(fields, "boot_id", str),
        counter=_field(fields, "counter", int),
        at=float(_field(fields, "at", float)),
    )


def _field(fields: dict[str, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if type(value) is not kind:
        raise Malformed(f"field {name} must be {kind.__name__}, not {type(value).__name__}")
    return value
