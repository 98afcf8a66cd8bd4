"""The commands that have to do with the world, and the way to those of the operator command line."""

import json
import os
import signal
import statistics
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from actium_embedded import (
    backends,
    checks,
    demo,
    down,
    drill,
    environment,
    foreground,
    logs,
    preflight,
    service_user,
    status,
    traffic,
    up,
)
from actium_embedded import world as worlds
from actium_embedded.environment import operator_variables
from actium_embedded.errors import WorldError
from actium_embedded.processes import BIN
from actium_embedded.terminal import console, stop_with
from actium_embedded.world import DEFAULT_FOLDER, World

PLAIN_DEMO_REQUESTS = 100
OPERATOR_COMMANDS = {
    "events": "The log: `events tail` follows it, `events show LB` tells one load balancer's whole story.",
    "secret": "Certificates and their keys for listeners and pools: `secret put`, `secret list`, `secret delete`.",
    "amphorae": "Every amphora: its part, where it runs, what it carries and runs, when it was heard last.",
    "spares": "The pools of spares: how many shall wait, and how many do.",
    "rollout": "Amphorae of an image, certificate or age replaced in waves: `rollout start|list|show|pause|resume|abort`.",
    "losses": "Amphorae that are lost, and failovers that a limit holds back: `losses list`, `losses release --reason TEXT`.",
    "authority": "The authority that amphorae trust: `authority show`, `authority replace --reason TEXT`.",
    "settle": "`settle LB --reason TEXT`: have a load balancer wait no longer; what is in flight is called failed.",
    "services": "Each service as the operator API sees it.",
    "policy": "The rules by which callers may do things: `policy sample` prints them, to be overridden.",
    "dead-letters": "What services could not digest, with the reason; retry, skip.",
}
"""Those of the operator command line, which gets them as they are; here they are only listed."""

WORLDLESS_COMMANDS = ("policy",)

