"""The commands."""

import json
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer

from actium_api.access import rules
from actium_api.cli import (
    authority_commands,
    dead_letter_commands,
    fleet_showing,
    loss_commands,
    rollout_commands,
    secret_commands,
    showing,
)
from actium_api.cli.client import CliError, OperatorApi, Query
from actium_api.cli.output import api, errors, output, write
from actium_api.cli.reading import Reader
from actium_shared.terminals import clean, end_with_reader

app = typer.Typer(
    help="Look into a running Actium.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
events_app = typer.Typer(help="The log: everything that happened, and why.", no_args_is_help=True)
policy_app = typer.Typer(help="The rules by which callers may do things.", no_args_is_help=True)
app.add_typer(events_app, name="events")
app.add_typer(policy_app, name="policy")
app.add_typer(secret_commands.app, name="secret")
app.add_typer(rollout_commands.app, name="rollout")
app.add_typer(authority_commands.app, name="authority")
app.add_typer(loss_commands.app, name="losses")
app.add_typer(dead_letter_commands.app, name="dead-letters")


def main() -> None:
    """Run the command line; what is wrong is one sentence on standard error and exit code 1."""
    try:
        app(prog_name="actium")
    except CliError as exc:
        errors.print(clean(str(exc)), soft_wrap=True, markup=False)
        sys.exit(1)


@events_app.command("tail")
def tail(
    *,
    load_balancer: Annotated[str | None, typer.Option(help="Only what concerns this one: its id or its name.")] = None,
    about: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only its own events: an amphora's, appliance's, rollout's, secret's ..."),
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type, or those that begin so; may be repeated.")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="POSITION|TIME",
            help="`start`, `now`, a time (UTC unless it says otherwise) or a position like EVENTS_PLANNER:123. "
            "Default: now; with --no-follow: start.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Each event in full, a line of JSON each.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C.")] = True,
) -> None:
    """Follow the log, decoded, one line an event."""
    client = api()
    query: dict[str, str | list[str]] = {"follow": "true" if follow else "false", "type": types or []}
    if begin:
        query["from"] = begin
    if load_balancer:
        query["load_balancer"] = client.find_load_balancer(load_balancer)
    if about:
        query["about"] = about
    with suppress(KeyboardInterrupt):  # how a follower is meant to end
        _tail(client, query, as_json=as_json)


def _tail(client: OperatorApi, query: Query, *, as_json: bool) -> None:
    if query["follow"] == "true":
        threading.Thread(target=end_with_reader, daemon=True).start()
        if errors.is_terminal:
            errors.print("following the log; Ctrl-C ends", style="dim")
    reader = Reader(client, query, lost=lambda: errors.print("connection lost, trying again", style="dim"))
    previous = None
    for line in reader.lines():
        if as_json:
            write(line)
            continue
        event = json.loads(line)
        output.print(showing.line(event, with_cause=event["position"] != previous), soft_wrap=True)
        previous = event["position"]


@events_app.command("show")
def show(
    load_balancer: Annotated[str, typer.Argument(help="Its id or its name; a deleted one is found by its id.")],
    as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False,
) -> None:
    """Tell one load balancer's whole story: every event with its time, actor and cause."""
    client = api()
    story = client.get(f"/operator/v1/load-balancers/{client.find_load_balancer(load_balancer)}/story")
    if as_json:
        write(json.dumps(story))
        return
    for text in showing.story(story):
        output.print(text, soft_wrap=True)


@events_app.command("positions")
def positions(as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False) -> None:
    """Where each stream of the log ends, and how far each service has read it; `--from` takes such positions."""
    told = api().get("/operator/v1/positions")
    if as_json:
        write(json.dumps(told))
    else:
        output.print(showing.positions(told))


@app.command("services")
def services(as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False) -> None:
    """Each service: whether it answers, since when, how far it is behind the log. Exit code 1 where not all are well."""
    told = api().get("/operator/v1/services")
    if as_json:
        write(json.dumps(told))
    else:
        output.print(showing.services(told["services"]))
    raise typer.Exit(0 if all(one["healthy"] for one in told["services"]) else 1)


@app.command("amphorae")
def amphorae(as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False) -> None:
    """Every amphora: its part, where it runs, what it carries and runs, when it was heard last."""
    told = api().get("/operator/v1/amphorae")
    if as_json:
        write(json.dumps(told))
    else:
        output.print(fleet_showing.amphorae(told["amphorae"], now=datetime.now(UTC)))


@app.command("spares")
def spares(as_json: Annotated[bool, typer.Option("--json", help="As the API tells it.")] = False) -> None:
    """The pools of spares: how many shall wait, how many do, and what is in the way."""
    told = api().get("/operator/v1/spares")
    if as_json:
        write(json.dumps(told))
    else:
        output.print(fleet_showing.spares(told["spares"]))


@app.command("settle")
def settle(
    load_balancer: Annotated[str, typer.Argument(help="Its id or its name.")],
    reason: Annotated[str, typer.Option(help="Why it shall wait no longer; it stands on the log with your name.")],
) -> None:
    """Have a load balancer wait no longer: what is in flight for it is called failed. Nothing that serves is touched."""
    client = api()
    load_balancer_id = client.find_load_balancer(load_balancer)
    client.send("POST", f"/operator/v1/load-balancers/{load_balancer_id}/settle", {"reason": reason})
    output.print(f"{load_balancer_id} waits for nothing any more; its next change begins afresh", soft_wrap=True)


@policy_app.command("sample")
def policy_sample(
    load_balancer_roles: Annotated[
        bool,
        typer.Option("--load-balancer-roles", help="Only the load-balancer_* roles are let in, as in older clouds."),
    ] = False,
) -> None:
    """Print a policy file with every rule and its default, to be kept with what shall differ."""
    output.out(rules.sample(load_balancer_roles=load_balancer_roles), end="")


@policy_app.callback()
def policy() -> None:
    """Without this typer would make the one command the whole of `policy`."""
