"""The program `nft` in the traffic namespace: one transaction a call, all of it or nothing."""

from pathlib import Path

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.processes import Finished, run

_DEADLINE_S = 5.0
_LISTING_BYTES = 16 * 1024 * 1024
_WORDS_CHARACTERS = 4_000


class Nft:
    def __init__(self, traffic_namespace: Path) -> None:
        self._argv = ("nsenter", f"--net={traffic_namespace}", "nft")

    async def load(self, text: str) -> None:
        """
        Raises:
            Trouble: the kernel took it not, or did not say in time whether it did.
        """
        finished = await self._run(["-f", "-"], text.encode())
        if finished.code != 0:
            raise Trouble(f"nftables: {finished.output[:_WORDS_CHARACTERS]}")

    async def complaint(self, text: bytes) -> str | None:
        """What nft has against it, in its own words; None for nothing. Nothing is loaded."""
        finished = await self._run(["-c", "-f", "-"], text)
        return None if finished.code == 0 else finished.output[:_WORDS_CHARACTERS]

    async def table(self, name: str) -> str:
        """What the kernel holds of a table, less the elements; empty where there is none."""
        finished = await self._run(["-t", "list", "table", *name.split()], b"")
        return finished.output if finished.code == 0 else ""

    async def _run(self, words: list[str], stdin: bytes) -> Finished:
        return await run([*self._argv, *words], deadline_s=_DEADLINE_S, stdin=stdin, most_bytes=_LISTING_BYTES)
