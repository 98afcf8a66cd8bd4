"""`GET /amphorae` and `/spares`: every machine that there is and where it stands, and the pools that spares wait in."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from actium_api.read_model.amphora_rows import WAITING
from actium_api.read_model.tables import AMPHORAE, APPLIANCES, CARRIED, LOAD_BALANCERS, SPARES
from actium_shared.bus import Bus
from actium_shared.commands.health import FindLastHeard, LastHeard, LogFigures
from actium_shared.errors import RetryableError, UnreadableError
from actium_shared.ids import AmphoraId

log = logging.getLogger(__name__)

HEALTH_TIMEOUT_S = 1.0


class CarriedOne(msgspec.Struct, frozen=True, kw_only=True):
    """A load balancer that an amphora carries."""

    id: str
    name: str


class FleetMember(msgspec.Struct, frozen=True, kw_only=True):
    """
    One amphora. `role` is what it was made for, `vrrp_state` what it says it is; of a spare `spares_id` is its pool.

    `bundle` and `digest` are what it runs. `last_heard_at` is null too where health does not answer. `verdict` is health's:
    lost, or held-back where a limit keeps it from being judged so; `trouble` says why. `logs`: its
    listeners' lines that it brought to the object store and those that it lost, null where it ships none.
    """

    id: str
    appliance_id: str | None
    spares_id: str | None
    topology: str | None
    role: str | None
    vrrp_state: str | None
    host: str | None
    status: str
    verdict: str | None
    trouble: str | None
    image_tag: str | None
    load_balancers: tuple[CarriedOne, ...]
    bundle: int | None
    epoch: int | None
    digest: str | None
    management_address: str | None
    certificate_expires_at: str | None
    appointed_at: str | None
    last_heard_at: datetime | None
    logs: LogFigures | None = None


class SparePool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool: how many shall wait and how many do, and why there are no more."""

    id: str
    size: int
    ready: int
    coming: int
    image_tag: str
    flavor_id: str | None
    availability_zone: str | None
    hosts: tuple[str, ...]
    trouble: str | None
    retry_at: str | None


async def last_heard(bus: Bus) -> LastHeard:
    """Give when amphorae were heard and what, as far as health says: without it the rest is still worth a look."""
    try:
        reply = await bus.ask(FindLastHeard(), timeout_s=HEALTH_TIMEOUT_S)
    except (RetryableError, UnreadableError) as exc:
        log.info("health does not say whom it heard", extra={"error": str(exc)})
        return LastHeard(heard_at={})
    return reply if isinstance(reply, LastHeard) else LastHeard(heard_at={})


def amphorae(connection: sa.Connection, heard: LastHeard) -> list[FleetMember]:
    """Give all amphorae that exist, the oldest first."""
    carried = _carried(connection)
    topologies = {each.id: each.topology for each in connection.execute(sa.select(APPLIANCES))}
    query = sa.select(AMPHORAE).where(AMPHORAE.c.body.is_not(None)).order_by(AMPHORAE.c.created_at, AMPHORAE.c.id)
    return [
        _member(row, carried=carried, topologies=topologies, heard=heard)
        for row in connection.execute(query).mappings()
    ]


def _carried(connection: sa.Connection) -> Mapping[str, list[CarriedOne]]:
    """Give what each appliance carries, the oldest first."""
    joined = CARRIED.join(LOAD_BALANCERS, LOAD_BALANCERS.c.id == CARRIED.c.load_balancer_id)
    query = sa.select(CARRIED.c.appliance_id, LOAD_BALANCERS.c.id, LOAD_BALANCERS.c.name).select_from(joined)
    found: dict[str, list[CarriedOne]] = {}
    for appliance_id, lb_id, name in connection.execute(query.order_by(CARRIED.c.admitted)):
        found.setdefault(appliance_id, []).append(CarriedOne(id=lb_id, name=name or ""))
    return found


def _member(
    row: sa.RowMapping,
    *,
    carried: Mapping[str, list[CarriedOne]],
    topologies: Mapping[str, str],
    heard: LastHeard,
) -> FleetMember:
    owner, same = row["appliance_id"], ("host", "role", "vrrp_state", "image_tag", "bundle", "epoch", "digest")
    shown: dict[str, Any] = {name: row[name] for name in (*same, "management_address", "certificate_expires_at")}
    return FleetMember(
        **shown,
        id=row["id"],
        appliance_id=owner if owner in topologies else None,
        spares_id=None if owner in topologies else owner,
        topology=topologies.get(owner),
        status=row["status"],
        verdict=row["verdict"],
        trouble=row["verdict_reason"],
        load_balancers=tuple(carried.get(owner, ())),
        appointed_at=row["appointed_at"],
        last_heard_at=heard.heard_at.get(AmphoraId(row["id"])),
        logs=heard.logs.get(AmphoraId(row["id"])),
    )


def spares(connection: sa.Connection) -> list[SparePool]:
    """Give all pools that want spares, or still have some."""
    pools = [_pool(connection, row) for row in connection.execute(sa.select(SPARES).order_by(SPARES.c.id)).mappings()]
    return [pool for pool in pools if pool.size or pool.ready or pool.coming]


def _pool(connection: sa.Connection, row: sa.RowMapping) -> SparePool:
    query = sa.select(AMPHORAE.c.stage, AMPHORAE.c.host).where(
        AMPHORAE.c.appliance_id == row["id"], AMPHORAE.c.status.in_(("BOOTING", "READY"))
    )
    waiting = connection.execute(query.order_by(AMPHORAE.c.host)).all()
    hosts = tuple(str(host) for stage, host in waiting if stage == WAITING)
    shown = ("id", "size", "image_tag", "flavor_id", "availability_zone", "trouble", "retry_at")
    return SparePool(
        **{name: row[name] for name in shown}, ready=len(hosts), coming=len(waiting) - len(hosts), hosts=hosts
    )