app = typer.Typer(
    help="Actium: load balancing on one machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
backend_app = typer.Typer(help="Small web back ends to try things out.", no_args_is_help=True)
app.add_typer(backend_app, name="backend")

folder = DEFAULT_FOLDER
"""Set once by the option before any command, and read by the commands below."""


KIND_HELP = (
    "embedded: real traffic, needs root. noop: accepts everything and does nothing, for load tests and conformance."
)
FOREGROUND_HELP = "Stay, show what the services say, and take the world down at Ctrl-C or SIGTERM."


AUTH_HELP = (
    "none: everyone on loopback is an administrator. keystone: tokens count; OS_* or clouds.yaml say who asks Keystone."
)


class Auth(StrEnum):
    """The choices of `up --auth`."""

    none = "none"
    keystone = "keystone"


class Kind(StrEnum):
    """The choices of `up --world`."""

    embedded = "embedded"
    noop = "noop"


@app.callback()
def options(
    world: Annotated[
        Path | None, typer.Option(envvar="ACTIUM_WORLD", help="Folder of the world; default: .world in the checkout.")
    ] = None,
) -> None:
    global folder  # noqa: PLW0603 - typer hands options over by calling, not by returning
    folder = world.resolve() if world else DEFAULT_FOLDER


@app.command("up")
def up_command(
    name: Annotated[str | None, typer.Option(help="Prefix of namespaces and links; first `up` only.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the API on 127.0.0.1.", min=1, max=65535)] = None,
    kind: Annotated[Kind | None, typer.Option("--world", help=KIND_HELP)] = None,
    auth: Annotated[Auth | None, typer.Option(help=AUTH_HELP)] = None,
    in_foreground: Annotated[bool, typer.Option("--foreground", help=FOREGROUND_HELP)] = False,
) -> None:
    """Start the world, or see that it runs; return when it is ready."""
    world = up.bring_up(
        folder, name=name, api_port=port, kind=kind.value if kind else None, auth=auth.value if auth else None
    )
    if in_foreground:
        foreground.stay(world, tell=tell_where)
    else:
        tell_where(world)


@app.command("down")
def down_command(wipe: Annotated[bool, typer.Option("--wipe", help="Remove all data too.")] = False) -> None:
    """End the world; its data stays."""
    if not worlds.exists(folder):
        preflight.check_root()
        console.print(f"there is no world in {folder}, so nothing to end")
        return
    world = worlds.load(folder)
    if world.is_on_host:
        preflight.check_root()
    with up.at_work_on(folder):
        down.bring_down(world)
        if wipe:
            down.wipe(world)


@app.command("status")
def status_command(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Each process, its health, and how far it is behind the log. Exit code 1 where not all is well."""
    rows = status.rows(worlds.load(folder))
    if as_json:
        console.print_json(json.dumps([status.plain(row) for row in rows]))
    else:
        console.print(status.render(rows))
    raise typer.Exit(0 if all(row.is_well for row in rows) else 1)


@app.command("logs")
def logs_command(
    service: Annotated[str | None, typer.Argument(help="Whose; all where none is named.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = 40,
) -> None:
    """What the services said last."""
    logs.show(worlds.load(folder), service, lines=lines, follow=follow)


@app.command("env")
def env_command() -> None:
    """Shell lines that make `openstack` talk to this world: eval "$(./actium env)"."""
    typer.echo("\n".join(environment.shell_lines(worlds.load(folder))))


@app.command("networks")
def networks_command() -> None:
    """The networks and their ranges. A subnet has its network's name, one of IPv6 with -v6 behind it."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("name", "role", "range", "gateway", "routed", "given out"):
        table.add_column(column, overflow="fold")  # half an address is of no use
    for network in worlds.load(folder).networks:
        routed = "yes" if network.routed else "no"
        table.add_row(network.name, network.role, network.cidr, network.gateway or "-", routed, "-".join(network.pool))
        if ipv6 := network.ipv6:
            pool = "-".join(ipv6.pool)
            table.add_row(f"{network.name}-v6", network.role, ipv6.cidr, ipv6.gateway or "-", routed, pool)
    console.print(table)


@backend_app.command("start")
def backend_start(
    name: str,
    network: Annotated[str, typer.Option(help="See `./actium networks`.")],
    port: Annotated[int, typer.Option(help="What it listens on.")] = 80,
    address: Annotated[str | None, typer.Option(help="Default: the first free one outside of the pool.")] = None,
) -> None:
    """Start a web server that answers with its own name."""
    preflight.check_root()
    backend = backends.start(world_with_traffic(), name, network=network, port=port, address=address)
    console.print(f"{backend.name} answers at {backend.address}:{backend.port} on {backend.network}")


@backend_app.command("stop")
def backend_stop(name: str) -> None:
    """End a back end and forget it."""
    preflight.check_root()
    backends.forget(worlds.load(folder), name)


@backend_app.command("list")
def backend_list() -> None:
    """All back ends of this world."""
    world = worlds.load(folder)
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("name", "network", "address", "port", "pid"):
        table.add_column(column, overflow="fold")
    for backend in backends.wished(world):
        running = backends.find(world, backend)
        pid = str(running.pid) if running else "does not run"
        table.add_row(backend.name, backend.network, backend.address, str(backend.port), pid)
    console.print(table)


@app.command("demo")
def demo_command(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running at the end, without asking.")] = False,
    down_at_end: Annotated[bool, typer.Option("--down", help="Tear it down at the end, without asking.")] = False,
    requests: Annotated[int | None, typer.Option(help="Send so many; default: until Ctrl-C.", min=1)] = None,
) -> None:
    """Start everything, put a load balancer before two web servers, and show where requests go."""
    if worlds.exists(folder):
        world_with_traffic()
    world = up.bring_up(folder)
    tally = None
    try:
        tally = _demonstrate(world, requests)
    except KeyboardInterrupt:
        console.print()
    except WorldError:
        if down_at_end:
            down_command()
        raise
    if demo.wants_down(keep=keep, down=down_at_end, ask=input if sys.stdin.isatty() and console.is_terminal else None):
        down_command()
    else:
        tell_where(world)
    raise typer.Exit(0 if tally and tally.reached_all() and not tally.failed else 1)


def _demonstrate(world: World, requests: int | None) -> traffic.Tally:
    address, servers = demo.prepare(world)
    names = [server.name for server in servers]
    target = traffic.Target(address=address, source=world.network_with_role("vip").host_address)
    traffic.await_all(target, names)
    limit = requests if requests or console.is_terminal else PLAIN_DEMO_REQUESTS
    tally = traffic.show(target, names, requests=limit)
    console.print(traffic.summary(tally))
    return tally


@app.command("drill")
def drill_command(
    load_balancer: Annotated[str, typer.Argument(help="Its id or its name.")],
    kill: Annotated[bool, typer.Option("--kill", help="Remove the amphora that serves at once.")] = False,
    times: Annotated[int, typer.Option("--times", "-n", help="So often.", min=1)] = 1,
    port: Annotated[int | None, typer.Option(help="What is asked; default: its first HTTP listener.")] = None,
    within_s: Annotated[float, typer.Option("--within", help="Seconds until all is in place again.", min=1)] = 120.0,
) -> None:
    """Fail a load balancer over for practice, measure what its clients notice, and put that on the log."""
    world = world_with_traffic()
    target = drill.target(world, load_balancer, port=port)
    gaps = []
    for _ in range(times):
        measured = drill.run(world, target, kind=drill.KILL if kill else drill.PLANNED, within_s=within_s)
        gaps.append(measured.gap_ms)
        console.print(
            f"    longest time without an answer {measured.gap_ms:.0f} ms; {measured.failed} of {measured.probes} "
            f"requests failed; whole again after {measured.whole_s:.1f} s"
        )
    if times > 1:
        console.print(f"{times} drills: median {statistics.median(gaps):.0f} ms, worst {max(gaps):.0f} ms")


@app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def checks_command(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="Drills, soaks and benches in full.")] = False,
) -> None:
    """Everything that CI runs; further words go to pytest."""
    raise typer.Exit(0 if checks.run_all(context.args, long=long) else 1)


