"""What stands on the log of a planner's world."""

from actium_shared.event_store import Recorded
from unit.planner.world import World


async def story(world: World) -> list[str]:
    return [
        event.TYPE
        async for item in world.store.read("EVENTS_PLANNER", after=0)
        if item.aggregate == "loadbalancer"
        for event in item.commit.events
    ]


async def log_of(world: World, stream: str) -> list[Recorded]:
    return [item async for item in world.store.read(stream, after=0)]
