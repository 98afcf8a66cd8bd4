"""Whose signature holds, and that forgers cost no memory."""

import pytest

from actium_health.keys import KeyRing
from actium_shared.heartbeat import BadSignature, Malformed
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


@pytest.mark.parametrize("flipped", [0, 10, 200, -1, -32])
def test_one_bit_off_is_refused(flipped: int) -> None:
    bent = bytearray(datagram(beat(), at=1.0))
    bent[flipped] ^= 1
    with pytest.raises((BadSignature, Malformed)):
        KeyRing(MASTER_KEY).open(bytes(bent))


def test_forged_datagrams_leave_no_key_behind() -> None:
    ring = KeyRing(MASTER_KEY)
    for number in range(10):
        with pytest.raises(BadSignature):
            ring.open(datagram(beat(), at=1.0, amphora_id=an_id(f"{number}"), key=b"k" * 32))
    assert ring._proven == {}
