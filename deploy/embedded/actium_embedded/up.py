"""`up`: has the world run. What runs already is left alone; an `up` that fails takes back what it has started."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from actium_embedded import (
    backends,
    choosing,
    claims,
    keys,
    logs,
    nats_config,
    operator_api,
    preflight,
    service_user,
    supervisor,
)
from actium_embedded import running as processes
from actium_embedded import world as worlds
from actium_embedded.down import bring_down
from actium_embedded.errors import WorldError
from actium_embedded.files import locked, write_atomically
from actium_embedded.processes import NATS_SERVER, Process, check_settings, settings_not_in_force, table
from actium_embedded.terminal import console, is_lost, step
from actium_embedded.world import Auth, Kind, World

READY_WITHIN_S = 90.0
SUPERVISOR_WITHIN_S = 15.0
POLL_S = 0.1
RESTARTS_MOST = 6
"""A process that ends so often while it is waited for (some four seconds) will not do better."""

BUSY = "another `actium` command is at work on this world; wait for it, or end it"
BUSY_WAIT_S = 120.0

Table = Callable[[World], Sequence[Process]]
Ready = Callable[[World], Sequence[str]]
"""Gives what is not ready yet, in words; empty when all is."""


def services_not_ready(world: World) -> Sequence[str]:
    """What the operator API still complains of."""
    wanted = [process.name for process in supervisor.read_table(world) if process.name != NATS_SERVER]
    try:
        known = operator_api.services(world)
    except operator_api.UnreachableError:
        return not_alive(world) or ["the operator API does not answer yet"]
    return [
        f"{name}: {known[name].detail or 'not healthy'}" if name in known else _unheard(world, name)
        for name in wanted
        if name not in known or not known[name].healthy
    ]


def _unheard(world: World, name: str) -> str:
    return f"{name}: not heard of yet" if processes.find(world, name) else f"{name}: does not run"


def not_alive(world: World) -> list[str]:
    return [f"{p.name}: does not run" for p in supervisor.read_table(world) if not processes.find(world, p.name)]


def bring_up(
    folder: Path,
    *,
    name: str | None = None,
    api_port: int | None = None,
    kind: Kind | None = None,
    auth: Auth | None = None,
    make_table: Table = table,
    ready: Ready = services_not_ready,
    ready_within_s: float = READY_WITHIN_S,
) -> World:
    """
    Have the world of this folder run and be ready.

    Raises:
        WorldError: it could not; if it did not run before, nothing of it runs now.
    """
    kind = kind_of(folder, kind)
    if kind != "noop":
        preflight.check_tools()
    with at_work_on(folder):
        world = choose(folder, name=name, api_port=api_port, kind=kind, auth=auth)
        ran_before = is_running(world)
        if ran_before:
            _check_nothing_is_changed(world)
        else:
            with step("checking this host"):
                claims.check(world)
                preflight.check(world)
                check_settings(world)
            _have_service_user(world, asked=auth)
        try:
            _start(world, make_table, ran_before=ran_before)
            _await_ready(world, ready, ready_within_s)
            have_supervisor(world)  # it may have been killed while we waited
            _resume_backends(world)
        except BaseException:
            if not ran_before:
                is_lost()  # what nobody reads must not keep us from it
                console.print("  taking back what was started:")
                bring_down(world)
            raise
    return world


@contextmanager
def at_work_on(folder: Path) -> Iterator[None]:
    """One command at a time changes a world."""
    (folder / "run").mkdir(parents=True, exist_ok=True)
    with locked(folder / "run" / "command.lock", wait_s=BUSY_WAIT_S, busy=BUSY):
        yield


def kind_of(folder: Path, wanted: Kind | None) -> Kind:
    """What kind of world it is, or will be; an existing one stays what it is."""
    if not worlds.exists(folder):
        return wanted or "embedded"
    kind = worlds.load(folder).choices.kind
    if wanted not in (None, kind):
        raise WorldError(
            f"the world in {folder} is of kind {kind!r}, not {wanted!r}; `./actium --world FOLDER up --world {wanted}` "
            "makes another one beside it, and `./actium down --wipe` removes this one"
        )
    return kind


def choose(
    folder: Path, *, name: str | None, api_port: int | None, kind: Kind = "embedded", auth: Auth | None = None
) -> World:
    """The world as it is, or as its first `up` will make it; a running one keeps its name and ports."""
    if not worlds.exists(folder):
        return choosing.choose(folder, name=name, api_port=api_port, kind=kind, auth=auth or "none")
    world = worlds.load(folder)
    ports = msgspec.structs.replace(world.choices.ports, api=api_port or world.choices.ports.api)
    wanted = msgspec.structs.replace(
        world.choices, name=name or world.name, ports=ports, auth=auth or world.choices.auth
    )
    if is_running(world):
        if wanted != world.choices:
            raise WorldError("the world runs with another name, port or way to authenticate; `./actium down` first")
        return world
    if wanted.name != world.name:
        raise WorldError(
            f"the world has data under the name {world.name!r}, which its ids depend on; `down --wipe` first"
        )
    ports = choosing.with_free_inner_ports(ports)
    return World(folder=folder, choices=msgspec.structs.replace(wanted, ports=ports))


def is_running(world: World) -> bool:
    """Whether anything of it runs, watched or not."""
    names = [supervisor.NAME, *(process.name for process in supervisor.read_table(world))]
    return any(processes.find(world, name) for name in names)


def _check_nothing_is_changed(world: World) -> None:
    """Refuse what a world that runs would be deaf to; what this shell does not name stays as it was started with."""
    check_settings(world)
    if changed := settings_not_in_force(world, supervisor.read_table(world)):
        raise WorldError(
            f"the world runs without {', '.join(changed)} as given here; `./actium down` first, or unset what was not meant"
        )


def _have_service_user(world: World, *, asked: Auth | None) -> None:
    """Take the one that the shell names where Keystone is asked for, else see that there is one from before."""
    if world.choices.auth == "none":
        return
    with step("service user") as current:
        if asked is not None:
            service_user.take(world)
        current.says(f"asks {service_user.auth_url(world)} whose tokens are")


def _start(world: World, make_table: Table, *, ran_before: bool) -> None:
    if not ran_before:
        with step("writing its configuration") as current:
            claims.take(world)
            world.make_folders()
            _write(world, make_table)
            current.says(str(world.folder))
    have_supervisor(world)


def is_watched(world: World) -> bool:
    return processes.find(world, supervisor.NAME) is not None


def have_supervisor(world: World) -> None:
    """Have somebody start again what ends; the world runs, or is just being started."""
    if not is_watched(world):
        with step("starting the processes") as current:
            _start_supervisor(world)
            current.says(", ".join(process.name for process in supervisor.read_table(world)))


def _write(world: World, make_table: Table) -> None:
    worlds.save(world)
    keys.make(world)
    nats_config.write(world)
    write_atomically(supervisor.table_file(world), msgspec.json.encode(tuple(make_table(world))))


def _start_supervisor(world: World) -> None:
    with supervisor.log_file(world, supervisor.NAME).open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "actium_embedded.supervisor", str(world.folder)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + SUPERVISOR_WITHIN_S
    while not _all_started(world):
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise WorldError(f"the supervisor did not start; see {supervisor.log_file(world, supervisor.NAME)}")
        time.sleep(POLL_S / 5)
    daemon.returncode = 0  # it is to outlive this command, so nobody here waits for it


def _all_started(world: World) -> bool:
    names = [supervisor.NAME, *(process.name for process in supervisor.read_table(world))]
    return all(processes.record_file(world.run, name).exists() for name in names) and bool(
        processes.find(world, supervisor.NAME)
    )


def _await_ready(world: World, ready: Ready, within_s: float) -> None:
    with step("waiting until all services are healthy") as current:
        deadline = time.monotonic() + within_s
        before = _restarts(world)
        while waiting_for := ready(world):
            current.says("; ".join(waiting_for))
            for name, count in _restarts(world).items():
                if count - before[name] >= RESTARTS_MOST:
                    raise WorldError(_hopeless_sentence(world, name))
            if time.monotonic() > deadline:
                raise WorldError(_not_ready_sentence(world, waiting_for, within_s))
            time.sleep(POLL_S)
        current.says("")


def _restarts(world: World) -> dict[str, int]:
    names = [process.name for process in supervisor.read_table(world)]
    records = {name: processes.read_record(world.run, name) for name in names}
    return {name: record.restarts if record else 0 for name, record in records.items()}


def _hopeless_sentence(world: World, name: str) -> str:
    log = supervisor.log_file(world, name)
    words = "".join(logs.last_lines(log, 1)[0]) or "none"
    return f"{name} ends again and again; its last words: {words} (log: {log})"


def _not_ready_sentence(world: World, waiting_for: Sequence[str], within_s: float) -> str:
    return f"not ready after {within_s:.0f} s: {'; '.join(waiting_for)} (logs: {world.logs})"


def _resume_backends(world: World) -> None:
    """Those that were there when the world went down."""
    stopped = [backend for backend in backends.wished(world) if not backends.find(world, backend)]
    if stopped:
        with step("starting back ends again") as current:
            for backend in stopped:
                current.says(backend.name)
                backends.ensure(world, backend)
            current.says(", ".join(backend.name for backend in stopped))
