"""The agent's settings: the config folder's amphora.json and keys, read once at start, typed and frozen."""

import ipaddress
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

HEARTBEAT_KEY_BYTES = 32

T = TypeVar("T")


class SettingsError(Exception):
    """Names the field and what would be right; the agent stops with this sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    amphora_id: str
    listen_address: str
    listen_port: int
    relays: tuple[tuple[str, int], ...]
    heartbeat_interval_s: float
    heartbeat_key_version: int
    heartbeat_key: bytes = field(repr=False)
    config: Path
    gateways: tuple[tuple[str, int], ...] = ()
    credentials_edition: int = 0
    root: Path = Path("/run/amphora")
    traffic_namespace: Path = Path("/run/netns/traffic")


def load(config: Path) -> Settings:
    fields = _read_json(config / "amphora.json")
    for name in ("agent.pem", "ca.pem"):
        _read(config / name)
    key = _read(config / "heartbeat.key")
    if len(key) != HEARTBEAT_KEY_BYTES:
        raise SettingsError(f"heartbeat.key must be {HEARTBEAT_KEY_BYTES} bytes, not {len(key)}")
    return Settings(
        amphora_id=_get(fields, "amphora_id", str),
        listen_address=_address(_get(fields, "listen_address", str), "listen_address"),
        listen_port=_port(_get(fields, "listen_port", int), "listen_port"),
        relays=_endpoints(fields, "relays"),
        heartbeat_interval_s=_interval(fields),
        heartbeat_key_version=_get(fields, "heartbeat_key_version", int),
        heartbeat_key=key,
        config=config,
        gateways=_endpoints({"gateways": [], **fields}, "gateways"),
        credentials_edition=_get({"credentials_edition": 0, **fields}, "credentials_edition", int),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"cannot read {path}: {exc.strerror}") from exc


def _read_json(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(_read(path))
    except ValueError as exc:
        raise SettingsError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise SettingsError(f"{path} must hold one JSON object")
    return fields


def _get(fields: dict[str, Any], name: str, kind: type[T]) -> T:
    value = fields.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise SettingsError(f"amphora.json: {name} must be {kind.__name__}, not {value!r}")
    return value


def _address(value: Any, name: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as exc:
        raise SettingsError(f"amphora.json: {name} must be an IP address, not {value!r}") from exc


def _port(value: Any, name: str) -> int:
    if not isinstance(value, int) or not 0 < value < 65536:
        raise SettingsError(f"amphora.json: {name} must be a port from 1 to 65535, not {value!r}")
    return value


def _endpoints(fields: dict[str, Any], name: str) -> tuple[tuple[str, int], ...]:
    return tuple(_endpoint(value, f"{name}[{index}]") for index, value in enumerate(_get(fields, name, list)))


def _endpoint(value: Any, name: str) -> tuple[str, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise SettingsError(f"amphora.json: {name} must be [address, port], not {value!r}")
    return _address(value[0], name), _port(value[1], name)


def _interval(fields: dict[str, Any]) -> float:
    value = fields.get("heartbeat_interval_s", 1.0)
    if not isinstance(value, int | float) or not 0.05 <= value <= 60:
        raise SettingsError(f"amphora.json: heartbeat_interval_s must be from 0.05 to 60, not {value!r}")
    return float(value)
