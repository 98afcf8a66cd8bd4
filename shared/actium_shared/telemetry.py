"""Logs (JSON lines with the correlation id) and traces (a span per handler; the exporter is off unless set up)."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="-")
"""Of the message or request that is being handled; every log line carries it."""

_PROPAGATOR = TraceContextTextMapPropagator()
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what was given as `extra` becomes fields of it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "correlation_id": correlation_id.get(),
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up(service: str, *, level: str = "INFO") -> None:
    """Send this process's logs to stderr as JSON and make its spans carry the service's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    trace.set_tracer_provider(TracerProvider(resource=Resource.create({"service.name": f"actium-{service}"})))


@contextmanager
def span(name: str, *, traceparent: str | None = None, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run the block in a span that continues `traceparent`."""
    parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    tracer = trace.get_tracer("actium")
    with tracer.start_as_current_span(name, context=parent, attributes=dict(attributes or {})):
        yield


def traceparent() -> str | None:
    """Give the current span's W3C trace context, to be sent along."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")
