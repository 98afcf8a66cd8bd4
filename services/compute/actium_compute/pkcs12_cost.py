"""
How much work it is to open a PKCS#12 file, found without doing it: it says itself how often its password is to be hashed.

Reads DER no further than that takes. Pure.
"""

from collections.abc import Iterator

OCTET_STRING, INTEGER = 0x04, 0x02
CONSTRUCTED = 0x20
MULTIPLE_BYTES_TAG = 0x1F
DEPTH_MOST = 32


class NotDerError(ValueError):
    """It cannot be read as DER."""


def iterations(content: bytes) -> int:
    """
    Give how often all of its passwords are hashed together.

    Wherever that is said, the number stands behind the salt: an integer behind a string of bytes.

    Raises:
        NotDerError: it is not DER.
    """
    return sum(_found(content, depth=0))


def _found(content: bytes, *, depth: int) -> Iterator[int]:
    if depth > DEPTH_MOST:
        raise NotDerError("too deep")
    before = None
    for tag, value in _values(content):
        if tag == INTEGER and before == OCTET_STRING:
            yield abs(int.from_bytes(value, signed=True))
        elif tag & CONSTRUCTED:
            yield from _found(value, depth=depth + 1)
        elif tag == OCTET_STRING:
            yield from _within_string(value, depth=depth + 1)
        before = tag


def _within_string(value: bytes, *, depth: int) -> list[int]:
    """What is packed into a string may be DER again, or salt, or what is encrypted."""
    try:
        return list(_found(value, depth=depth))
    except NotDerError:
        return []


def _values(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        tag = content[at]
        length, start = _length(content, at + 1)
        if tag & MULTIPLE_BYTES_TAG == MULTIPLE_BYTES_TAG or start + length > len(content):
            raise NotDerError(f"at byte {at}")
        yield tag, content[start : start + length]
        at = start + length


def _length(content: bytes, at: int) -> tuple[int, int]:
    """Give a value's length and where it begins."""
    first = content[at] if at < len(content) else 0x80
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if not 1 <= count <= 4 or at + 1 + count > len(content):
        raise NotDerError(f"at byte {at}")
    return int.from_bytes(content[at + 1 : at + 1 + count]), at + 1 + count
