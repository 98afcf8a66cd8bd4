"""
The gate before VIPs that a router leads here: open while this amphora is the one that they are to be led to, else shut.

Every amphora of an appliance has them, and a router may for a moment, or cut off from the truth, lead them to the wrong one. The
table is loaded when VIPs change; a change of roles is one element more or less in it, said by netlink in a tenth of a millisecond.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Iterable, Iterator, Sequence

from actium_amphora_agent.desired import Interface
from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.logs import fields
from actium_amphora_agent.names_in_set import NamesInSet
from actium_amphora_agent.nft import Nft
from actium_amphora_agent.traffic import Traffic

log = logging.getLogger(__name__)

TABLE, SHUT = "actium_gate", "shut"
MASTER = "MASTER"
AGAIN_S = 0.1
"""What the kernel did not take is said again so soon: a gate that is wrong is an outage, or two masters."""

_KINDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}


class Gate:
    """Knows what the kernel holds once it has said all of it; the kernel is older than the agent."""

    def __init__(self, nft: Nft, traffic: Traffic) -> None:
        self._nft = nft
        self._kernel = NamesInSet(traffic, TABLE, SHUT)
        self._cards: tuple[Interface, ...] = ()
        self._role: str | None = None
        self._vips: str | None = None
        self._shut: frozenset[str] | None = None
        self._again: asyncio.TimerHandle | None = None

    async def follow(self, cards: Iterable[Interface], role: str | None) -> None:
        """
        Guard the VIPs of these cards, of which the amphora plays that role.

        Raises:
            Trouble: the kernel took it not.
        """
        self._cards, self._role = tuple(card for card in cards if card.routed), role
        if self._vips is None and not self._cards:
            return  # most amphorae never need it
        if (vips := _sets(self._cards)) != self._vips:
            shut = self._to_shut()
            self._vips = self._shut = None
            await self._nft.load(table(self._cards, shut))
            self._vips, self._shut = vips, shut
        self._flip()  # what was said meanwhile, too

    def hear(self, role: str | None) -> None:
        """What keepalived says; nothing where it says nothing any more. Nobody waits: a gate that is stuck is tried again."""
        self._role = role
        self._try()

    def close(self) -> None:
        """The agent ends; the gate stays as it is."""
        if self._again:
            self._again.cancel()
        self._kernel.close()

    def _try(self) -> None:
        if self._again:
            self._again.cancel()
        self._again = None
        try:
            self._flip()
        except Trouble as exc:
            log.error("the gate before routed VIPs is stuck", extra=fields(role=self._role, reason=str(exc)))
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._try)

    def _to_shut(self) -> frozenset[str]:
        return frozenset(card.name for card in self._cards if not is_open(card, self._role))

    def _flip(self) -> None:
        if self._shut is None or not self._cards:
            return  # to be loaded, with what is right by then
        for name in self._to_shut() - self._shut:
            self._kernel.add(name)
        for name in self._shut - self._to_shut():
            self._kernel.remove(name)
        self._shut = self._to_shut()


def is_open(card: Interface, role: str | None) -> bool:
    """Whether VIPs are to be led here: alone by the bundle's word, in a pair by keepalived's."""
    return bool(card.vips) or (bool(card.floating) and role == MASTER)


def table(cards: Sequence[Interface], shut: Iterable[str]) -> str:
    """The whole table, in place of what is there; none where no card has routed VIPs."""
    anew = f"add table inet {TABLE}\ndelete table inet {TABLE}\n"
    if not cards:
        return anew
    names = ", ".join(f'"{name}"' for name in sorted(shut))
    rules = [f"    iifname @{SHUT} {ip} daddr @vips{version} drop\n" for version, (ip, _) in _KINDS.items()]
    answers = [f"    oifname @{SHUT} {ip} saddr @vips{version} drop\n" for version, (ip, _) in _KINDS.items()]
    return (
        f"{anew}table inet {TABLE} {{\n"
        f"  set {SHUT} {{ type ifname;{_elements(names)} }}\n"
        f"{_sets(cards)}"
        f"  chain arrive {{\n    type filter hook prerouting priority -350; policy accept;\n{''.join(rules)}  }}\n"
        f"  chain leave {{\n    type filter hook output priority -350; policy accept;\n{''.join(answers)}  }}\n"
        "}\n"
    )


def _sets(cards: Iterable[Interface]) -> str:
    vips = sorted(vip for card in cards for vip in _hosts(card))
    return "".join(
        f"  set vips{version} {{ type {kind};{_elements(', '.join(vip for vip in vips if (':' in vip) == (version == 6)))} }}\n"
        for version, (_, kind) in _KINDS.items()
    )


def _hosts(card: Interface) -> Iterator[str]:
    return (str(ipaddress.ip_interface(vip).ip) for vip in card.routed)


def _elements(names: str) -> str:
    return f" elements = {{ {names} }};" if names else ""
