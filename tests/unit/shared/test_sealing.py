"""Sealed boxes: what comes out is what went in, for the right key and place, and for nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium_shared.sealing import CannotOpenError, new_private_key, open_box, public_key, seal

KEY = new_private_key()
SECRET = b"-----BEGIN PRIVATE KEY-----"


@given(content=st.binary(max_size=10_000), context=st.binary(max_size=300))
def test_the_receiver_gets_what_was_put_in(content: bytes, context: bytes) -> None:
    assert open_box(seal(content, public_key(KEY), context=context), KEY, context=context) == content


def test_nothing_of_the_content_shows_and_no_two_boxes_are_alike() -> None:
    first, second = (seal(SECRET, public_key(KEY), context=b"") for _ in range(2))
    assert SECRET[:8] not in first
    assert first[1:33] != second[1:33]


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(CannotOpenError, match="another key"):
        open_box(seal(SECRET, public_key(KEY), context=b"here"), new_private_key(), context=b"here")


def test_it_does_not_open_in_another_place() -> None:
    with pytest.raises(CannotOpenError):
        open_box(seal(SECRET, public_key(KEY), context=b"here"), KEY, context=b"there")


@given(st.data())
def test_a_box_that_was_changed_anywhere_does_not_open(data: st.DataObject) -> None:
    box = bytearray(seal(SECRET, public_key(KEY), context=b""))
    place = data.draw(st.integers(0, len(box) - 1))
    box[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CannotOpenError):
        open_box(bytes(box), KEY, context=b"")


@pytest.mark.parametrize("box", [b"", b"\x01", b"\x01" + bytes(31), b"\x01" + bytes(60), b"\x02" + bytes(60)])
def test_what_is_no_box_is_refused_in_words(box: bytes) -> None:
    with pytest.raises(CannotOpenError):
        open_box(box, KEY, context=b"")
