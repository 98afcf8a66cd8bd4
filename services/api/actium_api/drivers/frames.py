"""octavia-lib's framing on a Unix socket: a length in decimal, a newline, so many bytes of JSON; one question, one answer."""

import asyncio
from typing import Any

import msgspec

from actium_shared.errors import PermanentError

LENGTH_MOST = 20
BODY_MOST_BYTES = 16 * 1024 * 1024


async def receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    """
    Give the question.

    Raises:
        PermanentError: it is malformed, too large, or was broken off.
    """
    try:
        head = await reader.readuntil(b"\n")
        length = int(head) if len(head) <= LENGTH_MOST else BODY_MOST_BYTES + 1
        if not 0 <= length <= BODY_MOST_BYTES:
            raise PermanentError(f"the length must be a number of bytes up to {BODY_MOST_BYTES}")
        document = msgspec.json.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as exc:
        raise PermanentError(f"the question cannot be read: {exc}") from exc
    if not isinstance(document, dict):
        raise PermanentError("the question must be a JSON object")
    return document


async def send(writer: asyncio.StreamWriter, document: object) -> None:
    """Give the answer."""
    body = msgspec.json.encode(document)
    writer.write(b"%d\n%b" % (len(body), body))
    await writer.drain()
