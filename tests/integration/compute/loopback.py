"""
Machines whose agents are servers in this process, each on a loopback address of its own, with real TLS.

An agent here follows the rules of the real one for numbers and digests, and runs nothing.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import h11
import msgspec

from actium_compute.agent_client import AGENT_PORT
from actium_compute.ports import Machine, MachinePort, MachineWish
from actium_shared.errors import RetryableError

Boundary = Callable[[str], Awaitable[None]]
"""Called before and after every effect, with its name; what never returns stands for a process that was killed there."""


async def no_boundary(_name: str) -> None:
    return


class LoopbackAgent:
    """One agent. `refuses` gives haproxy's words for a configuration that it does not take."""

    def __init__(self, amphora_id: str, files: Mapping[str, bytes]) -> None:
        self.amphora_id = amphora_id
        self.settings: dict[str, Any] = msgspec.json.decode(files["amphora.json"])
        self.files = files
        self.in_force: dict[str, Any] = {"bundle": 0, "epoch": 0, "digest": ""}
        self.pushes: list[dict[str, Any]] = []
        self.refuses: Callable[[dict[str, Any]], str | None] = lambda _bundle: None
        self.misunderstands = ""
        self.drift: str | None = None
        self.key_version: int = self.settings.get("heartbeat_key_version", 1)
        self.edition: int = self.settings.get("credentials_edition", 1)
        self.knows_certificates_only = False
        self.boundary: Boundary = no_boundary
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, self.settings["listen_address"], AGENT_PORT, ssl=self._tls()
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            self._server = None

    async def _show_new_certificate(self) -> None:
        if self._server is not None:  # for new connections only, as the real one does
            self._server.close()
            await self.start()

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.files["ca.pem"].decode())
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(self.files["agent.pem"])
            pem.flush()
            context.load_cert_chain(pem.name)
        return context

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        http = h11.Connection(h11.SERVER)
        try:
            while True:
                request, body = await _request(http, reader)
                if request is None:
                    return
                status, answer = await self._answer(request, body, writer)
                writer.write(_response(http, status, msgspec.msgpack.encode(answer)))
                http.start_next_cycle()
        except (ConnectionError, h11.ProtocolError):
            return
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(
        self, request: h11.Request, body: bytes, writer: asyncio.StreamWriter
    ) -> tuple[int, dict[str, Any]]:
        names = [value for _, value in writer.get_extra_info("peercert")["subjectAltName"]]
        if names != ["controller.actium"]:
            return 403, {"error": "not the controller"}
        if request.target == b"/v1/status":
            version = {"heartbeat_key_version": self.key_version, "credentials_edition": self.edition}
            return 200, {"amphora_id": self.amphora_id, "boot_id": "b", "drift": self.drift, **version, **self.in_force}
        if request.target == b"/v1/certificate":
            await self.boundary("before certificate")
            await self._take_certificate(msgspec.msgpack.decode(body))
            await self.boundary("after certificate")
            known_by = {"heartbeat_key_version": self.key_version, "credentials_edition": self.edition}
            return 200, {"result": "replaced", **({} if self.knows_certificates_only else known_by)}
        await self.boundary("before push")
        answer = self._configure(msgspec.msgpack.decode(body))
        await self.boundary("after push")
        return answer

    async def _take_certificate(self, body: dict[str, Any]) -> None:
        self.files = {**self.files, "agent.pem": body["pem"]}
        if not self.knows_certificates_only:
            self.files = {**self.files, "heartbeat.key": body["heartbeat_key"], "ca.pem": body["ca"]}
            self.key_version, self.edition = body["heartbeat_key_version"], body["edition"]
        await self._show_new_certificate()

    def _configure(self, bundle: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.pushes.append(bundle)
        if self.misunderstands:
            return 400, {"error": self.misunderstands}
        now = self.in_force
        if bundle["epoch"] < now["epoch"] or bundle["bundle"] < now["bundle"]:
            return 409, {"error": f"bundle {bundle['bundle']} is past"}
        if words := self.refuses(bundle):
            return 422, {"error": words}
        runtime = bundle["runtime"] is not None and bundle["runtime"]["base"] == now["digest"]
        result = "unchanged" if bundle["digest"] == now["digest"] else "runtime" if runtime else "reload"
        self.drift = None
        self.in_force = {key: bundle[key] for key in ("bundle", "epoch", "digest")}
        return 200, {"result": result, "took_ms": 1.0, "digest": bundle["digest"], "bundle": bundle["bundle"]}


class LoopbackMachines:
    """`Machines` for those agents. They outlive the service under test, as amphorae do."""

    boots_at_once = 4

    def __init__(self) -> None:
        self.agents: dict[str, LoopbackAgent] = {}
        self.attached: dict[str, set[str]] = {}
        self.boots: list[str] = []
        self.boundary: Boundary = no_boundary
        self.refuses: Callable[[dict[str, Any]], str | None] = lambda _bundle: None
        self.wishes: dict[str, MachineWish] = {}
        self.left_over: set[str] = set()
        self.cut: list[str] = []
        self.cannot_cut = False

    async def boot(self, machine: MachineWish, *, timeout_s: float) -> Machine:
        await self.boundary("before boot")
        if machine.amphora_id not in self.agents:
            agent = LoopbackAgent(machine.amphora_id, machine.files())
            agent.refuses = lambda bundle: self.refuses(bundle)  # noqa: PLW0108 - whatever it is by then
            agent.boundary = lambda name: self.boundary(name)  # noqa: PLW0108 - as above
            await agent.start()
            self.agents[machine.amphora_id] = agent
            self.attached[machine.amphora_id] = {machine.management_port.port_id}
            self.boots.append(machine.amphora_id)
            self.wishes[machine.amphora_id] = machine
        await self.boundary("after boot")
        return Machine(compute_id=machine.amphora_id, host="host-1")

    async def attach(self, amphora_id: str, port: MachinePort, *, timeout_s: float) -> None:
        await self.boundary("before attach")
        self.attached[amphora_id].add(port.port_id)
        await self.boundary("after attach")

    async def detach(self, amphora_id: str, port_id: str, *, timeout_s: float) -> None:
        await self.boundary("before detach")
        self.attached[amphora_id].discard(port_id)
        await self.boundary("after detach")

    async def cut_links(self, amphora_id: str) -> None:
        if self.cannot_cut:
            raise RetryableError("the switch does not answer")
        await self.boundary("before cut")
        self.cut.append(amphora_id)
        self.attached.get(amphora_id, set()).clear()
        await self.boundary("after cut")

    async def power_off(self, amphora_id: str, *, timeout_s: float) -> None:
        await self.boundary("before power off")
        if agent := self.agents.pop(amphora_id, None):
            await agent.stop()
        await self.boundary("after power off")

    async def delete(self, amphora_id: str, *, timeout_s: float) -> None:
        await self.boundary("before delete")
        if agent := self.agents.pop(amphora_id, None):
            await agent.stop()
        self.attached.pop(amphora_id, None)
        self.left_over.discard(amphora_id)
        await self.boundary("after delete")

    async def leftovers(self) -> frozenset[str]:
        return frozenset(self.left_over)

    async def tidy(self) -> None:
        return

    async def running(self) -> Mapping[str, Machine]:
        return {amphora_id: Machine(compute_id=amphora_id, host="host-1") for amphora_id in self.agents}

    async def power(self, amphora_id: str) -> bool:
        return amphora_id in self.agents

    async def lose_all(self) -> None:
        """The host was switched off and on: no machine runs, nothing else is forgotten."""
        for agent in self.agents.values():
            await agent.stop()
        self.agents.clear()
        self.attached.clear()


async def _request(http: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request | None, bytes]:
    request, body = None, b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return request, body
        elif isinstance(event, h11.ConnectionClosed):
            return None, b""


def _response(http: h11.Connection, status: int, body: bytes) -> bytes:
    head = h11.Response(status_code=status, headers=[("Content-Length", str(len(body)))])
    return b"".join(http.send(part) or b"" for part in (head, h11.Data(data=body), h11.EndOfMessage()))
