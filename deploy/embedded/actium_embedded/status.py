"""`status`: every process of the world, whether it is healthy, and how far it is behind the log."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from actium_embedded import operator_api, supervisor
from actium_embedded import running as processes
from actium_embedded.operator_api import ServiceHealth
from actium_embedded.processes import NATS_SERVER
from actium_embedded.running import Running
from actium_embedded.terminal import ago, escape
from actium_embedded.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    running: Running | None
    restarts: int
    health: ServiceHealth | None
    """None for what the operator API does not know of: nats-server, the supervisor, a service that it never heard."""

    reports: bool = True

    @property
    def is_well(self) -> bool:
        return self.running is not None and (not self.reports or (self.health is not None and self.health.healthy))


def rows(world: World) -> list[Row]:
    known = _health(world)
    silent = (supervisor.NAME, NATS_SERVER)
    names = [supervisor.NAME, *(process.name for process in supervisor.read_table(world))]
    return [_row(world, name, known.get(name), reports=name not in silent) for name in names]


def _row(world: World, name: str, health: ServiceHealth | None, *, reports: bool) -> Row:
    last = processes.read_record(world.run, name)
    running = processes.find(world, name)
    return Row(name=name, running=running, restarts=last.restarts if last else 0, health=health, reports=reports)


def _health(world: World) -> dict[str, ServiceHealth]:
    """Empty while the API does not answer: then nothing but the processes can be told of."""
    try:
        return operator_api.services(world)
    except operator_api.UnreachableError:
        return {}


def render(rows: list[Row]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("service", "pid", "up since", "restarts", "state", "behind the log by"):
        table.add_column(column, justify="right" if column in ("pid", "restarts") else "left")
    for row in rows:
        table.add_row(row.name, *_process(row), _state(row), _lag(row.health))
    return table


def plain(row: Row) -> dict[str, Any]:
    """The same for programs; ages as seconds since the epoch."""
    return {
        "name": row.name,
        "pid": row.running.pid if row.running else None,
        "since": row.running.since if row.running else None,
        "restarts": row.restarts,
        "healthy": row.health.healthy if row.health else None,
        "detail": row.health.detail if row.health else "",
        "lag": row.health.lag if row.health else {},
        "well": row.is_well,
    }


def _process(row: Row) -> tuple[str, str, str]:
    if row.running is None:
        return "-", "-", str(row.restarts)
    return str(row.running.pid), f"{ago(row.running.since)} ago", str(row.restarts)


def _state(row: Row) -> str:
    if row.running is None:
        return "[red]does not run[/red]"
    if not row.reports:
        return "[green]runs[/green]"
    if row.health is None:
        return "[yellow]runs, health unknown[/yellow]"
    detail = f" ({escape(row.health.detail)})" if row.health.detail else ""
    return f"[green]healthy[/green]{detail}" if row.health.healthy else f"[red]not healthy[/red]{detail}"


def _lag(health: ServiceHealth | None) -> str:
    if health is None:
        return ""
    behind = {stream: lag for stream, lag in health.lag.items() if lag}
    return ", ".join(f"{stream}: {lag}" for stream, lag in behind.items()) or ("nothing" if health.lag else "")
