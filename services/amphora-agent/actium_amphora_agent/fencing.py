"""
The traffic namespace's packet filter: the fence that silences an amphora at once, and the table that balances UDP.

The table is changed in place, one transaction a change: what the kernel counted and whom it remembers stay, and no packet
meets half a table.
"""

import re
from collections.abc import Collection
from pathlib import Path

from actium_amphora_agent.balancing import TABLE, VERDICTS
from actium_amphora_agent.errors import Refused, Trouble
from actium_amphora_agent.processes import run

_NFT_DEADLINE_S = 5.0
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

_OBJECT = re.compile(r"^\t(chain|map|set|counter) (\S+) \{", re.MULTILINE)
_DECLARED = re.compile(rf"^add (chain|map|set|counter) inet {TABLE} (\S+)", re.MULTILINE)
_LINE = re.compile(rf"add (table|chain|map|set|counter|rule) inet {TABLE}($| )")
_LISTING_BYTES = 16 * 1024 * 1024
_LAST = {"chain": 0, "map": 1, "set": 1, "counter": 1}


def transaction(rules: str, picks: str, *, fence: bool, present: Collection[tuple[str, str]]) -> str:
    """
    One transaction for the kernel: the table as `rules` and `picks` say, less what is `present` and declared no more.

    Rules are flushed first, since they hold on to what is to be deleted; so do the maps of verdicts, which `picks` fill again.
    """
    fences = "".join(f"add table {name}\ndelete table {name}\n" for name in _FENCES) + (_FENCE if fence else "")
    whole = f"add table inet {TABLE}\n"
    if not rules:
        return f"{fences}{whole}delete table inet {TABLE}\n"
    declared = set(_DECLARED.findall(rules))
    gone = sorted(set(present) - declared, key=lambda item: (-_LAST[item[0]], item))
    verdicts = [name for kind, name in present if kind == "map" and name.startswith(VERDICTS)]
    flushes = [f"flush map inet {TABLE} {name}\n" for name in verdicts]
    deletes = [f"delete {kind} inet {TABLE} {name}\n" for kind, name in gone]
    return fences + whole + "".join([f"flush table inet {TABLE}\n", *flushes, *deletes]) + rules + picks


def present_in(listing: str) -> list[tuple[str, str]]:
    """Kinds and names of what stands in a table that nft listed."""
    return [(kind, name) for kind, name in _OBJECT.findall(listing) if kind in _LAST]


class Fencing:
    def __init__(self, traffic_namespace: Path) -> None:
        self._nft = ("nsenter", f"--net={traffic_namespace}", "nft")
        self._loaded: tuple[str, str, bool] | None = None

    async def check(self, rules: bytes) -> None:
        """
        Raises:
            Refused: nft's own words, or a line that has no business in that table.
        """
        for line in rules.decode(errors="replace").split("\n"):
            if line and not _LINE.match(line):
                raise Refused(f"nftables.rules: {line[:80]!r} adds nothing to table inet {TABLE}")
        finished = await run([*self._nft, "-c", "-f", "-"], deadline_s=_NFT_DEADLINE_S, stdin=rules)
        if finished.code != 0:
            raise Refused(f"nftables.rules: {finished.output[:4_000]}")

    async def load(self, rules: bytes, picks: str = "", *, fence: bool) -> None:
        """
        Raises:
            Trouble: the kernel took it not; what was loaded before still stands.
        """
        wanted = (rules.decode(), picks, fence)
        if wanted == self._loaded:
            return
        text = transaction(*wanted[:2], fence=fence, present=await self._present() if rules else ())
        finished = await run([*self._nft, "-f", "-"], deadline_s=_NFT_DEADLINE_S, stdin=text.encode())
        if finished.code != 0:
            self._loaded = None
            raise Trouble(f"nftables: {finished.output[:4_000]}")
        self._loaded = wanted

    async def refill(self, picks: str) -> None:
        """
        Fill the branches of what is loaded anew.

        Raises:
            Trouble: the kernel took it not.
        """
        if self._loaded is None or self._loaded[1] == picks:
            return
        finished = await run([*self._nft, "-f", "-"], deadline_s=_NFT_DEADLINE_S, stdin=picks.encode())
        if finished.code != 0:
            raise Trouble(f"nftables: {finished.output[:4_000]}")
        self._loaded = (self._loaded[0], picks, self._loaded[2])

    async def _present(self) -> list[tuple[str, str]]:
        """Ask the kernel itself: an agent that was killed between load and record knows of nothing."""
        listing = [*self._nft, "-t", "list", "table", "inet", TABLE]
        finished = await run(listing, deadline_s=_NFT_DEADLINE_S, most_bytes=_LISTING_BYTES)
        return present_in(finished.output) if finished.code == 0 else []
