"""
The kernel's table that balances UDP.

It is changed in place, one transaction a change: what the kernel counted and whom it remembers stay, and no packet meets
half a table.
"""

import re
from collections.abc import Collection

from actium_amphora_agent.balancing import TABLE, VERDICTS
from actium_amphora_agent.errors import Refused
from actium_amphora_agent.nft import Nft

_OBJECT = re.compile(r"^\t(chain|map|set|counter) (\S+) \{", re.MULTILINE)
_DECLARED = re.compile(rf"^add (chain|map|set|counter) inet {TABLE} (\S+)", re.MULTILINE)
_PLAIN, _INSIDE = r"""[^;{}"'#\\$\n]*""", r"""[^{}"'#\\$\n]*"""
_LINE = re.compile(rf"add (table|chain|map|set|counter|rule) inet {TABLE}($| {_PLAIN}(\{{{_INSIDE}\}}{_PLAIN})*)")
"""One command: a semicolon would end it and begin another, but for those within the braces of what is declared."""

_LAST = {"chain": 0, "map": 1, "set": 1, "counter": 1}


def transaction(rules: str, picks: str, *, present: Collection[tuple[str, str]]) -> str:
    """
    One transaction for the kernel: the table as `rules` and `picks` say, less what is `present` and declared no more.

    Rules are flushed first, since they hold on to what is to be deleted; so do the maps of verdicts, which `picks` fill again.
    """
    whole = f"add table inet {TABLE}\n"
    if not rules:
        return f"{whole}delete table inet {TABLE}\n"
    declared = set(_DECLARED.findall(rules))
    gone = sorted(set(present) - declared, key=lambda item: (-_LAST[item[0]], item))
    verdicts = [name for kind, name in present if kind == "map" and name.startswith(VERDICTS)]
    flushes = [f"flush map inet {TABLE} {name}\n" for name in verdicts]
    deletes = [f"delete {kind} inet {TABLE} {name}\n" for kind, name in gone]
    return whole + "".join([f"flush table inet {TABLE}\n", *flushes, *deletes]) + rules + picks


def present_in(listing: str) -> list[tuple[str, str]]:
    """Kinds and names of what stands in a table that nft listed."""
    return [(kind, name) for kind, name in _OBJECT.findall(listing) if kind in _LAST]


def stranger_in(rules: str) -> str | None:
    """The first line that does more than to add something to our table."""
    return next((line for line in rules.split("\n") if line and not _LINE.fullmatch(line)), None)


class Table:
    """Remembers what the kernel holds; where that is not certain, the next change says all of it again."""

    def __init__(self, nft: Nft) -> None:
        self._nft = nft
        self._loaded: tuple[str, str] = ("", "")
        self._certain = False

    async def check(self, rules: bytes) -> None:
        """
        Raises:
            Refused: nft's own words, or a line that has no business in that table.
        """
        if (stranger := stranger_in(rules.decode(errors="replace"))) is not None:
            raise Refused(f"nftables.rules: {stranger[:80]!r} does more than to add to table inet {TABLE}")
        if words := await self._nft.complaint(rules):
            raise Refused(f"nftables.rules: {words}")

    async def load(self, rules: bytes, picks: str = "") -> None:
        """
        Raises:
            Trouble: the kernel took it not; what was loaded before still stands.
        """
        await self._load(rules.decode(), picks)

    async def refill(self, picks: str) -> None:
        """
        Fill the branches of what is loaded anew.

        Raises:
            Trouble: the kernel took it not.
        """
        rules, before = self._loaded
        if not self._certain:
            await self._load(rules, picks)
        elif picks != before:
            await self._say(picks, (rules, picks))

    async def _load(self, rules: str, picks: str) -> None:
        if self._certain and (rules, picks) == self._loaded:
            return
        # The kernel itself is asked: an agent that was killed between load and record knows of nothing.
        present = present_in(await self._nft.table(f"inet {TABLE}")) if rules else ()
        await self._say(transaction(rules, picks, present=present), (rules, picks))

    async def _say(self, text: str, wanted: tuple[str, str]) -> None:
        self._certain = False
        await self._nft.load(text)
        self._loaded, self._certain = wanted, True
