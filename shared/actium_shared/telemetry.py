"""
Logs (JSON lines with the correlation id) and traces (a span per handler).

Spans are made once somebody takes them (`record_spans`); until then the trace of whoever asked is passed on as it came.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a process that records nothing does without OpenTelemetry's memory and time
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="-")
"""Of the message or request that is being handled; every log line carries it."""

_TRACE_CONTEXT = re.compile(r"(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_passed_on: ContextVar[str | None] = ContextVar("passed_on", default=None)
_tracer: "Tracer | None" = None
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
    """Send this process's logs to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def record_spans(service: str, processor: "SpanProcessor") -> None:
    """Have this process make spans, which carry the service's name, and give them to `processor`."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    global _tracer  # noqa: PLW0603 - one for the process, as the logs are
    provider = TracerProvider(resource=Resource.create({"service.name": f"actium-{service}"}))
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("actium")


@contextmanager
def span(name: str, *, traceparent: str | None = None, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run the block in a span that continues `traceparent`."""
    if _tracer is not None:
        with _recorded(_tracer, name, traceparent, attributes or {}):
            yield
        return
    token = _passed_on.set(_valid(traceparent) or _passed_on.get())
    try:
        yield
    finally:
        _passed_on.reset(token)


@contextmanager
def _recorded(tracer: "Tracer", name: str, parent: str | None, attributes: Mapping[str, str]) -> Iterator[None]:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
    with tracer.start_as_current_span(name, context=context, attributes=dict(attributes)):
        yield


def traceparent() -> str | None:
    """Give the current span's W3C trace context, to be sent along."""
    if _tracer is None:
        return _passed_on.get()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _valid(context: str | None) -> str | None:
    """It may come from outside, and goes into headers and tables."""
    return context if context is not None and _TRACE_CONTEXT.fullmatch(context) else None
