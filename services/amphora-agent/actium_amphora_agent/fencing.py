"""
Who gets through at all: the fence that silences an amphora at once, and the guard that keeps strangers from what partners say.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from actium_amphora_agent.desired import Interface
from actium_amphora_agent.nft import Nft

PEERS_PORT = 1025
"""haproxy's, for partners."""

_FENCES = ("inet actium_fence", "arp actium_fence")
_FENCE = """
table inet actium_fence {
  chain arrive { type filter hook prerouting priority -400; policy accept; iifname != "lo" drop; }
  chain leave { type filter hook output priority -400; policy accept; oifname != "lo" drop; }
}
table arp actium_fence {
  chain arrive { type filter hook input priority 0; policy drop; }
  chain leave { type filter hook output priority 0; policy drop; }
}
"""
"""ARP too: a fenced amphora must not answer for an address that another one has taken over."""

_GUARD = "inet actium_guard"
_FAMILIES = {4: "ip", 6: "ip6"}


class Fencing:
    """Says to the kernel what changes; the kernel is older than the agent, so the first time all of it is said."""

    def __init__(self, nft: Nft) -> None:
        self._nft = nft
        self._fenced: bool | None = None
        self._guard: str | None = None

    async def fence(self, *, up: bool) -> None:
        """
        Raises:
            Trouble: the kernel took it not; it is as it was.
        """
        if up != self._fenced:
            self._fenced = None
            await self._nft.load(_without(_FENCES) + (_FENCE if up else ""))
            self._fenced = up

    async def guard(self, interfaces: Sequence[Interface]) -> None:
        """
        Raises:
            Trouble: the kernel took it not; it is as it was.
        """
        wanted = guard(interfaces)
        if wanted != self._guard:
            self._guard = None
            await self._nft.load(_without((_GUARD,)) + wanted)
            self._guard = wanted


def guard(interfaces: Iterable[Interface]) -> str:
    """The table for these cards; empty where none has to do with a partner."""
    rules = [line for card in interfaces if card.floating for line in _guarded(card)]
    if not rules:
        return ""
    lines = "".join(f"    {rule}\n" for rule in rules)
    # By the card: what haproxy says to its own successor goes by `lo`.
    return f"table {_GUARD} {{\n  chain arrive {{\n    type filter hook input priority -10; policy accept;\n{lines}  }}\n}}\n"


def _guarded(card: Interface) -> Iterator[str]:
    by_card = f'iifname "{card.name}"'
    for version, family in _FAMILIES.items():
        for partner in card.partners:
            if ipaddress.ip_address(partner).version == version:
                yield f"{by_card} {family} saddr {partner} meta l4proto vrrp accept"
        for own in (ipaddress.ip_interface(address).ip for address in card.addresses):
            if own.version == version:
                known = [partner for partner in card.partners if ipaddress.ip_address(partner).version == version]
                strangers = f"{family} saddr != {{ {', '.join(known)} }} " if known else ""
                yield f"{by_card} {family} daddr {own} tcp dport {PEERS_PORT} {strangers}drop"
    yield f"{by_card} meta l4proto vrrp drop"


def _without(tables: Iterable[str]) -> str:
    return "".join(f"add table {name}\ndelete table {name}\n" for name in tables)
