"""`actium authority show|replace`: the certificate authority that amphorae and the controller trust."""

import json
import time
from contextlib import suppress
from typing import Annotated, Any

import typer

from actium_api.cli import fleet_showing
from actium_api.cli.client import OperatorApi
from actium_api.cli.output import api, output, write

PATH = "/operator/v1/authority"
SETTLED = "settled"
LOOK_EVERY_S = 0.5

app = typer.Typer(help="The certificate authority that amphorae and the controller trust.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="As the API tells it.")]
Follow = Annotated[bool, typer.Option("--follow", help="Tell each step, until none is left.")]


@app.command("show")
def show(follow: Follow = False, as_json: AsJson = False) -> None:
    """Show whether it is being replaced, how far that is, and for which amphorae it waits."""
    client = api()
    _tell(client, client.get(PATH)["authority"], follow=follow, as_json=as_json)


@app.command("replace")
def replace(
    reason: Annotated[str, typer.Option(help="Why; it stands on the log with your name.")],
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Put another one into its place, step by step. Traffic is not touched; asked again meanwhile, it changes nothing."""
    client = api()
    told = client.send("POST", f"{PATH}/replacement", {"reason": reason})["authority"]
    _tell(client, told, follow=follow, as_json=as_json)


def _tell(client: OperatorApi, told: dict[str, Any], *, follow: bool, as_json: bool) -> None:
    _write(told, as_json=as_json)
    with suppress(KeyboardInterrupt):  # how a follower may end
        while follow and told["phase"] != SETTLED:
            time.sleep(LOOK_EVERY_S)
            before, told = told, client.get(PATH)["authority"]
            if told != before:
                _write(told, as_json=as_json)


def _write(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write(json.dumps({"authority": told}))
    else:
        output.print(fleet_showing.authority(told), soft_wrap=True)
