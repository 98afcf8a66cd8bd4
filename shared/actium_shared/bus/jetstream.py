"""JetStream's API: streams are made as the table says, messages are stored, and streams tell what they hold."""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self, Unpack

from nats.aio.msg import Msg

from actium_shared import streams
from actium_shared.bus.connection import CONNECT_TIMEOUT_S, Address, Connection
from actium_shared.bus.pull import EPOCH
from actium_shared.bus.stream_settings import FOR_EVER, differences, harmful, settings_of
from actium_shared.errors import PermanentError, RetryableError, SettingsError

log = logging.getLogger(__name__)

API_TIMEOUT_S = 5.0
ATTEMPT_S = 1.0
"""What was sent while the server went away is never answered: ask again rather than wait for it."""

PAUSE_S = 0.1
LATEST = datetime(2262, 1, 1, tzinfo=UTC)
"""Nanoseconds of later times do not fit into the server's 64 bits: it takes them for the past."""

NO_STREAM = 10059
NO_MESSAGE = 10037
STREAM_EXISTS = 10058
PASSING = frozenset(
    {
        10002,  # limits of the account
        10004,  # incomplete results: members of the cluster are away
        10005,  # no peers
        10007,  # not assigned to this server (yet)
        10008,  # temporarily unavailable: no leader
        10009,  # not the leader (any more)
        10023,  # insufficient resources
        10028,  # memory is full
        10047,  # storage is full
        10077,  # the store failed, such as on a full disk
        10118,  # stream is offline
        10119,  # consumer is offline
        10158,  # the same message is just being stored
        10163,  # last sequence of a subject not known (yet)
        10167,  # too many requests
        10194,  # stream is offline
        10195,  # consumer is offline
    }
)
"""Refusals that end by themselves or by an operator's help; all others are a fault of configuration or ours."""


class ApiError(PermanentError):
    """JetStream's refusal, with its error code."""

    def __init__(self, subject: str, error: Mapping[str, Any]) -> None:
        super().__init__(_sentence(subject, error))
        self.code = int(error.get("err_code", 0))


