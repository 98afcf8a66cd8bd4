"""
The bus: `Bus` is all that services see of it. Only this package speaks NATS.

`client`: nats-py, with shorter ways. `connection`: to be connected or not. `jetstream`: streams. `pull`, `feeds`: reading
them, orders. `asks`: questions and replies. `stream_settings`: what the server is told of a stream.
"""

from typing import Self

from actium_shared.bus.asks import ASK_TIMEOUT_S, Answer, Asks, Question
from actium_shared.bus.feeds import Feeds
from actium_shared.bus.jetstream import ApiError
from actium_shared.bus.pull import Delivery

__all__ = ["ASK_TIMEOUT_S", "Answer", "ApiError", "Bus", "Delivery", "Question"]


class Bus(Feeds, Asks):
    """
    One connection of one service, made with `async with`.

    It reconnects by itself, for ever; what cannot be mended so is told by `failed`, and ends the service.
    """

    async def __aenter__(self) -> Self:
        try:
            return await super().__aenter__()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
