"""What a pull makes of what the server sends it."""

from collections.abc import Callable
from typing import Any, cast

from nats.aio.msg import Msg

from actium_shared.bus.client import LightClient
from actium_shared.bus.pull import Pull


class Line:
    """A connection on which the test is the server."""

    def __init__(self) -> None:
        self.arrive: Callable[[Msg], None] = lambda _message: None

    def new_inbox(self) -> str:
        return "inbox"

    async def take(self, _subject: str, arrived: Callable[[Msg], None]) -> None:
        self.arrive = arrived

    async def publish(self, *_asked: Any, **_how: Any) -> None: ...


def message(number: int, *, behind: int) -> Msg:
    reply = f"$JS.ACK.STREAM.consumer.1.{number}.{number}.0.{behind}"
    return Msg(_client=cast("Any", None), subject="evt.a", reply=reply, data=b"", headers={"ce-id": str(number)})


def word(status: str) -> Msg:
    return Msg(_client=cast("Any", None), subject="inbox", data=b"", headers={"Status": status})


async def test_what_has_arrived_and_is_not_given_out_counts_as_pending() -> None:
    line = Line()
    pull = Pull(cast("LightClient", line), "STREAM", "consumer", batch=10, ordered=True, pending=0)
    await pull.start()
    for sent in (message(1, behind=0), word("100"), message(2, behind=0), message(3, behind=5), word("100")):
        line.arrive(sent)
    pull.end()
    assert [(each.sequence, each.pending) async for each in pull.deliveries()] == [(1, 2), (2, 1), (3, 5)]
