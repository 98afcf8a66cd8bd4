"""A world of stand-ins comes up, survives what is killed, and leaves the machine as it was."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from actium_embedded import down, running, supervisor, up
from actium_embedded import world as worlds
from actium_embedded.errors import WorldError
from actium_embedded.running import Running
from actium_embedded.world import CHECKOUT, World
from system.embedded.helpers import await_true, bring_up, living, snapshot

pytestmark = pytest.mark.root


def running_now(world: World) -> dict[str, Running | None]:
    names = [supervisor.NAME, *(process.name for process in supervisor.read_table(world))]
    return {name: running.find(world, name) for name in names}


def pid_of(world: World, name: str) -> int:
    found = running.find(world, name)
    assert found is not None
    return found.pid


def kill_supervisor(world: World) -> None:
    os.kill(pid_of(world, supervisor.NAME), signal.SIGKILL)
    await_true(lambda: running.find(world, supervisor.NAME) is None)


def test_up_and_down_leave_the_machine_as_it_was(folder: Path) -> None:
    before = snapshot()
    world = bring_up(folder)
    assert world.fabric_namespace in snapshot()["namespaces"]
    assert world.host_link in snapshot()["links"]
    down.bring_down(world)
    assert snapshot() == before


def test_down_removes_amphorae_of_this_world_with_their_processes(folder: Path) -> None:
    before = snapshot()
    world = bring_up(folder)
    for name in ("amphora-1111", "amphora-1111-traffic"):
        subprocess.run(["ip", "netns", "add", name], check=True)
    (world.amphorae / "1111").mkdir()
    subprocess.Popen(["ip", "netns", "exec", "amphora-1111", "sleep", "1000"], start_new_session=True)
    await_true(lambda: "sleep 1000" in living())
    down.bring_down(world)
    assert snapshot() == before


def test_second_up_changes_nothing_and_says_what_it_would_not_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = bring_up(folder)
    before, picture = running_now(world), snapshot()
    bring_up(folder)
    for setting in ("ACTIUM_QUOTA_POOL", "ACTIUM_OF_NO_SERVICE"):
        with monkeypatch.context() as shell:
            shell.setenv(setting, "5")
            with pytest.raises(WorldError, match=setting):
                bring_up(folder)
    assert running_now(world) == before
    assert snapshot() == picture


def test_second_down_is_well(folder: Path) -> None:
    world = bring_up(folder)
    down.bring_down(world)
    down.bring_down(world)


def test_data_survives_down_and_goes_with_wipe(folder: Path) -> None:
    world = bring_up(folder)
    secret = (world.secrets / "heartbeat-master.key").read_bytes()
    down.bring_down(world)
    again = bring_up(folder)
    assert (again.secrets / "heartbeat-master.key").read_bytes() == secret
    assert again == world
    down.bring_down(world)
    down.wipe(world)
    assert not folder.exists()


def test_process_that_is_killed_is_started_again_and_counted(folder: Path) -> None:
    world = bring_up(folder)
    first = pid_of(world, "compute")
    os.kill(first, signal.SIGKILL)
    await_true(lambda: (found := running.find(world, "compute")) and found.pid != first and found.restarts == 1)


def test_supervisor_that_is_killed_is_replaced_by_one_that_adopts_all(folder: Path) -> None:
    world = bring_up(folder)
    before = running_now(world)
    kill_supervisor(world)
    bring_up(folder)
    after = running_now(world)
    assert after.pop(supervisor.NAME) != before.pop(supervisor.NAME)
    assert after == before


def test_adopted_process_is_watched_too(folder: Path) -> None:
    world = bring_up(folder)
    kill_supervisor(world)
    bring_up(folder)
    first = pid_of(world, "network")
    os.kill(first, signal.SIGKILL)
    await_true(lambda: (found := running.find(world, "network")) and found.pid != first)


def test_process_whose_record_was_never_written_is_adopted_by_its_mark(folder: Path) -> None:
    world = bring_up(folder)
    compute = pid_of(world, "compute")
    kill_supervisor(world)
    running.record_file(world.run, "compute").unlink()
    bring_up(folder)
    assert pid_of(world, "compute") == compute


def test_down_ends_all_though_the_supervisor_was_killed(folder: Path) -> None:
    before = snapshot()
    world = bring_up(folder)
    kill_supervisor(world)
    down.bring_down(world)
    assert snapshot() == before


def test_up_that_does_not_become_ready_takes_everything_back(folder: Path) -> None:
    before = snapshot()
    with pytest.raises(WorldError, match="compute: "):
        bring_up(folder, compute="failing", ready_within_s=1.0)
    assert snapshot() == before


def test_up_does_not_wait_for_a_service_that_ends_again_and_again(folder: Path) -> None:
    before = snapshot()
    with pytest.raises(WorldError, match="compute ends again and again; its last words: this one never works"):
        bring_up(folder, compute="failing", ready_within_s=100.0)
    assert snapshot() == before


def test_taken_port_is_refused_by_its_holders_name_and_nothing_is_made(folder: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        before = snapshot()
        done = command(folder, "up", "--port", str(port))
        assert done.returncode == 1
        assert f"port {port} on 127.0.0.1, wanted for the API, is taken by pid {os.getpid()}" in done.stderr
        assert snapshot() == before
        assert not worlds.exists(folder)


def test_inner_port_that_was_taken_while_the_world_was_down_is_replaced(folder: Path) -> None:
    world = bring_up(folder)
    down.bring_down(world)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", world.choices.ports.nats))
        holder.listen()
        again = bring_up(folder)
    assert again.choices.ports.nats != world.choices.ports.nats
    assert again.choices.ports.api == world.choices.ports.api


def test_range_that_the_host_routes_is_refused(folder: Path) -> None:
    world = bring_up(folder)
    down.bring_down(world)
    taken = world.network_with_role("vip").cidr
    subprocess.run(["ip", "route", "add", taken, "dev", "lo"], check=True)
    before = snapshot()
    with pytest.raises(WorldError, match=f"range {taken}, wanted for network public, is in use"):
        bring_up(folder)
    assert snapshot() == before


def test_without_root_there_is_one_sentence(folder: Path) -> None:
    done = command(folder, "up", prefix=("unshare", "--user"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "needs root" in done.stderr


def test_where_namespaces_are_not_allowed_there_is_one_sentence(folder: Path) -> None:
    done = command(folder, "up", prefix=("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"))
    assert done.returncode == 1
    assert "does not allow network namespaces" in done.stderr


def test_missing_program_is_named_with_its_package(folder: Path) -> None:
    done = command(folder, "up", path="/bin-that-is-not")
    assert done.returncode == 1
    assert "haproxy" in done.stderr
    assert "install the packages" in done.stderr


def test_up_that_is_killed_can_be_taken_down(folder: Path) -> None:
    before = snapshot()
    starting = subprocess.Popen([sys.executable, "-c", KILLED_UP, str(folder)], cwd=CHECKOUT / "tests")
    await_true((folder / "run" / "compute.json").exists)
    starting.kill()
    starting.wait()
    down.bring_down(worlds.load(folder))
    assert snapshot() == before


KILLED_UP = """
import sys
from pathlib import Path
from system.embedded.helpers import bring_up
bring_up(Path(sys.argv[1]), compute="failing", ready_within_s=60.0)
"""


def test_two_worlds_stand_side_by_side(tmp_path: Path) -> None:
    before = snapshot()
    first, second = bring_up(tmp_path / "one"), bring_up(tmp_path / "two")
    assert first.choices.ports != second.choices.ports
    assert first.network_with_role("vip").cidr != second.network_with_role("vip").cidr
    down.bring_down(first)
    assert not up.not_alive(second)
    down.bring_down(second)
    assert snapshot() == before


def test_another_world_of_the_same_name_is_refused(tmp_path: Path) -> None:
    up_one = bring_up(tmp_path / "one")
    with pytest.raises(WorldError, match=f"holds the name '{up_one.name}'"):
        up.bring_up(tmp_path / "two", name=up_one.name)


def command(
    folder: Path, *words: str, prefix: tuple[str, ...] = (), path: str | None = None
) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | ({"PATH": path} if path else {})
    python = [*prefix, sys.executable, "-m", "actium_embedded", "--world", str(folder), *words]
    return subprocess.run(
        python, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
