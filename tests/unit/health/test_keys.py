"""Whose signature holds, and that forgers cost no memory."""

import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_health.keys import KeyRing
from actium_shared.crypto import heartbeat_key
from actium_shared.heartbeat import DATAGRAM_LIMIT_BYTES, SIGNATURE_BYTES, BadSignature, HeartbeatError, Malformed
from builders import an_id
from unit.health.given import AMPHORA, MASTER_KEY, beat, datagram


def test_a_datagram_is_opened_with_the_key_of_its_amphora_and_version() -> None:
    ring = KeyRing(MASTER_KEY)
    for version in (1, 2, 1):
        opened = ring.open(datagram(beat(), at=1.0, key_version=version))
        assert (opened.amphora_id, opened.key_version) == (AMPHORA, version)


def test_another_amphoras_key_does_not_open() -> None:
    other = KeyRing(MASTER_KEY)
    signed_as_other = datagram(beat(), at=1.0, key=b"k" * 32)
    for _ in range(2):
        with pytest.raises(BadSignature):
            other.open(signed_as_other)


@given(st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_noticed(position: int, change: int) -> None:
    bent = bytearray(datagram(beat(), at=1.0))
    bent[position % len(bent)] ^= change
    with pytest.raises(HeartbeatError):
        KeyRing(MASTER_KEY).open(bytes(bent))


@given(st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    with pytest.raises(HeartbeatError):
        KeyRing(MASTER_KEY).open(noise)


@pytest.mark.parametrize("field", ["v", "amphora_id", "key_version", "boot_id", "counter", "at", "kind", "body"])
def test_a_missing_field_is_malformed(field: str) -> None:
    fields = fields_of(datagram(beat(), at=1.0))
    with pytest.raises(Malformed):
        KeyRing(MASTER_KEY).open(signed({name: value for name, value in fields.items() if name != field}))


@pytest.mark.parametrize("field", ["v", "amphora_id", "key_version", "boot_id", "counter", "at", "kind"])
def test_a_field_of_another_type_is_malformed(field: str) -> None:
    with pytest.raises(Malformed):
        KeyRing(MASTER_KEY).open(signed(fields_of(datagram(beat(), at=1.0)) | {field: [1]}))


def fields_of(sent: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.msgpack.decode(sent[:-SIGNATURE_BYTES])
    return fields


def signed(fields: dict[str, Any]) -> bytes:
    payload = msgspec.msgpack.encode(fields)
    return payload + hmac.digest(heartbeat_key(MASTER_KEY, AMPHORA, 1), payload, "sha256")


def test_what_is_larger_than_a_datagram_may_be_is_malformed() -> None:
    with pytest.raises(Malformed):
        KeyRing(MASTER_KEY).open(bytes(DATAGRAM_LIMIT_BYTES + 1))


def test_forged_datagrams_leave_no_key_behind() -> None:
    ring = KeyRing(MASTER_KEY)
    for number in range(10):
        with pytest.raises(BadSignature):
            ring.open(datagram(beat(), at=1.0, amphora_id=an_id(f"{number}"), key=b"k" * 32))
    assert ring._proven == {}
