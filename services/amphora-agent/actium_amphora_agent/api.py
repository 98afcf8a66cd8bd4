"""The agent's whole API: which path does what, and which error is which status. No TLS and no HTTP here."""

import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgpack

from actium_amphora_agent import VERSION, desired
from actium_amphora_agent.configuration import Configuration
from actium_amphora_agent.errors import AgentError, Invalid
from actium_amphora_agent.https import Refusals, Request, Response, Server, server_context
from actium_amphora_agent.logs import fields
from actium_amphora_agent.sampling import Sampler
from actium_amphora_agent.settings import Settings
from actium_amphora_agent.store import Identity, write_atomically

log = logging.getLogger(__name__)

Route = Callable[[Request], Awaitable[dict[str, Any]]]


class Api:
    def __init__(self, settings: Settings, identity: Identity, configuration: Configuration, sampler: Sampler) -> None:
        self._settings = settings
        self._identity = identity
        self._configuration = configuration
        self._sampler = sampler
        self._context = server_context(_newest_certificate(settings), settings.config / "ca.pem")
        self._server = Server(self._context, self.handle)
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
        try:
            body = msgpack.unpackb(request.body)
            pem = body["pem"]
        except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException) as exc:
            raise Invalid("the body must be a map with pem: certificate and key in bytes") from exc
        if not isinstance(pem, bytes):
            raise Invalid(f"pem must be bytes, not {type(pem).__name__}")
        self._take_certificate(pem)
        log.info("server certificate replaced")
        return {"result": "replaced"}

    def _take_certificate(self, pem: bytes) -> None:
        kept = self._settings.root / "agent.pem"
        candidate = self._settings.root / "agent.candidate.pem"
        write_atomically(candidate, pem)
        try:
            server_context(candidate, self._settings.config / "ca.pem")
        except ssl.SSLError as exc:
            raise Invalid(f"pem is no certificate with its key: {exc.reason}") from exc
        finally:
            candidate.unlink()
        write_atomically(kept, pem)
        self._context.load_cert_chain(kept)  # connections that are open keep the one they began with

    async def _get_status(self, _: Request) -> dict[str, Any]:
        configuration = self._configuration
        haproxy, keepalived, in_force = configuration.haproxy, configuration.keepalived, configuration.in_force
        return {
            "amphora_id": self._settings.amphora_id,
            "boot_id": self._identity.boot_id,
            "version": VERSION,
            "bundle": in_force.number,
            "epoch": in_force.epoch,
            "digest": in_force.digest,
            "role": configuration.role,
            "haproxy": {"state": configuration.haproxy_state, "pid": haproxy.pid, "started_at": haproxy.started_at},
            "keepalived": {
                "state": configuration.keepalived_state,
                "pid": keepalived.pid,
                "started_at": keepalived.started_at,
            },
            "interfaces": await configuration.interfaces.names(),
            "refused": asdict(self.refused),
            "drift": in_force.drift,
        }

    async def _get_statistics(self, _: Request) -> dict[str, Any]:
        self._sampler.expect_changes()
        return asdict(await self._sampler.sample())


def _newest_certificate(settings: Settings) -> Path:
    """One that was put over the API is kept in tmpfs, and counts until compute writes a newer one into the folder."""
    given, kept = settings.config / "agent.pem", settings.root / "agent.pem"
    return kept if kept.exists() and kept.stat().st_mtime > given.stat().st_mtime else given
