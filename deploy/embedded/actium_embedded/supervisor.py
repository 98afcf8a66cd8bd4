"""
The world's small daemon: keeps the processes of the table alive, and their logs short.

It ends nothing: `down` does. So it may be killed at any moment; the next one adopts what runs and starts what does not.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from actium_embedded import running as processes
from actium_embedded import world as worlds
from actium_embedded.files import try_lock
from actium_embedded.processes import Process
from actium_embedded.running import Running
from actium_embedded.world import World

NAME = "supervisor"
FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0
LONG_LIFE_S = 10.0
"""A process that lived so long did not fail for what ended the one before it: its delay starts anew."""

LOG_LIMIT_BYTES = 16 * 1024 * 1024
LOG_CHECK_EVERY_S = 5.0


def table_file(world: World) -> Path:
    return world.run / "processes.table"


def log_file(world: World, name: str) -> Path:
    return world.logs / f"{name}.log"


def read_table(world: World) -> tuple[Process, ...]:
    """The table that the world was started with; empty where it never was."""
    try:
        return msgspec.json.decode(table_file(world).read_bytes(), type=tuple[Process, ...])
    except FileNotFoundError:
        return ()


async def supervise(world: World) -> None:
    """Keep all processes until SIGTERM, which ends the watching and nothing else."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    me = processes.describe(os.getpid())
    assert me is not None
    processes.write_record(world.run, NAME, me)
    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(keep(world, process)) for process in read_table(world)]
        watches.append(tasks.create_task(keep_logs_short(world)))
        say(f"watching {len(watches) - 1} processes")
        await stop.wait()
        for watch in watches:
            watch.cancel()
    say("told to stop watching")


async def keep(world: World, process: Process) -> None:
    """Have the process run, for ever."""
    delay_s = FIRST_DELAY_S
    running = adopt(world, process)
    while True:
        running = running or start(world, process)
        lived_s = await live(process, running) if running else 0.0
        delay_s = FIRST_DELAY_S if lived_s > LONG_LIFE_S else min(delay_s * 2, LONGEST_DELAY_S)
        await asyncio.sleep(delay_s)
        running = None


async def live(process: Process, running: Running) -> float:
    """Wait for the process's end; how long it lived."""
    await ended(running.pid)
    lived_s = time.time() - running.since
    say(f"{process.name} (pid {running.pid}) ended {reap(running.pid)} after {lived_s:.1f} s")
    return lived_s


def adopt(world: World, process: Process) -> Running | None:
    found = processes.find(world, process.name)
    if found is not None:
        processes.write_record(world.run, process.name, found)
        say(f"adopted {process.name} (pid {found.pid})")
    return found


def start(world: World, process: Process) -> Running | None:
    """Start it and record it; None, and the reason in the log, where it cannot be started."""
    last = processes.read_record(world.run, process.name)
    try:
        child = spawn(world, process)
    except OSError as exc:
        say(f"{process.name} could not be started: {exc}")
        return None
    running = processes.describe(child.pid, restarts=last.restarts + 1 if last else 0)
    if running is None:  # it has ended already; the zombie keeps its pid, so waiting for it returns at once
        running = Running(pid=child.pid, start_ticks=0, boot_id=processes.boot_id(), since=time.time())
    processes.write_record(world.run, process.name, running)
    say(f"started {process.name} (pid {child.pid})")
    child.returncode = 0  # reaped by `reap`, which adopted processes need as well
    return running


def spawn(world: World, process: Process) -> "subprocess.Popen[bytes]":
    """In a session of its own, writing to a file and not to a pipe of ours: it outlives this supervisor."""
    with log_file(world, process.name).open("ab") as log, scheduling(process):
        return subprocess.Popen(
            process.command,
            env=process.environment | processes.marked(world, process.name, process.command),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@contextmanager
def scheduling(process: Process) -> Iterator[None]:
    """
    Have what is started meanwhile scheduled as the process is to be: a child has it from its parent.

    Where the system does not let us, it is as all others are: it would only have been cheaper.
    """
    if not process.patient:
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    _schedule(process.name, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        _schedule(NAME, policy, parameters)


def _schedule(name: str, policy: int, parameters: os.sched_param) -> None:
    try:
        os.sched_setscheduler(0, policy, parameters)
    except OSError as exc:  # must not reach who started a child, and would start it again
        say(f"{name} is not scheduled as it should be: {exc}")


async def ended(pid: int) -> None:
    """Wait until the process has ended; it need not be a child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def reap(pid: int) -> str:
    """Collect a child; how it ended, in words. Nobody tells that of an adopted process."""
    with suppress(ChildProcessError):
        code = os.waitstatus_to_exitcode(os.waitpid(pid, os.WNOHANG)[1])
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
    return "(it was adopted, so its exit code is not known)"


async def keep_logs_short(world: World) -> None:
    """Copy and empty, as writers keep their descriptor: lines written in between are lost, and only then."""
    while True:
        for log in world.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)
        await asyncio.sleep(LOG_CHECK_EVERY_S)


def say(sentence: str) -> None:
    print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {sentence}", flush=True)


def main() -> None:
    world = worlds.load(Path(sys.argv[1]))
    with (world.run / "supervisor.lock").open("a") as lock:
        if not try_lock(lock.fileno()):
            say("another supervisor watches this world")
            return
        asyncio.run(supervise(world))


if __name__ == "__main__":
    main()
