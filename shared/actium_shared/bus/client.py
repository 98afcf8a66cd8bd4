"""
nats-py's client, with shorter ways for what every message goes through.

Headers: nats-py reads them letter by letter, and ours have a dozen. Two private methods are overridden for it; a test
holds both ways equal, so that a new nats-py that differs is noticed. Arrivals: a callback is run by a task that takes
from a queue; `take` hands a message over at once. Answers: by a timer of the loop's, without a task of its own.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol import command

_BLANK = " \t\n\r\x0b\x0c"
_FIRST_LINE = "NATS/1.0\r\n"
_NOBODY_THERE = "503"


class _Taker(asyncio.Future[Msg]):
    """What nats-py takes for the future of one message, and so gives each to as it comes; it is never done."""

    def __init__(self, arrived: Callable[[Msg], None]) -> None:
        super().__init__()
        self._arrived = arrived

    def set_result(self, message: Msg, /) -> None:
        self._arrived(message)


class LightClient(Client):
    """As nats-py's in all that it promises."""

    def __init__(self) -> None:
        super().__init__()
        self._proven: set[str] = set()  # names of headers that nats-py has let pass
        self._inbox = ""
        self._questions = count()
        self._awaited: dict[str, asyncio.Future[Msg]] = {}

    async def take(self, subject: str, arrived: Callable[[Msg], None], *, queue: str = "") -> Subscription:
        """Have `arrived` called with each message as it is read; it must neither wait nor fail."""
        return await self.subscribe(subject, queue=queue, future=_Taker(arrived))

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        if old_style:
            return await super().request(subject, payload, timeout, old_style, headers)
        if not self._inbox:
            self._inbox = self.new_inbox()
            await self.take(f"{self._inbox}.*", self._answered)
        loop = asyncio.get_running_loop()
        name = str(next(self._questions))
        answer: asyncio.Future[Msg] = loop.create_future()
        self._awaited[name] = answer
        timer = loop.call_later(timeout, _give_up, answer)
        try:
            await self.publish(subject, payload, reply=f"{self._inbox}.{name}", headers=headers)
            message = await answer
        finally:
            timer.cancel()
            answer.cancel()
            del self._awaited[name]
        if message.headers and message.headers.get("Status") == _NOBODY_THERE:
            raise nats.errors.NoRespondersError
        return message

    def _answered(self, message: Msg) -> None:
        answer = self._awaited.get(message.subject.rpartition(".")[2])
        if answer is not None and not answer.done():
            answer.set_result(message)

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """Give the headers of a block of lines; ours have names without blanks."""
        found: dict[str, str] = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                found[name.strip(_BLANK)] = value.strip(_BLANK)
        return found

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        lines = None if headers is None or not subject else self._lines(headers)
        if lines is None:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            self._proven.update(headers or ())
            return
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(command.hpub_cmd(subject, reply, lines, payload))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    def _lines(self, headers: dict[str, str]) -> bytes | None:
        """Give the headers as they are sent; None where that is for nats-py to do: a new name, a value of several lines."""
        if not headers.keys() <= self._proven:
            return None
        lines = "".join([f"{name}: {value.strip()}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            return None
        return f"{_FIRST_LINE}{lines}\r\n".encode()


def _give_up(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())
