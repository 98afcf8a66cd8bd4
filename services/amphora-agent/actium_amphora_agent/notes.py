"""Notes from compute that tasks are pending: a UDP socket beside the HTTPS one. Who is told pulls; nothing else is done here."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.logs import fields
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Store
from actium_shared.heartbeat import Freshness, HeartbeatError
from actium_shared.notes import Note, verify

log = logging.getLogger(__name__)

_KEPT = "notes"


@dataclass(slots=True)
class Counts:
    """Since the agent started. `refused`: by the reason."""

    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Notes(asyncio.DatagramProtocol):
    """Calls `on_note` for each that is ours, fresh, and not seen before, also by an agent before this one."""

    def __init__(
        self, settings: Settings, credentials: Credentials, store: Store, *, on_note: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._store = store
        self._on_note = on_note
        self._transport: asyncio.DatagramTransport | None = None
        self._fresh = Freshness()
        if kept := store.read(_KEPT):
            self._fresh.refusal(Note(**kept), now=kept["at"])
        self.counts = Counts()

    async def open(self) -> None:
        here = (self._settings.listen_address, self._settings.listen_port)
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=here)

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if why := self._refusal(data):
            self.counts.refused[why] += 1
            log.debug("note refused", extra=fields(sender=addr[0], reason=why))
            return
        self.counts.taken += 1
        self._on_note()

    def error_received(self, exc: Exception) -> None:
        log.warning("notes cannot be read", extra=fields(reason=str(exc)))

    def _refusal(self, data: bytes) -> str | None:
        try:
            note = verify(data, self._credentials.heartbeat_key)
        except HeartbeatError as exc:
            return type(exc).__name__
        if note.amphora_id != self._settings.amphora_id:
            return "for another"
        why = self._fresh.refusal(note, now=time.time())
        if why is None:
            self._store.write(_KEPT, asdict(note))
        return why
