"""OpenTelemetry behind the port `actors.tracing`: W3C trace context in, OTLP over HTTP out. Off unless set.

A thread sends; the loop only appends to a bounded queue. A collector that is slow or gone costs spans, which are
counted, and nothing else.
"""

import logging
import re
import time
from collections import deque
from threading import Event, Thread

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from typing_extensions import override

from actors.tracing import TRACES, Told
from serve.settings import RuntimeConfig

_log = logging.getLogger(__name__)

WAITING_MAX = 4_096
"""Spans that wait to be sent; what comes beyond is dropped."""
BATCH_MAX = 512
LINGER_S = 1.0
EXPORT_S = 5.0
COMPLAIN_EVERY_S = 60.0
_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)


class Sending(SpanProcessor):
    """Hands ended spans to an exporter in a thread of its own."""

    def __init__(self, exporter: SpanExporter, waiting_max: int = WAITING_MAX) -> None:
        self._exporter = exporter
        self._waiting: deque[ReadableSpan] = deque()
        self._waiting_max = waiting_max
        self._news, self._closed = Event(), False
        self.sent = self.dropped = self.failed = 0
        """Spans: taken by the collector, without room in the queue, refused or not reached."""
        self._complained_at = -COMPLAIN_EVERY_S
        self._thread = Thread(target=self._send_on, name="traces", daemon=True)
        self._thread.start()

    @override
    def on_end(self, span: ReadableSpan) -> None:
        if len(self._waiting) >= self._waiting_max:
            self.dropped += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= BATCH_MAX and not self._news.is_set():
            self._news.set()

    @override
    def shutdown(self) -> None:
        """Send what waits, as far as the collector takes it within its time."""
        self._closed = True
        self._news.set()
        self._thread.join(EXPORT_S + 1.0)
        self._exporter.shutdown()

    def _send_on(self) -> None:
        while not self._closed:
            self._news.wait(LINGER_S)
            self._news.clear()
            while self._waiting:
                self._send([self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))])

    def _send(self, spans: list[ReadableSpan]) -> None:
        try:
            taken = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:
            taken = False
            _log.debug("exporter: %s", type(error).__name__)
        if taken:
            self.sent += len(spans)
            return
        self.failed += len(spans)
        if time.monotonic() - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = time.monotonic()
            _log.warning(
                "the collector of traces does not take spans: %d lost, %d without room, %d sent so far",
                self.failed,
                self.dropped,
                self.sent,
            )


class _Span:
    """`actors.tracing.Span` of OpenTelemetry."""

    __slots__ = ("_span", "context")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        known = span.get_span_context()
        self.context = f"00-{known.trace_id:032x}-{known.span_id:016x}-01"

    def end(self, **told: Told) -> None:
        self._span.set_attributes(told)
        self._span.end()


class Recording:
    """`actors.tracing.Recorder` of OpenTelemetry."""

    def __init__(self, exporter: SpanExporter, process: str, config: RuntimeConfig) -> None:
        self.sending = Sending(exporter)
        named = {
            "service.name": "boond",
            "service.version": config.version,
            "service.instance.id": f"{config.instance_id}/{process}",
            "process": process,
        }
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(config.traces_ratio)),
            resource=Resource(named),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self.sending)
        self._tracer = provider.get_tracer("boond")

    def root(self, name: str, traceparent: str) -> _Span | None:
        """See `Recorder.root`. A caller that samples is followed; one that does not, too."""
        span = self._tracer.start_span(name, context=context_of(traceparent), kind=SpanKind.SERVER)
        return _Span(span) if span.is_recording() else None

    def begin(self, name: str, within: str) -> _Span:
        """See `Recorder.begin`."""
        return _Span(self._tracer.start_span(name, context=context_of(within)))


def context_of(traceparent: str) -> Context:
    """Return a `traceparent` (W3C Trace Context, 3.2) as a context; an empty one for what is none."""
    # A later version may have more behind its flags, after another dash.
    found = _PARENT.match(traceparent)
    if found is None or (traceparent.startswith("00-") and len(traceparent) != found.end()):
        return Context()
    flags = TraceFlags(int(found["flags"], 16) & TraceFlags.SAMPLED)
    known = SpanContext(int(found["trace"], 16), int(found["span"], 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(NonRecordingSpan(known), Context())


def begin(config: RuntimeConfig, process: str) -> Recording:
    """Record in this process, and send to where the settings say."""
    # It would write a line, with a traceback, each time a collector is away.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    recording = Recording(OTLPSpanExporter(f"{config.traces.rstrip('/')}/v1/traces", timeout=EXPORT_S), process, config)
    TRACES.use(recording)
    _log.info("%g of the requests are traced", config.traces_ratio)
    return recording


def end(recording: Recording) -> None:
    """Record no more, and send what is left."""
    TRACES.use(None)
    recording.sending.shutdown()
