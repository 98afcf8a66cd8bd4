"""What ties messages of one request together: passed on where nobody records, a span each where somebody does."""

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
