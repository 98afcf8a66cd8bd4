"""`actium losses list|release`: amphorae that are judged lost, and those whose verdict a limit holds back."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from actium_api.cli import fleet_showing
from actium_api.cli.output import api, output, write

PATH = "/operator/v1/losses"

app = typer.Typer(help="Amphorae that are lost, and failovers that a limit holds back.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="As the API tells it.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """Show who is lost and not replaced yet, and who would be if so many at once were not suspicious."""
    _show(api().get(PATH), as_json=as_json)


@app.command("release")
def release(
    reason: Annotated[str, typer.Option(help="Why the storm is real; it stands on the log with your name.")],
    host: Annotated[str, typer.Option(help="Only those on this host.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let go of what is held back now: those amphorae are judged lost and replaced. What is held back later is not meant."""
    _show(api().send("POST", f"{PATH}/release", {"reason": reason, "host": host}), as_json=as_json)


def _show(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write(json.dumps(told))
        return
    members = [*told["held_back"], *told["lost"]]
    output.print(f"{len(told['held_back'])} held back, {len(told['lost'])} lost and not replaced yet")
    if members:
        output.print(fleet_showing.losses(members, now=datetime.now(UTC)))
