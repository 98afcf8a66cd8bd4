"""`GET /services`: each service's own account, and how far it is behind the log. A service that is down is an answer too."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from actium_shared.bus import Bus
from actium_shared.errors import RetryableError
from actium_shared.streams import SERVICES

STATUS_TIMEOUT_S = 1.0


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`lag`: stream -> commits that it has yet to read. `facts` are the service's own, as they come."""

    name: str
    healthy: bool
    detail: str = ""
    started_at: str | None = None
    parked: int = 0
    positions: dict[str, int] = {}
    lag: dict[str, int] = {}
    facts: dict[str, Any] = {}


class Account(msgspec.Struct, kw_only=True):
    """What a service tells of itself; all else that it tells is a fact."""

    name: str = ""
    healthy: bool = True
    detail: str = ""
    started_at: str | None = None
    parked: int = 0
    positions: dict[str, int] = {}
    filters: dict[str, tuple[str, ...]] = {}


async def statuses(
    bus: Bus, *, absent: Collection[str] = (), timeout_s: float = STATUS_TIMEOUT_S
) -> list[ServiceStatus]:
    """Ask all services at once but those that this world does without."""
    there = (name for name in SERVICES if name not in absent)
    return list(await asyncio.gather(*(status(bus, name, timeout_s=timeout_s) for name in there)))


async def status(bus: Bus, name: str, *, timeout_s: float) -> ServiceStatus:
    """Ask one service; whatever is wrong with it or its answer is told, not raised."""
    try:
        told = await bus.ask_status(name, timeout_s=timeout_s)
        account = msgspec.convert(told, Account)
        lag = await _lag(bus, account)
    except RetryableError:
        return ServiceStatus(name=name, healthy=False, detail=f"does not answer within {timeout_s:.0f} s")
    except (ValueError, msgspec.ValidationError) as exc:
        return ServiceStatus(name=name, healthy=False, detail=f"its answer cannot be read: {exc}")
    return ServiceStatus(
        name=name,
        healthy=account.healthy,
        detail=account.detail or (f"{account.parked} parked" if account.parked else ""),
        started_at=account.started_at,
        parked=account.parked,
        positions=account.positions,
        lag=lag,
        facts={key: value for key, value in told.items() if key not in Account.__struct_fields__},
    )


async def _lag(bus: Bus, account: Account) -> dict[str, int]:
    feeds = account.positions.items()
    behind = await asyncio.gather(*(_behind(bus, stream, after, account.filters) for stream, after in feeds))
    return dict(zip(account.positions, behind, strict=True))


async def _behind(bus: Bus, stream: str, after: int, filters: Mapping[str, tuple[str, ...]]) -> int:
    behind = max(0, await bus.last_sequence(stream) - after)
    if behind and stream in filters:  # of what lies behind, a service is only late with what it reads
        return await bus.count_behind(stream, after=after, subjects=filters[stream])
    return behind
