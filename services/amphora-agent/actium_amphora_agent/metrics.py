"""
The figures of a PROMETHEUS listener: haproxy's own exporter, told under the load-balancing API's names.

Those are Octavia's, so that dashboards made for it work: frontends are listeners, backends pools, servers members. What is
ours alone inside haproxy (names that begin with an underscore) is left out.
"""

import asyncio
import os
import re
import time
from pathlib import Path

from actium_amphora_agent.errors import Trouble
from actium_amphora_agent.local_server import LocalServer

DEADLINE_S = 10.0
FRESH_S = 1.0
"""The listener is open to whoever may reach it, and a thousand members cost a tenth of a second: never more often than this."""

_PROCESS = "haproxy_process_"
_MEMORY = frozenset(("pool_allocated_bytes", "pool_used_bytes", "pool_failures_total"))
_RATES = ("connection", "session", "ssl")
_TOTALS = frozenset(
    (
        *(f"{which}_{what}_rate" for which in ("current", "limit", "max") for what in _RATES),
        *(f"{which}_{side}_ssl_key_rate" for which in ("current", "max") for side in ("frontend", "backend")),
        *("max_connections", "current_connections", "connections_total", "requests_total"),
        *("max_ssl_connections", "current_ssl_connections", "ssl_connections_total"),
        *("frontend_ssl_reuse", "ssl_cache_lookups_total", "ssl_cache_misses_total"),
        *("http_comp_bytes_in_total", "http_comp_bytes_out_total", "limit_http_comp"),
        *("listeners", "dropped_logs_total"),
    )
)
_KINDS = {"haproxy_frontend_": "listener", "haproxy_backend_": "pool", "haproxy_server_": "member"}
_UNTOLD = re.compile(r"agg_|u?weight|internal_errors_total")
_UNTOLD_OF_MEMBERS = re.compile(r"uweight|internal_errors_total|(safe|unsafe)_idle|(used|need)_connections")
_OTHER_NAMES = {
    "pool": {
        "server_aborts_total": "member_aborts_total",
        "active_servers": "active_members",
        "backup_servers": "backup_members",
    }
}
_LINE = re.compile(r'(?P<comment># (?:HELP|TYPE) )?(?P<name>\w+)(?:\{proxy="(?P<proxy>[^"]*)")?(?P<rest>.*)')


def translate(name: str) -> str | None:
    """The API's name for a figure of haproxy's; None for what it has no name for."""
    if name.startswith(_PROCESS):
        figure = name.removeprefix(_PROCESS)
        if figure in _MEMORY:
            return f"octavia_memory_{figure}"
        return f"octavia_loadbalancer_{figure}" if figure in _TOTALS else None
    for prefix, kind in _KINDS.items():
        if name.startswith(prefix):
            figure = name.removeprefix(prefix)
            if (_UNTOLD_OF_MEMBERS if kind == "member" else _UNTOLD).match(figure):
                return None
            return f"octavia_{kind}_{_OTHER_NAMES.get(kind, {}).get(figure, figure)}"
    return None


def translated(text: str) -> str:
    """What haproxy exposes, in the API's words."""
    names: dict[str, str | None] = {}
    lines = []
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        name = found["name"]
        if name not in names:
            names[name] = translate(name)
        if (told := names[name]) is None or (found["proxy"] or "").startswith("_"):
            continue
        lines.append(f"{found['comment'] or ''}{told}{_labels(told, found['proxy'], found['rest'])}\n")
    return "".join(lines)


def _labels(told: str, proxy: str | None, rest: str) -> str:
    if proxy is None:
        return rest
    kind = told.split("_", 2)[1]
    of = "listener" if kind == "listener" else "pool"
    return f'{{{of}="{proxy}"{rest.replace(",server=", ",member=", 1) if kind == "member" else rest}'


def machine() -> str:
    """The two figures that haproxy has not: load and memory in use, in per cent."""
    busy = os.getloadavg()[0] / (os.cpu_count() or 1) * 100
    kilobytes = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE))
    used = 100 - int(kilobytes["MemAvailable"]) / int(kilobytes["MemTotal"]) * 100
    figures = {
        "octavia_loadbalancer_cpu": ("Load of the machine in per cent of its processors", busy),
        "octavia_loadbalancer_memory": ("Memory of the machine that is in use, in per cent", used),
    }
    return "".join(
        f"# HELP {name} {what}\n# TYPE {name} gauge\n{name} {value:.1f}\n" for name, (what, value) in figures.items()
    )


class Metrics:
    """Answers haproxy, which asks here for whoever asked its listener; asks haproxy in turn at the exporter's socket."""

    def __init__(self, path: Path, exporter: Path) -> None:
        self._exporter = exporter
        self._server = LocalServer(path, self._converse, deadline_s=DEADLINE_S)
        self._lock = asyncio.Lock()
        self._body = b""
        self._made_at = float("-inf")

    async def open(self) -> None:
        await self._server.open()

    async def close(self) -> None:
        await self._server.close()

    async def _converse(self, reader: asyncio.StreamReader) -> bytes:
        await reader.readuntil(b"\r\n\r\n")
        try:
            body = await self._figures()
        except Trouble:
            return _response("502 Bad Gateway", b"haproxy gave no figures\n")
        return _response("200 OK", body)

    async def _figures(self) -> bytes:
        async with self._lock:
            if time.monotonic() - self._made_at > FRESH_S:
                text = await _ask(self._exporter)
                # In a thread: beats must not wait for a thousand members' figures.
                self._body = await asyncio.to_thread(_body, text)
                self._made_at = time.monotonic()
            return self._body


def _body(text: str) -> bytes:
    return (machine() + translated(text)).encode()


async def _ask(exporter: Path) -> str:
    try:
        reader, writer = await asyncio.open_unix_connection(exporter)
        try:
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
    except OSError as exc:
        raise Trouble(f"haproxy's exporter: {exc.strerror}") from exc
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise Trouble("haproxy's exporter gave no figures")
    return body.decode()


def _response(status: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Cache-Control: no-cache\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