class JetStream(Connection):
    """A connection whose user's streams exist."""

    def __init__(self, **address: Unpack[Address]) -> None:
        super().__init__(**address)
        self._ensuring = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.ensure_streams(timeout_s=CONNECT_TIMEOUT_S)
        return self

    async def api(
        self, subject: str, body: Mapping[str, object], *, timeout_s: float = API_TIMEOUT_S
    ) -> dict[str, Any]:
        """
        Call `$JS.API.<subject>`, several times if need be: twice must do no harm.

        Raises:
            RetryableError: no answer in time, or JetStream cannot do it now.
            ApiError: the server refused, with its code.
        """
        deadline = self._clock.monotonic() + timeout_s
        while True:
            left_s = deadline - self._clock.monotonic()
            try:
                message = await self.request(
                    f"$JS.API.{subject}", json.dumps(body).encode(), timeout_s=min(ATTEMPT_S, max(left_s, PAUSE_S))
                )
                return _answer(subject, message)
            except RetryableError:
                if self._clock.monotonic() + PAUSE_S >= deadline:
                    raise
            await self._clock.sleep(PAUSE_S)

    async def store(self, subject: str, body: bytes, *, headers: dict[str, str], timeout_s: float) -> dict[str, Any]:
        """
        Publish to a stream and wait until it is stored; give the server's acknowledgement.

        Raises:
            RetryableError: no acknowledgement: it may be stored or not; or it cannot be stored now.
            PermanentError: too large, or not permitted.
            ApiError: the server refused it, so it is not stored.
        """
        return _answer(subject, await self.request(subject, body, timeout_s=timeout_s, headers=headers))

    # -- streams as the table says

    async def ensure_streams(self, *, timeout_s: float = API_TIMEOUT_S) -> None:
        """
        Make every stream that this service uses exist as the table says.

        Raises:
            RetryableError: not within `timeout_s` each.
            SettingsError: one exists with settings that services cannot live with.
        """
        async with self._ensuring:
            for name in streams.used_streams(self.user):
                await self._ensure_stream(streams.BY_NAME[name], timeout_s=timeout_s)

    async def _ensure_stream(self, stream: streams.Stream, *, timeout_s: float) -> None:
        try:
            info = await self.api(f"STREAM.INFO.{stream.name}", {}, timeout_s=timeout_s)
        except ApiError as exc:
            if exc.code != NO_STREAM:
                raise
            info = await self._create_stream(stream, timeout_s=timeout_s)
        if different := differences(stream, info["config"]):
            await self._reconcile(stream, info["config"], different, timeout_s=timeout_s)

    async def _create_stream(self, stream: streams.Stream, *, timeout_s: float) -> dict[str, Any]:
        try:
            return await self.api(f"STREAM.CREATE.{stream.name}", settings_of(stream), timeout_s=timeout_s)
        except ApiError as exc:
            if exc.code != STREAM_EXISTS:
                raise
            return await self.api(f"STREAM.INFO.{stream.name}", {}, timeout_s=timeout_s)  # somebody else was faster

    async def _reconcile(
        self, stream: streams.Stream, found: dict[str, Any], different: dict[str, object], *, timeout_s: float
    ) -> None:
        """Change what is not as it should be where that is this service's to do; live with the rest if that is possible."""
        changes = {name: value for name, value in different.items() if name not in FOR_EVER}
        if changes and stream.owner == self.user:
            wanted = {name: value for name, value in (found | changes).items() if value is not None}
            try:
                found = (await self.api(f"STREAM.UPDATE.{stream.name}", wanted, timeout_s=timeout_s))["config"]
                log.info("stream changed", extra={"stream": stream.name, "settings": changes})
                different = differences(stream, found)
            except ApiError as exc:
                log.warning("stream not changed", extra={"stream": stream.name, "error": str(exc)})
        if not different:
            return
        is_now = {name: found.get(name) for name in different}
        log.warning("stream differs", extra={"stream": stream.name, "wanted": different, "found": is_now})
        if broken := harmful(different):
            told = ", ".join(f"{name} is {found.get(name)!r}, needed is {different[name]!r}" for name in broken)
            raise SettingsError(f"stream {stream.name} was made with other settings: {told}")

    # -- what streams hold

    async def last_sequence(self, stream: str, subjects: str = ">") -> int:
        """Give the sequence of the newest message of a stream, of those that pass the filter; 0 when there is none."""
        if subjects != ">":
            return await self._last_of(stream, subjects)
        info = await self.api(f"STREAM.INFO.{stream}", {})
        return int(info["state"]["last_seq"])

    async def _last_of(self, stream: str, subjects: str) -> int:
        try:  # of the stream's leader: another replica may not have the last ones yet
            found = await self.api(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subjects})
        except ApiError as exc:
            if exc.code != NO_MESSAGE:
                raise
            return 0
        return int(found["message"]["seq"])

    async def first_since(self, stream: str, at: datetime, *, timeout_s: float = API_TIMEOUT_S) -> int:
        """Give the sequence of the first message stored at `at` or later; one past the newest where there is none."""
        end = await self.last_sequence(stream)
        at = min(max(at, EPOCH), LATEST)
        found = await self._direct_get(stream, {"start_time": at.isoformat(), "next_by_subj": ">"}, timeout_s=timeout_s)
        return int(found["Nats-Sequence"]) if found else end + 1

    async def stored_at(self, stream: str, sequence: int, *, timeout_s: float = API_TIMEOUT_S) -> datetime | None:
        """Give the time at which a message was stored; None where there is none of that sequence."""
        found = await self._direct_get(stream, {"seq": sequence}, timeout_s=timeout_s)
        return datetime.fromisoformat(found["Nats-Time-Stamp"]) if found else None

    async def _direct_get(
        self, stream: str, wanted: Mapping[str, object], *, timeout_s: float
    ) -> Mapping[str, str] | None:
        message = await self.request(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), timeout_s=timeout_s)
        headers = message.headers or {}
        return headers if "Nats-Sequence" in headers else None


def _answer(subject: str, message: Msg) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(message.data)
    if "error" not in answer:
        return answer
    if answer["error"].get("err_code") in PASSING:
        raise RetryableError(_sentence(subject, answer["error"]))
    raise ApiError(subject, answer["error"])


def _sentence(subject: str, error: Mapping[str, Any]) -> str:
    return f"{subject}: {error.get('description')} ({error.get('err_code')})"
