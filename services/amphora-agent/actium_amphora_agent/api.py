"""The agent's whole API: which path does what, and which error is which status. No TLS and no HTTP here."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from actium_amphora_agent import VERSION, desired
from actium_amphora_agent.configuration import Configuration
from actium_amphora_agent.credentials import Credentials
from actium_amphora_agent.errors import AgentError
from actium_amphora_agent.https import Refusals, Request, Response, Server
from actium_amphora_agent.logs import fields
from actium_amphora_agent.notes import Notes
from actium_amphora_agent.sampling import Sampler
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Identity

log = logging.getLogger(__name__)

Route = Callable[[Request], Awaitable[dict[str, Any]]]


class Api:
    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        configuration: Configuration,
        sampler: Sampler,
        *,
        credentials: Credentials,
        notes: Notes,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._configuration = configuration
        self._sampler = sampler
        self._credentials = credentials
        self._notes = notes
        self._server = Server(credentials.server_context(), self.handle)
        self._routes: dict[str, dict[str, Route]] = {
            "/v1/configuration": {"PUT": self._put_configuration, "DELETE": self._delete_configuration},
            "/v1/certificate": {"PUT": self._put_certificate},
            "/v1/status": {"GET": self._get_status},
            "/v1/statistics": {"GET": self._get_statistics},
        }

    @property
    def refused(self) -> Refusals:
        return self._server.refused

    def open(self) -> None:
        self._server.open(self._settings.listen_address, self._settings.listen_port)

    async def close(self) -> None:
        await self._server.close()

    async def handle(self, request: Request) -> Response:
        methods = self._routes.get(request.path)
        if methods is None:
            return Response(404, {"error": f"there is no {request.path}; there is {', '.join(self._routes)}"})
        if request.method not in methods:
            return Response(405, {"error": f"{request.path} takes {', '.join(methods)}, not {request.method}"})
        try:
            return Response(200, await methods[request.method](request))
        except AgentError as exc:
            log.warning("request refused", extra=fields(path=request.path, status=exc.status, reason=str(exc)))
            return Response(exc.status, {"error": str(exc)})
        except Exception:
            # The boundary: the agent goes on, and the log has the trace.
            log.exception("request failed", extra=fields(path=request.path))
            return Response(500, {"error": "the agent failed; its log says why"})

    async def _put_configuration(self, request: Request) -> dict[str, Any]:
        return asdict(await self._configuration.put(desired.parse(request.body)))

    async def _delete_configuration(self, _: Request) -> dict[str, Any]:
        await self._configuration.delete()
        return {"result": "deleted"}

    async def _put_certificate(self, request: Request) -> dict[str, Any]:
        self.take_credentials(request.body)
        return {"result": "replaced", **self._known_by()}

    def take_credentials(self, body: bytes) -> None:
        """
        Raises:
            Invalid: as `Credentials.take`.
        """
        self._credentials.take(body)
        self._server.show(self._credentials.server_context())
        log.info("credentials replaced", extra=fields(**self._known_by()))

    def _known_by(self) -> dict[str, int]:
        held = self._credentials
        return {"heartbeat_key_version": held.heartbeat_key_version, "credentials_edition": held.edition}

    async def _get_status(self, _: Request) -> dict[str, Any]:
        configuration = self._configuration
        serving, in_force = configuration.serving, configuration.in_force
        haproxy, keepalived = serving.haproxy, serving.keepalived
        return {
            "amphora_id": self._settings.amphora_id,
            "boot_id": self._identity.boot_id,
            "version": VERSION,
            "bundle": in_force.number,
            "epoch": in_force.epoch,
            "digest": in_force.digest,
            "role": serving.role,
            "learning": serving.learning.is_on,
            "haproxy": {"state": serving.haproxy_state, "pid": haproxy.pid, "started_at": haproxy.started_at},
            "keepalived": {
                "state": serving.keepalived_state,
                "pid": keepalived.pid,
                "started_at": keepalived.started_at,
            },
            "interfaces": await configuration.interfaces.names(),
            "refused": asdict(self.refused),
            "drift": in_force.drift,
            "fenced": configuration.fenced,
            "notes": asdict(self._notes.counts),
            **self._known_by(),
        }

    async def _get_statistics(self, _: Request) -> dict[str, Any]:
        self._sampler.expect_changes()
        return asdict(await self._sampler.sample())
