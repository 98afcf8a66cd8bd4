"""What kills services, the bus, whatever runs in amphorae, and whole machines, loudly or silently; and what only stops for a while."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from random import Random
from threading import Event, Thread
from typing import Self

from actium_embedded import running
from actium_shared.embedded import amphora_namespace, traffic_namespace
from system.outages.cuts import unheard
from system.outages.drills import Site, dies_silently, machine_dies
from system.worlds import commands_in

SERVICES = ("network", "compute", "planner", "health", "relay", "api", "nats-server")
PARTS = {"agent": "-m actium_amphora_agent", "haproxy": "haproxy ", "keepalived": "keepalived"}
MACHINES = ("machine off", "machine silent", "unheard", "pause")
EVERY_S = (0.2, 2.0)
MACHINES_EVERY_S = 8.0
"""Not so often that verdicts are held back as a storm's."""

WHILES_S = (1.0, 6.0)
"""Some are shorter than an amphora may be silent, and some are longer."""


class Havoc:
    """Kills something every now and then, on a thread of its own, for as long as the block runs."""

    def __init__(self, site: Site, random: Random) -> None:
        self.done: dict[str, int] = {}
        self.story: list[str] = []
        self._site, self._random = site, random
        self._began = self._machine_at = time.monotonic()
        self._enough = Event()
        self._thread = Thread(target=self._run, name="havoc")
        self.trouble: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(60)

    def _run(self) -> None:
        try:
            while not self._enough.wait(self._random.uniform(*EVERY_S)):
                self._strike()
        except Exception as exc:
            self.trouble = exc

    def _strike(self) -> None:
        kinds = [*SERVICES, *PARTS]
        if time.monotonic() - self._machine_at > MACHINES_EVERY_S:
            kinds, self._machine_at = list(MACHINES), time.monotonic()
        kind = self._random.choice(kinds)
        way = self._pause if kind == "pause" else partial(self._service if kind in SERVICES else self._amphora, kind)
        if hit := way():
            self.done[kind] = self.done.get(kind, 0) + 1
            self.story.append(f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._began:6.1f} s: {kind} {hit}")

    def _pause(self) -> str | None:
        service, while_s = self._random.choice(SERVICES), self._random.uniform(*WHILES_S)
        found = running.find(self._site.world.facts, service)
        if found is None:
            return None
        os.kill(found.pid, signal.SIGSTOP)
        self._enough.wait(while_s)
        os.kill(found.pid, signal.SIGCONT)
        return f"of {service} for {while_s:.1f} s"

    def _service(self, name: str) -> str | None:
        found = running.find(self._site.world.facts, name)
        if found is None:
            return None
        _kill(found.pid)
        return str(found.pid)

    def _amphora(self, kind: str) -> str | None:
        amphorae = self._site.world.amphorae()
        if not amphorae:
            return None
        amphora_id = self._random.choice(amphorae)
        if kind == "machine off":
            machine_dies(self._site, amphora_id)
        elif kind == "machine silent":
            dies_silently(self._site, amphora_id)
        elif kind == "unheard":
            while_s = self._random.uniform(*WHILES_S)
            with suppress(subprocess.CalledProcessError), unheard(self._site, amphora_id):  # it may go in this moment
                self._enough.wait(while_s)
        else:
            return _kill_part(amphora_id, PARTS[kind])
        return amphora_id


def _kill_part(amphora_id: str, words: str) -> str | None:
    commands = {
        **commands_in(traffic_namespace(amphora_id)),
        **commands_in(amphora_namespace(amphora_id)),
    }
    pids = [pid for pid, command in commands.items() if words in command]
    for pid in pids:
        _kill(pid)
    return amphora_id if pids else None


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
