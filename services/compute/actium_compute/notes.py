"""Notes to agents that tasks are pending: sent where a push does not get through, since the agent may still reach us."""

import itertools
import logging
import socket

from actium_compute.agent_client import AGENT_PORT
from actium_compute.booting import Provisions
from actium_compute.facts import Facts
from actium_compute.ports import ManagementNetwork
from actium_shared.clock import Clock
from actium_shared.errors import RetryableError
from actium_shared.ids import RandomIds
from actium_shared.notes import Note, pack

log = logging.getLogger(__name__)

NOTE_EVERY_S = 2.0
"""To one amphora: what follows from a note takes an agent about as long."""


class Notes:
    """Sends, and never waits: a note that is lost is followed by the next one, as long as something is pending."""

    def __init__(self, network: ManagementNetwork, provisions: Provisions, clock: Clock) -> None:
        self._network = network
        self._provisions = provisions
        self._clock = clock
        self._boot_id = RandomIds().new()
        self._counter = itertools.count(1)
        self._sent_at: dict[str, float] = {}
        self._socket: socket.socket | None = None
        self.sent = 0

    def send(self, facts: Facts) -> None:
        """Tell the amphora, unless that was done a moment ago or there is no gateway to come to."""
        now = self._clock.monotonic()
        if not self._provisions.gateways or facts.management_address is None:
            return
        if now - self._sent_at.get(facts.amphora_id, float("-inf")) < NOTE_EVERY_S:
            return
        self._sent_at[facts.amphora_id] = now
        # It may have taken the next key without our having heard of it.
        for version in (facts.heartbeat_key_version, facts.heartbeat_key_version + 1):
            self._send(facts.amphora_id, facts.management_address, version)
        self.sent += 1
        log.info("note sent", extra={"amphora": facts.amphora_id})

    def forget(self, amphora_id: str) -> None:
        self._sent_at.pop(amphora_id, None)

    def _send(self, amphora_id: str, address: str, version: int) -> None:
        note = Note(
            amphora_id=amphora_id,
            key_version=version,
            boot_id=self._boot_id,
            counter=next(self._counter),
            at=self._clock.now().timestamp(),
        )
        try:
            if self._socket is None:
                self._socket = self._network.datagram_socket(("0.0.0.0", 0))
            self._socket.sendto(pack(note, self._provisions.heartbeat_key(amphora_id, version)), (address, AGENT_PORT))
        except (OSError, RetryableError) as exc:
            log.info("note cannot be sent", extra={"amphora": amphora_id, "error": str(exc)})
