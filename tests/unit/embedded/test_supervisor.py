"""Which process is ours, how it ends, and how logs stay short; with real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from actium_embedded import choosing, logs, processes, running, supervisor
from actium_embedded.processes import Process
from actium_embedded.running import Running
from actium_embedded.world import Choices, Ports, World

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@pytest.fixture
def world(tmp_path: Path) -> World:
    ports = Ports(api=1, nats=2, nats_monitoring=3)
    networks = choosing.networks(choosing.PUBLIC_RANGE)
    made = World(folder=tmp_path, choices=Choices(name="test", ports=ports, hosts=(), networks=networks))
    made.make_folders()
    return made


@dataclass
class Child:
    process: "subprocess.Popen[bytes]"

    @property
    def running(self) -> Running:
        found = running.describe(self.process.pid)
        assert found is not None
        return found


def child(*command: str) -> Child:
    return Child(subprocess.Popen(command, stdout=subprocess.PIPE))


def test_pid_used_again_by_another_process_is_not_taken_for_ours() -> None:
    sleeper = child("sleep", "60")
    ours = sleeper.running
    assert ours.is_alive()
    assert not msgspec.structs.replace(ours, start_ticks=ours.start_ticks - 1).is_alive()
    assert not msgspec.structs.replace(ours, boot_id="another boot").is_alive()
    sleeper.process.kill()
    sleeper.process.wait()


def test_process_that_has_ended_but_was_not_waited_for_does_not_live() -> None:
    sleeper = child("sleep", "60")
    ours = sleeper.running
    sleeper.process.kill()
    os.waitid(os.P_PID, sleeper.process.pid, os.WEXITED | os.WNOWAIT)
    assert not ours.is_alive()
    sleeper.process.wait()


def test_process_that_ends_when_asked_is_not_killed() -> None:
    sleeper = child("sleep", "60")
    assert running.end(sleeper.running, patience_s=5.0)
    assert sleeper.process.wait() == -signal.SIGTERM


def test_process_that_does_not_end_when_asked_is_killed() -> None:
    stubborn = child(sys.executable, "-c", STUBBORN)
    assert stubborn.process.stdout is not None
    stubborn.process.stdout.readline()
    assert not running.end(stubborn.running, patience_s=0.1)
    assert stubborn.process.wait() == -signal.SIGKILL


def test_command_that_is_not_there_is_said_and_does_not_end_the_supervisor(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert supervisor.start(world, Process(name="ghost", command=("/no/such",), environment={})) is None
    assert "ghost could not be started" in capsys.readouterr().out


def test_what_a_process_started_is_not_taken_for_the_process(world: World) -> None:
    """As an amphora, which outlives compute, has compute's environment and a session of its own."""
    command = ("sh", "-c", "setsid sleep 60 & echo $!; wait")
    maker = supervisor.start(world, Process(name="maker", command=command, environment={"PATH": os.environ["PATH"]}))
    assert maker is not None
    heir = int(await_text(supervisor.log_file(world, "maker")))
    running.record_file(world.run, "maker").unlink()
    found = running.find(world, "maker")
    assert found is not None
    assert found.pid == maker.pid
    os.kill(maker.pid, signal.SIGKILL)
    os.waitpid(maker.pid, 0)
    try:
        assert running.find(world, "maker") is None
    finally:
        os.kill(heir, signal.SIGKILL)


def await_text(log: Path) -> str:
    deadline = time.monotonic() + 10.0
    while not (text := log.read_text()).endswith("\n"):
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.01)
    return text


def test_output_of_a_process_goes_to_its_log_and_its_end_is_told_in_words(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    process = Process(name="talker", command=("sh", "-c", "echo out; echo err >&2; exit 3"), environment={})
    started = supervisor.start(world, process)
    assert started is not None
    asyncio.run(supervisor.live(process, started))
    assert supervisor.log_file(world, "talker").read_text() == "out\nerr\n"
    assert "ended with code 3" in capsys.readouterr().out


@pytest.mark.parametrize(("patient", "policy"), [(True, os.SCHED_BATCH), (False, os.SCHED_OTHER)])
def test_process_is_as_patient_as_the_table_says_and_its_starter_is_not(
    world: World, *, patient: bool, policy: int
) -> None:
    process = Process(name="waits", command=("sleep", "60"), environment={"PATH": os.environ["PATH"]}, patient=patient)
    started = supervisor.start(world, process)
    assert started is not None
    try:
        assert os.sched_getscheduler(started.pid) == policy
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
    finally:
        os.kill(started.pid, signal.SIGKILL)
        os.waitpid(started.pid, 0)


def test_process_starts_where_it_may_not_be_patient(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_words: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    process = Process(name="waits", command=("true",), environment={"PATH": os.environ["PATH"]}, patient=True)
    started = supervisor.start(world, process)
    assert started is not None
    os.waitpid(started.pid, 0)
    told = capsys.readouterr().out
    assert "waits is not scheduled as it should be: not here" in told
    assert "started waits" in told


def test_starter_goes_on_as_it_was_scheduled_before(world: World) -> None:
    """In a process of its own: a real-time one has a priority, without which its policy is refused."""
    process = Process(name="waits", command=("true",), environment={"PATH": os.environ["PATH"]}, patient=True)
    if (child := os.fork()) == 0:
        outcome = 1
        try:
            with suppress(PermissionError):
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            before = (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
            supervisor.spawn(world, process).wait()
            outcome = int((os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) != before)
        finally:
            os._exit(outcome)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_nobody_is_patient_whose_children_are_amphorae_or_who_passes_on_beats(world: World) -> None:
    patient = {process.name for process in processes.table(world) if process.patient}
    assert patient == {"nats-server", "network", "planner", "health", "api"}


async def test_long_log_is_copied_and_emptied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_LIMIT_BYTES", 10)
    log = supervisor.log_file(world, "talker")
    log.write_text("much more than ten bytes\n")
    with suppress(TimeoutError):
        await asyncio.wait_for(supervisor.keep_logs_short(world), timeout=0.05)
    assert log.read_text() == ""
    assert log.with_suffix(".log.1").read_text() == "much more than ten bytes\n"


def test_followed_log_is_read_on_from_where_it_ended_and_from_the_start_once_emptied(tmp_path: Path) -> None:
    log = tmp_path / "talker.log"
    log.write_text("one\ntwo\nthree\n")
    lines, position = logs.last_lines(log, 2)
    assert lines == ["two", "three"]
    log.write_text("one\ntwo\nthree\nfour\nhalf")
    lines, position = logs.read_from(log, position)
    assert lines == ["four"]
    log.write_text("new\n")
    assert logs.read_from(log, position)[0] == ["new"]
