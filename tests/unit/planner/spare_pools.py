"""A pool of spares as what happened has made it, without a log; and what is said of its spares."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from actium_planner.deciders import spares
from actium_planner.deciders.spares import Context, Sizing, SparesState, Stage, pool_id
from actium_shared.commands.network import FINAL_REVISION
from actium_shared.events.appliance import SpareSought
from actium_shared.events.spares import SparesEvent
from actium_shared.ids import AmphoraId, ApplianceId
from actium_shared.message import Event, Rejected
from unit.planner import news
from unit.planner.lives import NOW
from unit.planner.news import APPLIANCE

POOL = pool_id(None, None)
POOLS = ApplianceId(POOL)
"""What stands for an appliance while it is a spare."""
LIMITS = spares.Limits()

booted = partial(news.booted, appliance_id=POOLS)
boot_failed = partial(news.boot_failed, appliance_id=POOLS)
lost = partial(news.lost, appliance_id=POOLS)
deleted = partial(news.deleted, appliance_id=POOLS)
port_failed = partial(news.port_failed, appliance_id=POOLS)
cleared = partial(news.ports_settled, revision=FINAL_REVISION, appliance_id=POOLS)


def at(seconds: float = 0) -> Context:
    return Context(now=NOW + timedelta(seconds=seconds), limits=LIMITS)


def sized(size: int, image_tag: str = "default", state: SparesState | None = None) -> SparesState:
    before = state or SparesState()
    return spares.fold(before, spares.resize(POOL, before, Sizing(size=size, image_tag=image_tag), at()))


def after(state: SparesState, *happened: Event, seconds: float = 0) -> SparesState:
    """Give the pool after it has followed these."""
    for event in happened:
        state = spares.fold(state, spares.follow(event, state, at(seconds)))
    return state


def appointed(state: SparesState) -> list[AmphoraId]:
    return [spare.id for spare in state.ordered(Stage.APPOINTED)]


def sought(search: int = 1, *avoid: str) -> SpareSought:
    return SpareSought(appliance_id=APPLIANCE, spares_id=POOL, search=search, role="STANDALONE", avoid_hosts=avoid)


def full(*hosts: str) -> SparesState:
    """Give a pool of which one is ready on each of these hosts."""
    state = sized(len(hosts))
    return after(state, *(booted(amphora_id, host) for amphora_id, host in zip(appointed(state), hosts, strict=True)))


def types(happened: Sequence[SparesEvent] | Rejected) -> list[str]:
    assert not isinstance(happened, Rejected)
    return [event.TYPE.removeprefix("spares.") for event in happened]
