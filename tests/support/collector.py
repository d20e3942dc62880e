"""A collector of traces, OTLP over HTTP, in this process: it decodes what it is sent and can be told to refuse."""

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typing_extensions import override


class Received(Struct, frozen=True):
    """A span as it arrived, ids in hexadecimal; `process` is of its resource."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    process: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, Any]


class Collector:
    """Listens on a free port of loopback while it is entered."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.refuses = False
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/traces" and not collector.refuses:
                    collector.spans += _decoded(body)
                self.send_response(400 if collector.refuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def trace(self, trace_id: str) -> list[Received]:
        """Return the spans of a trace as they began."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.began_ns)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _decoded(body: bytes) -> list[Received]:
    found = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = next(a.value.string_value for a in resource.resource.attributes if a.key == "process")
        found += [_received(span, process) for scope in resource.scope_spans for span in scope.spans]
    return found


def _received(span: Any, process: str) -> Received:
    told = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Received(*ids, span.name, process, span.start_time_unix_nano, span.end_time_unix_nano, told)


def tree(spans: list[Received], root: str) -> dict[str, str]:
    """Return which named span each is a part of; those that are a part of none here stand below `root`."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id, root) for span in spans}
