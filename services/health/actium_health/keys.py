"""Heartbeat keys, derived from the master key and kept for amphorae that have proven to hold theirs."""

from actium_shared import heartbeat
from actium_shared.crypto import heartbeat_key
from actium_shared.heartbeat import Heartbeat

KEPT_MOST = 100_000
"""Ten times the amphorae that one installation is meant for; a safeguard, not a limit that anyone should meet."""


class KeyRing:
    """Opens datagrams. A key is derived anew for each forged one, so that forgers cannot fill the memory."""

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key
        self._proven: dict[tuple[str, int], bytes] = {}

    def open(self, datagram: bytes) -> Heartbeat:
        """
        Give what the datagram says once its signature holds.

        Raises:
            HeartbeatError: it is malformed, or not signed with its amphora's key.
        """
        opened = heartbeat.open_signed(datagram, self._key)
        proven = (opened.amphora_id, opened.key_version)
        if proven not in self._proven:
            if len(self._proven) >= KEPT_MOST:
                self._proven.clear()
            self._proven[proven] = self._key(*proven)
        return opened

    def _key(self, amphora_id: str, version: int) -> bytes:
        known = self._proven.get((amphora_id, version))
        return known or heartbeat_key(self._master_key, amphora_id, version)
