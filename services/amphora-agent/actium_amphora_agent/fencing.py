"""The traffic namespace's packet filter: the bundle's own rules, and the fence that silences an amphora at once."""

from pathlib import Path

from actium_amphora_agent.errors import Refused, Trouble
from actium_amphora_agent.processes import run

_NFT_DEADLINE_S = 5.0
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


def ruleset(rules: bytes, *, fence: bool) -> bytes:
    """One transaction for the kernel; the namespace is the amphora's own, so it begins with an empty one."""
    return b"flush ruleset\n" + (_FENCE.encode() if fence else b"") + rules


class Fencing:
    def __init__(self, traffic_namespace: Path) -> None:
        self._nft = ("nsenter", f"--net={traffic_namespace}", "nft")
        self._loaded = b""

    async def check(self, rules: bytes) -> None:
        """
        Raises:
            Refused: nft's own words.
        """
        finished = await run([*self._nft, "-c", "-f", "-"], deadline_s=_NFT_DEADLINE_S, stdin=rules)
        if finished.code != 0:
            raise Refused(f"nftables.rules: {finished.output[:4_000]}")

    async def load(self, rules: bytes, *, fence: bool) -> None:
        """
        Raises:
            Trouble: the kernel took it not; what was loaded before still stands.
        """
        wanted = ruleset(rules, fence=fence)
        if wanted == (self._loaded or ruleset(b"", fence=False)):
            return
        finished = await run([*self._nft, "-f", "-"], deadline_s=_NFT_DEADLINE_S, stdin=wanted)
        if finished.code != 0:
            raise Trouble(f"nftables: {finished.output[:4_000]}")
        self._loaded = wanted

    def adopt(self, rules: bytes, *, fence: bool) -> None:
        """An earlier agent loaded these; loading them again would empty the kernel's maps of running flows."""
        self._loaded = ruleset(rules, fence=fence)

    async def clear(self) -> None:
        self._loaded = b"unknown"
        await self.load(b"", fence=False)
