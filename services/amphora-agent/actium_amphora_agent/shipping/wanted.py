"""The part of a bundle that says where lines about traffic go. Parsing alone; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actium_amphora_agent.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Where the objects of one load balancer go: `signature` lets whoever has it put objects under `prefix`, and no more."""

    prefix: str
    signature: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """
    A container at `path` of the store at `addresses`, which is asked as `host`; `server_name` is that of its certificate,
    empty where it speaks in clear, and `ca` certifies it, or the system's authorities where that is empty.

    `format` is how haproxy was told to write; `streams` are by load balancer. An object is begun with its first line and
    cut `cut_after_s` later; one that the store does not take is lost when it is `keep_s` old.
    """

    addresses: tuple[tuple[str, int], ...]
    host: str
    server_name: str
    ca: str
    path: str
    expires_at: int
    cut_after_s: float
    keep_s: float
    delete_after_s: int
    format: str
    streams: Mapping[str, Stream]


def parse(value: Any) -> Logs | None:
    """
    Raises:
        Invalid: names the field and what would be right.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Invalid(f"logs must be null or a map, not {type(value).__name__}")
    return Logs(
        addresses=tuple(
            _endpoint(each, f"logs.addresses[{n}]") for n, each in enumerate(_get(value, "addresses", list))
        ),
        host=_get(value, "host", str),
        server_name=_get(value, "server_name", str),
        ca=_get(value, "ca", str),
        path=_get(value, "path", str),
        expires_at=_get(value, "expires_at", int),
        cut_after_s=_seconds(value, "cut_after_s"),
        keep_s=_seconds(value, "keep_s"),
        delete_after_s=_get(value, "delete_after_s", int),
        format=_get(value, "format", str),
        streams={str(key): _stream(each, f"streams[{key}].") for key, each in _get(value, "streams", dict).items()},
    )


def _stream(value: Any, where: str) -> Stream:
    if not isinstance(value, dict):
        raise Invalid(f"logs.{where.rstrip('.')} must be a map, not {type(value).__name__}")
    return Stream(prefix=_get(value, "prefix", str, where), signature=_get(value, "signature", str, where))


def _endpoint(value: Any, name: str) -> tuple[str, int]:
    if not isinstance(value, list | tuple) or list(map(type, value)) != [str, int]:
        raise Invalid(f"{name} must be an address and a port, not {value!r}")
    return value[0], value[1]


def _seconds(fields: Mapping[str, Any], name: str) -> float:
    value: Any = fields.get(name)
    if type(value) not in (int, float) or not value > 0:
        raise Invalid(f"logs.{name} must be a number of seconds above 0, not {value!r}")
    return float(value)


def _get(fields: Mapping[str, Any], name: str, kind: type, where: str = "") -> Any:
    value: Any = fields.get(name)
    # A line more in a request would be a header more.
    if type(value) is not kind or (isinstance(value, str) and name != "ca" and not value.isprintable()):
        raise Invalid(f"logs.{where}{name} must be {kind.__name__}, not {type(value).__name__}")
    return value
