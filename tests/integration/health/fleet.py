"""A fleet that beats through a relay played by hand, compute as the witness of its deaths, and what was told of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from actium_shared.bus import Question
from actium_shared.commands.compute import AmphoraProbed, ProbeAmphora
from actium_shared.events import spares
from actium_shared.events.health import LivenessEvent
from actium_shared.ids import AmphoraId, ApplianceId, PortId, SparesId
from actium_shared.message import Reply
from actium_shared.service import Service
from builders import an_id
from integration.health.world import World, until
from unit.health.given import NOW, beat, booted, datagram

QUICK: dict[str, Any] = {
    "silent_most_s": 0.8,
    "probe_ahead_s": 0.3,
    "farewell_silent_most_s": 0.4,
    "sweep_every_s": 0.05,
}


@dataclass
class Compute:
    """The witness: whom it finds dead, and whom it was asked about."""

    dead: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    knows: bool = True

    async def answer(self, question: Question) -> Reply:
        assert isinstance(question.command, ProbeAmphora)
        amphora_id = question.command.amphora_id
        self.asked.append(amphora_id)
        if not self.knows:
            await asyncio.sleep(question.command.timeout_s + 2)
        return AmphoraProbed(answers=amphora_id not in self.dead, powered=True, detail="asked")


class Fleet:
    """Amphorae that beat through a relay played by hand, which says so when there is nothing to say."""

    def __init__(self, world: World, every_s: float) -> None:
        self.world, self.every_s = world, every_s
        self.silent: set[str] = set()
        self.all: list[AmphoraId] = []
        self.roles: dict[str, str] = {}
        self.counter = 0
        self.relay = True
        self.by_udp = False

    async def boot(self, *names: str, spare: bool = False) -> list[AmphoraId]:
        made = [AmphoraId(an_id(name)) for name in names]
        for number, amphora_id in enumerate(made):
            appliance_id = ApplianceId(an_id(f"appliance of {amphora_id}"))
            event = booted(amphora_id=amphora_id, appliance_id=appliance_id, host=f"host-{number % 3}")
            if spare:
                pool = SparesId(an_id("pool"))
                appointed = spares.SpareAppointed(
                    spares_id=pool, amphora_id=amphora_id, management_port_id=PortId(an_id("p")), deadline_at=NOW
                )
                await self.world.append("planner", "spares", pool, appointed)
            await self.world.append("compute", "amphora", amphora_id, event)
        self.all += made
        return made

    async def beat(self) -> None:
        while True:
            self.counter += 1
            now = time.time()
            beats = [
                datagram(
                    beat(role=self.roles.get(amphora_id, "STANDALONE")),
                    at=now,
                    counter=self.counter,
                    amphora_id=amphora_id,
                )
                for amphora_id in self.all
                if amphora_id not in self.silent
            ]
            if self.by_udp:
                for each in beats:
                    self.world.send_to_all_relays(each)
            elif self.relay:
                await self.world.signal(*beats)
            await asyncio.sleep(self.every_s)


@asynccontextmanager
async def running(world: World, every_s: float = 0.1) -> AsyncIterator[tuple[Fleet, Compute]]:
    fleet, compute = Fleet(world, every_s), Compute()
    async with world.server.bus("compute") as bus:
        await bus.serve_asks("compute", compute.answer)
        beating = asyncio.create_task(fleet.beat())
        try:
            yield fleet, compute
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)


async def told(world: World) -> list[LivenessEvent]:
    return [event for item in await world.said() for event in item.commit.events if isinstance(event, LivenessEvent)]


async def wait_told(world: World, count: int) -> list[LivenessEvent]:
    async def enough() -> bool:
        return len(await told(world)) >= count

    await until(enough)
    return await told(world)


async def wait_expected(health: Service, count: int) -> None:
    async def all_heard() -> bool:
        status: Any = health.status()
        return bool(status["liveness"]["expected"] == count == status["amphorae"]["count"])

    await until(all_heard)
