"""What is asked of both sides, a module per part of the API."""

from collections.abc import Callable, Iterator
from types import ModuleType

from differential.stories import (
    amphorae,
    batches,
    busy,
    catalogue,
    conversation,
    fields,
    l7,
    listeners,
    load_balancers,
    members,
    monitors,
    pools,
    queries,
    quotas,
    trees,
)
from differential.story import Story

MODULES: tuple[ModuleType, ...] = (
    conversation,
    load_balancers,
    trees,
    listeners,
    pools,
    members,
    batches,
    monitors,
    l7,
    quotas,
    catalogue,
    amphorae,
    queries,
    busy,
    fields,
)


def stories() -> Iterator[Story]:
    for module in MODULES:
        tellers: tuple[Callable[[], Iterator[Story]], ...] = module.TELLERS
        for teller in tellers:
            yield from teller()
