"""A member that is dead gets no more traffic, however often the kernel has to be told."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actium_amphora_agent import udp
from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.nft import Nft
from actium_amphora_agent.store import Store


class Table:
    """A kernel that is too busy twice."""

    def __init__(self) -> None:
        self.refusals = 2
        self.filled = asyncio.Event()

    async def refill(self, picks: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Trouble("nftables: not within 5 s")
        self.filled.set()


async def test_a_refill_that_the_kernel_refuses_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "REFILL_AGAIN_S", 0.0)
    settings: Any = SimpleNamespace(traffic_namespace=tmp_path / "none")
    owner = udp.Udp(settings, Store(tmp_path), Nft(tmp_path / "none"), on_edge=lambda edge: None)
    kernel: Any = Table()
    owner._table = kernel
    check: Any = SimpleNamespace(member="m", pool="p")
    owner._on_verdict(check, "DOWN", "Connection refused")
    await asyncio.wait_for(kernel.filled.wait(), 5)
    assert kernel.refusals == 0
    await owner.stop()
