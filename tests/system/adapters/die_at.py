"""
A process that is killed at chosen moments, for the tests beside it: reads `{"step", "moment", ...}` lines, forks for
each, and in the child kills itself with -9 at the given one of the moments at which it touches the system.

Moments are seen by an audit hook: every process started, file opened, folder made, renamed or removed.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from contract.ports.embedded_world import TIMEOUT_S, World, machine_port, machine_wish, port_wish

TOUCHES = {"open", "subprocess.Popen", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}
DONE, KILLED = "done", "killed"


def step(world: World, wish: dict[str, Any]) -> Coroutine[Any, Any, Any]:
    amphora_id, port_id = str(wish.get("amphora_id")), str(wish.get("port_id"))
    steps: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "ensure": lambda: world.fabric().ensure(),
        "create_port": lambda: world.fabric().create_port(
            port_wish(world.network_id("lb-mgmt"), port_id), timeout_s=TIMEOUT_S
        ),
        "boot": lambda: world.machines().boot(machine_wish(amphora_id, machine_port(port_id)), timeout_s=TIMEOUT_S),
        "attach": lambda: world.machines().attach(amphora_id, machine_port(port_id), timeout_s=TIMEOUT_S),
        "detach": lambda: world.machines().detach(amphora_id, port_id, timeout_s=TIMEOUT_S),
        "delete": lambda: world.machines().delete(amphora_id, timeout_s=TIMEOUT_S),
    }
    return steps[wish["step"]]()


def die_at(moment: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        # Looking at other processes touches nothing, and how often depends on the machine.
        if event in TOUCHES and not _is_look_around(str(arguments[0])):
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _is_look_around(path: str) -> bool:
    return path.startswith("/proc/") and not path.startswith("/proc/sys/") and path.split("/")[2].isdigit()


def main(world: World) -> None:
    for line in sys.stdin:
        wish = json.loads(line)
        if (child := os.fork()) == 0:
            work = step(world, wish)
            die_at(int(wish["moment"]))
            asyncio.run(work)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(KILLED if killed else DONE if status == 0 else f"failed: {status}", flush=True)


if __name__ == "__main__":
    main(World(Path(sys.argv[1]), sys.argv[2]))
