"""Reading what an amphora sent, for tests of the sender; what must never be believed is health's to refuse, in its `keys`."""

import hmac
from typing import Any

import msgpack

from actium_shared.heartbeat import SIGNATURE_BYTES, VERSION, BadSignature, Heartbeat


def verify(datagram: bytes, key: bytes) -> Heartbeat:
    """
    Give what the datagram says.

    Raises:
        BadSignature: it is not signed with `key`.
    """
    payload, signature = datagram[:-SIGNATURE_BYTES], datagram[-SIGNATURE_BYTES:]
    if not hmac.compare_digest(hmac.digest(key, payload, "sha256"), signature):
        raise BadSignature("the signature does not match")
    fields = _fields(datagram)
    assert fields.pop("v") == VERSION
    return Heartbeat(**fields)


def key_version(datagram: bytes) -> int:
    """Give which edition of its amphora's key it claims to be signed with."""
    return int(_fields(datagram)["key_version"])


def _fields(datagram: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = msgpack.unpackb(datagram[:-SIGNATURE_BYTES])
    return fields
