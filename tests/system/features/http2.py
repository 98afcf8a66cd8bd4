"""As much HTTP/2 as one GET needs (RFC 9113, RFC 7541): its frames and header fields are few, and spoken here by hand."""

import socket

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
ACKNOWLEDGE, END_STREAM, END_HEADERS = 1, 1, 4
STREAM = 1
FRAME_HEADER_BYTES = 9

GET, HTTPS, ROOT = b"\x82", b"\x87", b"\x84"
"""`:method`, `:scheme` and `:path` by their numbers in HPACK's static table."""

AUTHORITY = b"\x01"
"""The name of a field that is spelt out and goes into no table."""

OK = 0x88
"""`:status: 200` in the static table."""


def get_root(link: socket.socket, authority: str) -> tuple[bool, bytes]:
    """Ask for / over a link on which `h2` was agreed; say whether it is answered by 200, and with what."""
    fields = GET + HTTPS + ROOT + AUTHORITY + bytes((len(authority),)) + authority.encode()
    link.sendall(PREFACE + _frame(SETTINGS, 0, b"", stream=0) + _frame(HEADERS, END_STREAM | END_HEADERS, fields))
    is_ok, body = False, b""
    while True:
        kind, flags, payload = _read_frame(link)
        if kind == SETTINGS and not flags & ACKNOWLEDGE:
            link.sendall(_frame(SETTINGS, ACKNOWLEDGE, b"", stream=0))
        elif kind == HEADERS:
            is_ok = payload[0] == OK
        elif kind == DATA:
            body += payload
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            return is_ok, body


def _frame(kind: int, flags: int, payload: bytes, *, stream: int = STREAM) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _read_frame(link: socket.socket) -> tuple[int, int, bytes]:
    header = _read(link, FRAME_HEADER_BYTES)
    return header[3], header[4], _read(link, int.from_bytes(header[:3], "big"))


def _read(link: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += (more := link.recv(count - len(found)))
        assert more, "the server ended the connection"
    return found
