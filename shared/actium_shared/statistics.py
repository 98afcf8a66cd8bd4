"""
Traffic totals as they travel on `stat.<load balancer id>`: cumulative per listener, one message per amphora that serves it.

Field names are the storage format. A message replaces every earlier one of its load balancer and amphora; a lost one
is made up for by the next. Whoever wants a listener's totals sums over the amphorae.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from actium_shared.errors import UnreadableError
from actium_shared.ids import AmphoraId, ListenerId, LoadBalancerId
from actium_shared.streams import token

PROVIDER_PREFIX = "provider/"
"""Begins what stands for an amphora in the figures of a load balancer that another vendor's driver serves."""


def source_of(provider: str) -> AmphoraId:
    """Give what stands for an amphora in the figures of a provider."""
    return AmphoraId(f"{PROVIDER_PREFIX}{provider}"[:64])


class ListenerTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All but `active_connections` only grow, over reloads and restarts of whatever serves the listener."""

    bytes_in: int = 0
    bytes_out: int = 0
    active_connections: int = 0
    total_connections: int = 0
    request_errors: int = 0


class LoadBalancerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one amphora has done for one load balancer so far; `at` is the amphora's own time of the newest figures.

    `earlier` is how much of it belongs to which boot before `boot_id`: with that, counting can go on from here.
    """

    load_balancer_id: LoadBalancerId
    amphora_id: AmphoraId
    at: datetime
    listeners: Mapping[ListenerId, ListenerTotals]
    version: int = 1
    boot_id: str = ""
    earlier: Mapping[str, Mapping[ListenerId, ListenerTotals]] = {}


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(LoadBalancerStatistics)


def subject(load_balancer_id: LoadBalancerId) -> str:
    """Give the subject that a load balancer's statistics are published on."""
    return f"stat.{token(load_balancer_id)}"


def encode(statistics: LoadBalancerStatistics) -> bytes:
    return _ENCODER.encode(statistics)


def decode(body: bytes) -> LoadBalancerStatistics:
    """
    Read what `encode` wrote.

    Raises:
        UnreadableError: it is something else, or of a version from the future.
    """
    try:
        statistics = _DECODER.decode(body)
    except msgspec.DecodeError as exc:
        raise UnreadableError(f"not statistics: {exc}") from exc
    if statistics.version != 1:
        raise UnreadableError(f"statistics of version {statistics.version}, only 1 is known")
    return statistics