def _listed() -> None:
    """Never called: `main` hands these words over before."""


for _name, _help in OPERATOR_COMMANDS.items():
    app.command(_name, help=_help)(_listed)


def world_with_traffic() -> World:
    world = worlds.load(folder)
    if not world.is_on_host:
        raise WorldError(
            f"the world in {folder} is a noop one: no traffic flows in it, so nothing can be tried out there"
        )
    return world


def tell_where(world: World) -> None:
    public = world.network_with_role("vip")
    with_keystone = world.choices.auth == "keystone"
    identity = service_user.auth_url(world) if with_keystone else f"{world.api_url}/identity/v3"
    reach = f"{public.cidr}, reachable from this host over {world.host_link}"
    for what, where in (
        ("load balancer API", f"{world.api_url}/load-balancer/v2"),
        ("identity, for clients", identity),
        ("operator API", f"{world.api_url}/operator/v1"),
        ("virtual IPs", reach if world.is_on_host else "any on any subnet; nothing answers there"),
        ("data and logs", str(world.folder)),
    ):
        console.print(f"  [dim]{what:<22}[/dim] {where}", soft_wrap=True)
    if with_keystone:
        for kind, path in (("load-balancer", "/load-balancer"), ("network", "/network")):
            console.print(
                f"  [dim]in its catalogue[/dim]       "
                f"openstack endpoint create --region REGION {kind} public {world.api_url}{path}",
                soft_wrap=True,
            )
    option = "" if world.folder == DEFAULT_FOLDER else f"--world {world.folder} "
    console.print(
        f'  [dim]next[/dim]                   eval "$(./actium {option}env)"; openstack loadbalancer list',
        soft_wrap=True,
    )


def hand_over(words: list[str]) -> None:
    """Become the operator command line, which is told where this world's operator API is."""
    given, rest = split_world(words)
    variables = {name: value for name, value in os.environ.items() if name != "ACTIUM_WORLD"}
    if rest[0] not in WORLDLESS_COMMANDS:
        variables |= operator_variables(worlds.load(Path(given).resolve() if given else DEFAULT_FOLDER))
    python = str(BIN / "python")
    os.execve(python, [python, "-m", "actium_api.cli", *rest], variables)  # noqa: S606 - a shell would only get in the way


def split_world(words: list[str]) -> tuple[str | None, list[str]]:
    """Take `--world FOLDER` (or the environment's) from before the command."""
    given = os.environ.get("ACTIUM_WORLD")
    rest = list(words)
    while rest and rest[0].startswith("--world"):
        option, equals, value = rest.pop(0).partition("=")
        if option != "--world" or not (equals or rest):
            break
        given = value if equals else rest.pop(0)
    return given, rest


def _end_orderly(number: int, _frame: object) -> None:
    """Let a command that is told to end take back what it has half done, as it does on Ctrl-C."""
    sys.exit(128 + number)


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_orderly)
    words = sys.argv[1:]
    _, rest = split_world(words)
    try:
        if rest and rest[0] in OPERATOR_COMMANDS:
            hand_over(words)
        app(prog_name="./actium")
    except WorldError as exc:
        stop_with(str(exc))
    except KeyboardInterrupt:
        sys.exit(130)
