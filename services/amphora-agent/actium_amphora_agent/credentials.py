"""
By what the agent is known and whom it trusts: its certificate and key, the authorities, the key of its heartbeats.

Given in the config folder, replaced over the API or by a pull. What was taken is one file in tmpfs, so that after a kill
all of it counts or none; it counts until compute writes newer ones into the folder.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from actium_amphora_agent.errors import Invalid
from actium_amphora_agent.settings import HEARTBEAT_KEY_BYTES, Settings
from actium_amphora_agent.store import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    pem: bytes = field(repr=False)
    ca: bytes
    heartbeat_key: bytes = field(repr=False)
    heartbeat_key_version: int
    edition: int


class Credentials:
    """`edition` numbers what compute gives to all its amphorae alike: which authority certifies, and which are trusted."""

    def __init__(self, settings: Settings) -> None:
        self._kept = settings.root / "credentials.msgpack"
        self._chain = settings.root / "agent.pem"
        self._held = self._newest(settings)
        write_atomically(self._chain, self._held.pem)

    @property
    def heartbeat_key(self) -> bytes:
        return self._held.heartbeat_key

    @property
    def heartbeat_key_version(self) -> int:
        return self._held.heartbeat_key_version

    @property
    def edition(self) -> int:
        return self._held.edition

    def take(self, body: bytes) -> None:
        """
        Use what is in the body from now on: connections that are open keep what they began with.

        Raises:
            Invalid: names the field; nothing has changed.
        """
        fields = _unpacked(body)
        wanted = _Held(
            pem=_get(fields, "pem", bytes, self._held.pem),
            ca=_get(fields, "ca", bytes, self._held.ca),
            heartbeat_key=_get(fields, "heartbeat_key", bytes, self._held.heartbeat_key),
            heartbeat_key_version=_get(fields, "heartbeat_key_version", int, self._held.heartbeat_key_version),
            edition=_get(fields, "edition", int, self._held.edition),
        )
        if len(wanted.heartbeat_key) != HEARTBEAT_KEY_BYTES:
            raise Invalid(f"heartbeat_key must be {HEARTBEAT_KEY_BYTES} bytes, not {len(wanted.heartbeat_key)}")
        self._try(wanted)
        write_atomically(self._kept, msgpack.packb({name: getattr(wanted, name) for name in _Held.__slots__}))
        write_atomically(self._chain, wanted.pem)
        self._held = wanted

    def server_context(self) -> ssl.SSLContext:
        """TLS towards whoever connects to the agent."""
        return _context(ssl.PROTOCOL_TLS_SERVER, self._chain, self._held.ca)

    def client_context(self) -> ssl.SSLContext:
        """TLS towards the controller; the caller names it."""
        return _context(ssl.PROTOCOL_TLS_CLIENT, self._chain, self._held.ca)

    def _try(self, wanted: _Held) -> None:
        candidate = self._chain.with_name("agent.candidate.pem")
        write_atomically(candidate, wanted.pem)
        try:
            _context(ssl.PROTOCOL_TLS_SERVER, candidate, b"")
        except ssl.SSLError as exc:
            raise Invalid(f"pem is no certificate with its key: {exc.reason}") from exc
        finally:
            candidate.unlink()
        try:
            trusts = _context(ssl.PROTOCOL_TLS_SERVER, None, wanted.ca).get_ca_certs()
        except (ssl.SSLError, ValueError) as exc:
            raise Invalid(f"ca is no authority's certificate: {exc}") from exc
        if not trusts:
            raise Invalid("ca must hold an authority's certificate: the agent would obey nobody any more")

    def _newest(self, settings: Settings) -> _Held:
        given = settings.config / "agent.pem"
        if self._kept.exists() and self._kept.stat().st_mtime > given.stat().st_mtime:
            return _Held(**msgpack.unpackb(self._kept.read_bytes()))
        return _Held(
            pem=given.read_bytes(),
            ca=(settings.config / "ca.pem").read_bytes(),
            heartbeat_key=settings.heartbeat_key,
            heartbeat_key_version=settings.heartbeat_key_version,
            edition=settings.credentials_edition,
        )


def _context(side: Any, chain: Path | None, ca: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    if ca:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    if chain:
        context.load_cert_chain(chain)
    return context


def _unpacked(body: bytes) -> Mapping[str, Any]:
    try:
        fields = msgpack.unpackb(body)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as exc:
        raise Invalid(f"the body is not MessagePack: {exc}") from exc
    if not isinstance(fields, dict) or "pem" not in fields:
        raise Invalid("the body must be a map with pem: certificate and key in bytes")
    if ("heartbeat_key" in fields) != ("heartbeat_key_version" in fields):
        raise Invalid("heartbeat_key and heartbeat_key_version must come together")
    return fields


def _get(fields: Mapping[str, Any], name: str, kind: type, otherwise: Any) -> Any:
    value = fields.get(name, otherwise)
    if type(value) is not kind:
        raise Invalid(f"{name} must be {kind.__name__}, not {type(value).__name__}")
    return value
