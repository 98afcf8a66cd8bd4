"""`actium rollout start|list|show|pause|resume|abort`: amphorae of an image, certificate or age replaced in waves."""

import json
import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.live import Live

from actium_api.cli import rollout_showing
from actium_api.cli.client import CliError, OperatorApi
from actium_api.cli.output import api, output, write

PATH = "/operator/v1/rollouts"
LOOK_EVERY_S = 0.5
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

app = typer.Typer(help="Replace amphorae of an image, certificate or age, in waves.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="As the API tells it.")]
RolloutId = Annotated[str, typer.Argument(metavar="ID", help="Its id, or as much of it as is unique.")]
Reason = Annotated[str, typer.Option(help="Why; it stands on the log with your name.")]


@app.command("start")
def start(
    *,
    image: Annotated[str | None, typer.Option(help="Those that run this image.")] = None,
    not_image: Annotated[str | None, typer.Option(help="Those that run any image but this one.")] = None,
    older_than: Annotated[str | None, typer.Option(metavar="AGE|TIME", help="Booted so long ago: 30d, 12h.")] = None,
    certificate_ends_within: Annotated[
        str | None, typer.Option(metavar="SPAN|TIME", help="Whose certificate ends so soon: 14d.")
    ] = None,
    driver: Annotated[str | None, typer.Option(help="Only those of this driver.")] = None,
    flavor: Annotated[str | None, typer.Option(help="Only those of this flavor: its id or its name.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="What they boot from. Default: what new load balancers get.")
    ] = None,
    wave: Annotated[str, typer.Option(metavar="N|N%", help="So many at a time, never two of one appliance.")] = "1",
    pause: Annotated[str, typer.Option(metavar="SPAN", help="Between two waves: 90s, 10m.")] = "0s",
    max_failures: Annotated[int, typer.Option(help="Pause by itself when more than these fail.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Show the progress until it has ended or pauses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Begin a rollout. At least one of the first four, or driver or flavor, says which amphorae are meant; all must hold."""
    client, now = api(), datetime.now(UTC)
    selection = {
        "image_tag": image,
        "not_image_tag": not_image,
        "booted_before": _moment("--older-than", older_than, now, sign=-1),
        "certificate_expires_before": _moment("--certificate-ends-within", certificate_ends_within, now, sign=1),
        "driver": driver,
        "flavor_id": _flavor(client, flavor) if flavor else None,
    }
    body = {
        "id": str(uuid4()),
        "selection": {name: value for name, value in selection.items() if value is not None},
        **({"to_image_tag": to} if to is not None else {}),
        **_wave(wave),
        "pause_between_s": _span("--pause", pause),
        "max_failures": max_failures,
    }
    told = client.send("POST", PATH, body)["rollout"]
    _tell(client, told, follow=follow, as_json=as_json)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """Show all rollouts, the newest first."""
    told = api().get(PATH)
    if as_json:
        write(json.dumps(told))
    else:
        output.print(rollout_showing.rollouts(told["rollouts"]))


@app.command("show")
def show(
    rollout: RolloutId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it has ended or pauses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how far one is, what is under way, and what failed."""
    client = api()
    _tell(client, client.get(_path(client, rollout))["rollout"], follow=follow, as_json=as_json)


@app.command("pause")
def pause(rollout: RolloutId, reason: Reason = "", as_json: AsJson = False) -> None:
    """Begin no other wave until it is resumed; what is under way is finished."""
    _order(rollout, "pause", {"reason": reason}, as_json=as_json)


@app.command("resume")
def resume(rollout: RolloutId, as_json: AsJson = False) -> None:
    """Go on; who could not be replaced is tried again."""
    _order(rollout, "resume", {}, as_json=as_json)


@app.command("abort")
def abort(rollout: RolloutId, reason: Reason = "", as_json: AsJson = False) -> None:
    """Begin no other wave, ever; what is under way is finished, and what was replaced stays so."""
    _order(rollout, "abort", {"reason": reason}, as_json=as_json)


def _order(rollout: str, verb: str, body: dict[str, str], *, as_json: bool) -> None:
    client = api()
    told = client.send("POST", f"{_path(client, rollout)}/{verb}", body)["rollout"]
    _tell(client, told, follow=False, as_json=as_json)


def _tell(client: OperatorApi, told: dict[str, Any], *, follow: bool, as_json: bool) -> None:
    if follow:
        told = _follow(client, told)
    if as_json:
        write(json.dumps({"rollout": told}))
    elif not (follow and output.is_terminal):  # the progress stands there already
        output.print(rollout_showing.rollout(told), soft_wrap=True)


def _follow(client: OperatorApi, told: dict[str, Any]) -> dict[str, Any]:
    """Look again and again until nothing more comes by itself, or Ctrl-C."""
    with (
        suppress(KeyboardInterrupt),
        Live(
            rollout_showing.rollout(told), console=output, auto_refresh=False, transient=not output.is_terminal
        ) as live,
    ):
        while told["status"] in ("RUNNING", "ABORTING") or told["under_way"]:
            time.sleep(LOOK_EVERY_S)
            told = client.get(f"{PATH}/{told['id']}")["rollout"]
            if output.is_terminal:
                live.update(rollout_showing.rollout(told), refresh=True)
    return told


def _path(client: OperatorApi, wanted: str) -> str:
    found = [one["id"] for one in client.get(PATH)["rollouts"] if one["id"].startswith(wanted)]
    if len(found) != 1:
        raise CliError(f"{len(found) or 'No'} rollouts have an id that begins with {wanted!r}.")
    return f"{PATH}/{found[0]}"


def _flavor(client: OperatorApi, wanted: str) -> str:
    """Give a flavor's id by that or its name."""
    flavors = client.get("/v2.0/lbaas/flavors")["flavors"]
    found = [str(one["id"]) for one in flavors if wanted in (one["id"], one["name"])]
    if len(found) != 1:
        raise CliError(
            f"There is no flavor {wanted!r}; there are {', '.join(one['name'] for one in flavors) or 'none'}."
        )
    return found[0]


def _wave(text: str) -> dict[str, int]:
    number, percent = (text[:-1], True) if text.endswith("%") else (text, False)
    if not number.isdecimal() or not int(number):
        raise CliError(f"--wave is a number like 2, or a share like 10%, and not {text!r}.")
    return {"wave_percent": int(number)} if percent else {"wave_size": int(number)}


def _span(option: str, text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None:
        raise CliError(f"{option} is a span like 90s, 10m, 12h or 30d, and not {text!r}.")
    return float(found[1]) * UNITS[found[2]]


def _moment(option: str, text: str | None, now: datetime, *, sign: int) -> str | None:
    """Give a time that is meant as such, or as a span from now."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return (now + sign * timedelta(seconds=_span(option, text))).isoformat()
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
