"""Wires the planner: bus, states from the log, asks, feeds, deadlines."""

import asyncio
import logging

from actium_planner.amphora_facts import AmphoraFacts
from actium_planner.asks import Site
from actium_planner.courtesy import Courtesy
from actium_planner.decide_and_append import Shell
from actium_planner.deciders.appliance import Limits
from actium_planner.feed_positions import FeedPositions
from actium_planner.handlers import Planner
from actium_planner.network_facts import NetworkFacts
from actium_planner.planning import Planning
from actium_planner.settings import PlannerSettings
from actium_planner.states import States
from actium_shared import streams
from actium_shared.clock import Clock, SystemClock
from actium_shared.errors import RetryableError
from actium_shared.event_store import JetStreamEventStore
from actium_shared.ids import RandomIds
from actium_shared.service import Service, connect

log = logging.getLogger(__name__)

REPLAN_PAUSE_S = 0.2


async def main(settings: PlannerSettings) -> None:
    """Run until told to stop."""
    clock = SystemClock()
    async with connect("planner", settings) as bus:
        store = JetStreamEventStore(bus, clock=clock)
        states = States()
        await states.load(store)
        facts = NetworkFacts(store)
        await facts.load()
        machines = AmphoraFacts(store)
        await machines.load()
        feeds = {owner: streams.events_of(owner) for owner in streams.FEEDS["planner"]}
        positions = FeedPositions(bus, clock, tuple(feeds.values()))
        await positions.load()
        planning = Planning(bus, clock)
        limits = Limits(
            boot_s=settings.boot_s,
            bundle_s=settings.bundle_s,
            retry_s=settings.retry_s,
            yield_s=settings.yield_s,
            split_s=settings.split_s,
            drain_s=settings.drain_s,
            image_tag=settings.image_tag,
            topology=settings.topology(),
            advert_interval_ms=settings.vrrp_advertisement_interval_ms,
            spare_pool_size=settings.pool_size(),
        )
        shell = Shell(store, clock, RandomIds())
        planner = Planner(
            states,
            shell,
            planning,
            limits=limits,
            caught_up=positions.caught_up,
            facts=facts,
            machines=machines,
            courtesy=Courtesy(clock),
            site=Site(
                quota=settings.site_quota(),
                strict_immutability=settings.strict_immutability,
                providers=settings.providers(),
            ),
        )
        service = Service("planner", bus, clock, positions_kept_in="snap.planner.positions in SNAPSHOTS")
        service.fact(lambda: {"faults": planning.faults} if planning.faults else {})
        for owner, stream in feeds.items():
            handler = planner.own if owner == "planner" else planner.foreign
            # What is parked is dealt with, too: deadlines must not wait for it.
            service.feed(stream, handler, after=positions.of(stream), done=positions.reached)
        lost = asyncio.Event()
        lost.set()
        bus.on_reconnect(lost.set)
        service.loop("plans", lambda: _replan(planner, lost, clock))
        service.loop("deadlines", lambda: planning.wake(planner.lapse))
        service.loop("positions", positions.keep_saving)
        await bus.serve_asks("planner", planner.answer)
        await service.run()


async def _replan(planner: Planner, lost: asyncio.Event, clock: Clock) -> None:
    while True:
        await lost.wait()
        lost.clear()
        try:
            await planner.plan_everything()
        except RetryableError as exc:
            log.warning("plans not carried out, again", extra={"error": str(exc)})
            lost.set()
            await clock.sleep(REPLAN_PAUSE_S)
