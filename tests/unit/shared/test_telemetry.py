"""What ties messages of one request together: passed on where nobody records, a span each where somebody does."""

import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actium_shared import telemetry

TRACE = "0af7651916cd43dd8448eb211c80319c"
CONTEXT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(telemetry, "_tracer", None)  # given back at the end
    telemetry.record_spans("test", SimpleSpanProcessor(exporter))
    return exporter


def test_where_nobody_records_the_context_is_passed_on_as_it_came() -> None:
    with telemetry.span("outer", traceparent=CONTEXT), telemetry.span("inner"):
        assert telemetry.traceparent() == CONTEXT
    assert telemetry.traceparent() is None


@pytest.mark.parametrize("context", ["", "00-1-2-01", CONTEXT + "\r\nevil: yes", CONTEXT.replace("00-", "ff-", 1)])
def test_what_is_no_trace_context_goes_no_further(context: str) -> None:
    with telemetry.span("outer", traceparent=context):
        assert telemetry.traceparent() is None


def test_where_somebody_records_each_span_continues_the_one_before(exporter: InMemorySpanExporter) -> None:
    with telemetry.span("outer", traceparent=CONTEXT), telemetry.span("inner", attributes={"about": "this"}):
        sent = telemetry.traceparent()
    inner, outer = exporter.get_finished_spans()
    assert (outer.name, inner.name) == ("outer", "inner")
    assert outer.parent is not None
    assert inner.parent is not None
    assert f"{outer.parent.trace_id:032x}" == TRACE
    assert inner.parent.span_id == outer.context.span_id
    assert sent == f"00-{TRACE}-{inner.context.span_id:016x}-01"
    assert outer.resource.attributes["service.name"] == "actium-test"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What a process that was set up as the services are writes to its log."""
    said, root = StringIO(), logging.getLogger()
    before, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "stderr", said)
    root.handlers.clear()
    telemetry.set_up("test")
    yield said
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_of_the_log_is_json_with_the_id_of_the_request_that_it_is_about(said: StringIO) -> None:
    log = logging.getLogger("somewhere")
    token = telemetry.correlation_id.set("req-1")
    log.info("%s things done", 3, extra={"load_balancer_id": "lb1", "took_ms": 1.5})
    telemetry.correlation_id.reset(token)
    log.warning("nobody asked for this")
    asked, own = (json.loads(line) for line in said.getvalue().splitlines())
    assert asked.pop("time").endswith("+00:00")
    assert asked == {
        "level": "info",
        "service": "test",
        "correlation_id": "req-1",
        "message": "3 things done",
        "load_balancer_id": "lb1",
        "took_ms": 1.5,
    }
    assert (own["level"], own["correlation_id"]) == ("warning", "-")


def test_an_exception_stays_in_the_line_of_its_message(said: StringIO) -> None:
    try:
        int("three")
    except ValueError:
        logging.getLogger("somewhere").exception("it failed")
    (line,) = said.getvalue().splitlines()
    first, *_, last = json.loads(line)["exception"].splitlines()
    assert (first.split()[0], last.split(":")[0]) == ("Traceback", "ValueError")
