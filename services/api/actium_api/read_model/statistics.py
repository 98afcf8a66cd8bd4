"""From published traffic totals to rows: each message replaces what one amphora had said of one load balancer."""

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from actium_api.read_model import statements
from actium_api.read_model.tables import LOAD_BALANCERS, STATISTICS
from actium_shared.statistics import LoadBalancerStatistics


def project_statistics(connection: sa.Connection, published: Iterable[LoadBalancerStatistics]) -> None:
    """Keep these totals; those of load balancers that are not there are dropped."""
    newest = {(each.load_balancer_id, each.amphora_id): each for each in published}
    for each in newest.values():
        _replace(connection, each)


def _replace(connection: sa.Connection, each: LoadBalancerStatistics) -> None:
    row_id = {"key": each.load_balancer_id}
    if connection.scalar(statements.select(LOAD_BALANCERS.c.id, False, LOAD_BALANCERS.c.id), row_id) is None:
        return
    key = {"load_balancer_id": each.load_balancer_id, "amphora_id": each.amphora_id}
    columns = [STATISTICS.c[name] for name in key]
    connection.execute(statements.delete_by(*columns), {f"key_{name}": value for name, value in key.items()})
    values = [
        {"listener_id": listener_id, **key, **msgspec.structs.asdict(totals)}
        for listener_id, totals in sorted(each.listeners.items())
    ]
    if values:
        connection.execute(statements.insert(STATISTICS), values)
