"""
keepalived.conf: who of a pair holds the VIPs. A model and a template; no user text is in it but addresses.

The address that adverts carry is ours alone, the same in both and never in any network: a backup ignores adverts with other
addresses than its own, so two lists of VIPs that differ for a moment would make two masters.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from actium_compute.amphora_drivers import RenderError
from actium_compute.amphora_drivers.haproxy import interfaces, words
from actium_compute.amphora_drivers.haproxy.words import Word
from actium_shared.commands.compute import ConfigureAmphora
from actium_shared.events.network import Port
from actium_shared.ids import PortId

PRIORITIES = {"MASTER": 254, "BACKUP": 253}
"""By role, where an order names no rank. One apart: who waits for the other's silence waits the least that VRRP knows."""

HIGHEST, LEAST = 254, 1
"""By rank: a newcomer that for a moment hears nobody gives way as soon as it hears again. 255 would be the owner's."""

NEWCOMERS_APART = 20
"""
While both of a pair are replaced there are three or four, and all who could be master wait for the one that yields. One apart
they wait 0.4 ms apart at ten adverts a second, and both take the VIPs; so far apart, 8 ms, the second hears the first in time.
"""

LEAST_ADVERT_MS, MOST_ADVERT_MS = 10, 40_000
PATIENT_ADVERT_MS = 300
"""Where the machine has no real-time scheduling: anything quicker takes a busy machine for a dead one."""

NOBODY = {4: Word("127.0.0.1"), 6: Word("::1")}
"""Where adverts go while there is no partner: without any address they would be sent to everybody."""

ROUTER_IDS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Vrrp:
    """One instance; times in seconds."""

    router_id: int
    priority: int
    advert_s: float
    patient_advert_s: float
    interface: Word
    source: Word
    peers: tuple[Word, ...]
    marker: Word
    vips: tuple[Word, ...]


def vrrp(order: ConfigureAmphora, ports: Mapping[PortId, Port]) -> Vrrp | None:
    """
    Give the instance of an amphora of a pair; None for one that stands alone.

    Raises:
        RenderError: the role is none, or the amphorae cannot speak to each other.
    """
    if not interfaces.is_pair(order):
        return None
    if order.role not in PRIORITIES:
        known = ", ".join((interfaces.STANDALONE, *PRIORITIES))
        raise RenderError(f"role: {order.role[:80]!r} is not supported; known are {known}")
    advert_ms = min(max(order.advert_interval_ms, LEAST_ADVERT_MS), MOST_ADVERT_MS)
    card = interfaces.plumb(order, ports).interfaces[0]
    source = words.address(str(ip_interface(card.addresses[0]).ip), "port")
    family = ip_address(source).version
    if others := [partner for partner in card.partners if ip_address(partner).version != family]:
        raise RenderError(f"peer: {others[0]} and {source} are of different families")
    router_id = _router_id(order)
    return Vrrp(
        router_id=router_id,
        priority=_priority(order),
        advert_s=advert_ms / 1000,
        patient_advert_s=max(advert_ms, PATIENT_ADVERT_MS) / 1000,
        interface=Word(card.name),
        source=source,
        peers=tuple(words.address(partner, "peer") for partner in card.partners) or (NOBODY[family],),
        marker=Word(f"169.254.0.{router_id}/32" if family == 4 else f"fe80::{router_id:x}/128"),
        vips=tuple(Word(vip) for vip in card.floating),
    )


def _priority(order: ConfigureAmphora) -> int:
    if order.rank is None:
        return PRIORITIES[order.role]
    return max(HIGHEST - min(order.rank, 1) - NEWCOMERS_APART * max(order.rank - 1, 0), LEAST)


def _router_id(order: ConfigureAmphora) -> int:
    # Adverts go to the partner alone, so that two appliances may have the same; in both amphorae it must be.
    return int.from_bytes(hashlib.sha256(order.appliance_id.encode()).digest()[:4]) % ROUTER_IDS + 1
