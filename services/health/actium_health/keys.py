"""
Datagrams to what they say, once their signature holds; with heartbeat keys derived from the master key.

The same format as `actium_shared.heartbeat`, read by msgspec and with keyed hashes at hand, as here every microsecond is
paid ten thousand times a second. Bodies are left as they are.
"""

import hmac
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from actium_shared.crypto import heartbeat_key
from actium_shared.heartbeat import DATAGRAM_LIMIT_BYTES, SIGNATURE_BYTES, VERSION, BadSignature, Kind, Malformed

KEPT_MOST = 100_000
"""Ten times the amphorae that one installation is meant for; a safeguard, not a limit that anyone should meet."""

Text = Annotated[str, Meta(min_length=1, max_length=128)]
Count = Annotated[int, Meta(ge=0)]


class Datagram(msgspec.Struct, frozen=True, gc=False):
    """What a datagram says of itself; `body` is one of `report.py`'s."""

    v: Literal[1]
    amphora_id: Text
    key_version: Count
    boot_id: Text
    counter: Count
    at: float
    kind: Kind
    body: msgspec.Raw


_DECODER = msgspec.msgpack.Decoder(Datagram)


class KeyRing:
    """Opens datagrams. A key is derived anew for each forged one, so that forgers cannot fill the memory."""

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key
        self._proven: dict[tuple[str, int], hmac.HMAC] = {}

    def open(self, datagram: bytes) -> Datagram:
        """
        Give what the datagram says once its signature holds.

        Raises:
            HeartbeatError: it is malformed, or not signed with its amphora's key.
        """
        if not SIGNATURE_BYTES < len(datagram) <= DATAGRAM_LIMIT_BYTES:
            raise Malformed(f"{len(datagram)} bytes is not the size of a heartbeat")
        payload = datagram[:-SIGNATURE_BYTES]
        try:
            opened = _DECODER.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise Malformed(f"not a heartbeat of version {VERSION}: {exc}") from exc
        name = (opened.amphora_id, opened.key_version)
        keyed = self._proven.get(name)
        signature = (keyed or self._keyed(*name)).copy()
        signature.update(payload)
        if not hmac.compare_digest(signature.digest(), datagram[-SIGNATURE_BYTES:]):
            raise BadSignature("the signature does not match")
        if keyed is None:
            self._keep(name)
        return opened

    def _keep(self, name: tuple[str, int]) -> None:
        if len(self._proven) >= KEPT_MOST:
            self._proven.clear()
        self._proven[name] = self._keyed(*name)

    def _keyed(self, amphora_id: str, version: int) -> hmac.HMAC:
        return hmac.new(heartbeat_key(self._master_key, amphora_id, version), digestmod="sha256")
