"""
The processes of one amphora: started in its namespaces with mounts, host name and process ids of its own.

They are nobody's children here and outlive compute, so they are always looked up, never remembered.
"""

import fcntl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from actium_shared import embedded
from actium_shared.embedded import namespaces
from actium_shared.embedded.deadline import Deadline
from actium_shared.errors import RetryableError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOOK_AGAIN_S = 0.004
_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What it takes to start an amphora."""

    amphora_id: str
    image: Path
    secrets: Path
    python: Path
    console: Path


def is_running(pids: list[int]) -> bool:
    """Tell whether one of the processes is an amphora's first one, past the programs that prepare it."""
    return any(_is_init(pid) for pid in pids)


def start(launch: Launch, deadline: Deadline) -> None:
    """
    Start the amphora unless it runs, and see its init run.

    Raises:
        RetryableError: it ended at once (the message holds its last words), or the deadline passed.
    """
    name = embedded.amphora_namespace(launch.amphora_id)
    with open(launch.console, "ab") as console:  # noqa: PTH123 - reads better so
        if _lock_for_life(console):
            _launch(name, launch, console, deadline)
    _see_it_run(name, launch, deadline)


def _lock_for_life(console: BinaryIO) -> bool:
    """Lock the console. All of the amphora inherit it, and so the lock: it is held as long as one of them lives."""
    try:
        fcntl.flock(console, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # it runs, or a killed predecessor of ours is starting it
    return True


def _launch(name: str, launch: Launch, console: BinaryIO, deadline: Deadline) -> None:
    command = [
        *("setsid", "--fork"),  # ends at once, and its child is re-parented
        *("ip", "netns", "exec", name),  # for the /sys that belongs to the namespace
        *("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("env", "-i", f"PATH={_PATH}", *(f"{key}={value}" for key, value in _environment(launch).items())),
        *("sh", str(launch.image / "init")),
    ]
    # Entered here already: from its birth on the process is found in the namespace, whatever becomes of us.
    with namespaces.entered(name):
        timeout_s = deadline.left_s()
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd="/", check=True, timeout=timeout_s
        )


def _environment(launch: Launch) -> dict[str, str]:
    return {
        "AMPHORA_ID": launch.amphora_id,
        "AMPHORA_CONFIG": str(launch.secrets),
        "AMPHORA_TRAFFIC_NAMESPACE": str(namespaces.FOLDER / embedded.traffic_namespace(launch.amphora_id)),
        "AMPHORA_PYTHON": str(launch.python),
        "AMPHORA_IMAGE": str(launch.image),
    }


def _see_it_run(name: str, launch: Launch, deadline: Deadline) -> None:
    while not is_running(found := namespaces.processes([name]).get(name, [])):
        if not found:
            last = launch.console.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
            raise RetryableError(f"amphora {launch.amphora_id} ended as soon as it was started: {' | '.join(last)}")
        time.sleep(min(_LOOK_AGAIN_S, deadline.left_s()))


def _is_init(pid: int) -> bool:
    words = _command_line(pid)
    return words[:1] == ["sh"] and words[-1].endswith("/init") and _is_first(pid)


def _is_first(pid: int) -> bool:
    for line in _read(pid, "status").splitlines():
        if line.startswith("NSpid:"):
            return line.split()[2:] == ["1"]
    return False


def _command_line(pid: int) -> list[str]:
    return _read(pid, "cmdline").rstrip("\0").split("\0")


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""  # ended meanwhile
