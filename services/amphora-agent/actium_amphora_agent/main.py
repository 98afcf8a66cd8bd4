"""Wires the agent together, runs it until a signal, and takes it down in the opposite order."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
from pathlib import Path

from actium_amphora_agent import logs
from actium_amphora_agent.api import Api
from actium_amphora_agent.configuration import Configuration
from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.desired import PINGS
from actium_amphora_agent.heartbeat import Beats, Edges, Sender
from actium_amphora_agent.metrics import Metrics
from actium_amphora_agent.notes import Notes
from actium_amphora_agent.pings import Pings
from actium_amphora_agent.pull import Puller
from actium_amphora_agent.sampling import Sampler
from actium_amphora_agent.settings import Settings, SettingsError, load
from actium_amphora_agent.statistics import Sample
from actium_amphora_agent.store import Identity, Store
from actium_amphora_agent.traffic import Traffic

WRONG_SETTINGS = 2
DUMPED_MAPPINGS = Path("/proc/self/coredump_filter")


def main() -> int:
    logs.configure()
    os.umask(0o077)
    keep_memory_private()
    try:
        settings = load(Path(os.environ.get("AMPHORA_CONFIG", "/run/amphora/config")))
    except SettingsError as exc:
        print(f"amphora agent: {exc}", file=sys.stderr)
        return WRONG_SETTINGS
    asyncio.run(_run(settings))
    return 0


def keep_memory_private() -> None:
    """
    Empty the core dumps of this process and of all that it starts: memory here holds tenants' private keys.

    A limit of size alone does not bind dumps that the system pipes to a program. What is to be dumped, children inherit,
    whatever they become, and unlike "not dumpable" it needs no word of haproxy or keepalived.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(FileNotFoundError):  # a kernel that can dump nothing
        DUMPED_MAPPINGS.write_text("0")


class Agent:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        news = asyncio.Event()
        self._store = Store(settings.root)
        identity = Identity(self._store)
        self._sampler = Sampler(lambda: self._configuration.serving.haproxy, self._sample_udp, self._store)
        credentials = Credentials(settings)
        self._sender = Sender(settings, identity, credentials)
        self._edges = Edges(
            settings.root / "haproxy-log.sock", self._sender, self._sampler, on_member=self._note_verdicts
        )
        self._configuration = Configuration(
            settings,
            self._store,
            before_new_worker=self._sampler.before_new_worker,
            news=news,
            on_edge=self._edges.add,
        )
        self._beats = Beats(settings, self._sender, self._sampler, self._configuration, news=news)
        self._notes = Notes(settings, credentials, self._store, on_note=self._ask_compute)
        self._api = Api(
            settings, identity, self._configuration, self._sampler, credentials=credentials, notes=self._notes
        )
        self._puller = Puller(
            settings, credentials, self._configuration, self._store, take_credentials=self._api.take_credentials
        )
        self._metrics = Metrics(settings.root / "metrics.sock", settings.root / "exporter.sock")
        self._pings = Pings(settings.root / "ping.sock", Traffic(settings.traffic_namespace), self._ping_targets)

    async def run(self, until: asyncio.Event) -> None:
        """Until the signal, or until a task of ours ends, which none should: init starts the agent anew then."""
        self._edges.open()
        await self._metrics.open()
        await self._pings.open()  # before haproxy may be started, which asks at once
        await self._configuration.start()
        self._api.open()
        await self._notes.open()
        gc.collect()
        gc.freeze()
        tasks = [asyncio.create_task(each) for each in (self._beats.run(), self._puller.run(), until.wait())]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._stop()
        for task in done:
            task.result()

    def _note_verdicts(self) -> None:
        self._configuration.serving.verdicts.note()

    def _ask_compute(self) -> None:
        self._puller.ask()

    async def _sample_udp(self) -> Sample:
        return await self._configuration.udp.sample()

    def _ping_targets(self) -> tuple[str, bytes]:
        folder = self._configuration.in_force.folder
        return folder, self._store.content(folder, PINGS)

    async def _stop(self) -> None:
        self._notes.close()
        await self._api.close()
        await self._configuration.stop()
        await self._pings.close()
        await self._metrics.close()
        self._edges.close()
        self._sender.send("farewell", {})
        self._sender.close()


async def _run(settings: Settings) -> None:
    until = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, until.set)
    await Agent(settings).run(until)
