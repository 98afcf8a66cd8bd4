"""One object into Swift, by a URL that was signed for its prefix. Tells what became of it; tries nothing twice."""

import asyncio
import ssl

import h11

from actium_amphora_agent import VERSION
from actium_amphora_agent.shipping.wanted import Logs, Stream

DEADLINE_S = 10.0
_CHUNK_BYTES = 16 * 1024
_FULL = (413, 507)

FULL, REFUSED, FAILED = "full", "refused", "failed"
"""Why an object was not taken: no room, no right to, or anything that may pass by itself."""


class NotTaken(Exception):  # noqa: N818 - read as a sentence where it is raised
    """`reason` is one of the three above; the text is for people."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


async def put(logs: Logs, stream: Stream, name: str, body: bytes, *, deadline_s: float) -> None:
    """
    Raises:
        NotTaken: not now, or not at all.
    """
    complaints = []
    for address, port in logs.addresses:
        try:
            async with asyncio.timeout(deadline_s / len(logs.addresses)):
                status = await _exchange(logs, (address, port), _request(logs, stream, name, body), body)
        except (OSError, EOFError, h11.ProtocolError) as exc:  # TimeoutError and ssl.SSLError are OSErrors
            complaints.append(f"{address}:{port}: {str(exc) or 'no answer in time'}")
            continue
        if status // 100 == 2:
            return
        reason = FULL if status in _FULL else REFUSED if status // 100 == 4 else FAILED
        raise NotTaken(reason, f"{address}:{port} answers {status}")
    raise NotTaken(FAILED, "; ".join(complaints))


def _request(logs: Logs, stream: Stream, name: str, body: bytes) -> h11.Request:
    signed = f"temp_url_sig={stream.signature}&temp_url_expires={logs.expires_at}&temp_url_prefix={stream.prefix}"
    headers = [
        ("host", logs.host),
        ("content-type", "application/gzip"),
        ("content-length", str(len(body))),
        ("user-agent", f"actium-amphora-agent/{VERSION}"),
        ("connection", "close"),
    ]
    headers += [("x-delete-after", str(logs.delete_after_s))] if logs.delete_after_s else []
    return h11.Request(method="PUT", target=f"{logs.path}/{stream.prefix}{name}?{signed}", headers=headers)


async def _exchange(logs: Logs, endpoint: tuple[str, int], request: h11.Request, body: bytes) -> int:
    context = _context(logs.ca) if logs.server_name else None
    reader, writer = await asyncio.open_connection(
        *endpoint, ssl=context, server_hostname=logs.server_name or None, limit=_CHUNK_BYTES
    )
    try:
        http = h11.Connection(h11.CLIENT)
        writer.write(http.send(request) or b"")
        writer.write(body)  # as it is: its length was said
        await writer.drain()
        return await _status(http, reader)
    finally:
        writer.transport.abort()


async def _status(http: h11.Connection, reader: asyncio.StreamReader) -> int:
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("it hung up")


def _context(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
