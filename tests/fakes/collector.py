"""A collector of traces: OTLP over HTTP, read with the protocol's own library, and in bad moods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Seen(NamedTuple):
    """A span as it came over the wire; times are seconds."""

    name: str
    trace: bytes
    id: bytes
    parent: bytes
    start: float
    end: float
    attributes: dict[str, Any]
    events: list[str]
    failed: bool


class Collector:
    """Listens at `endpoint`. `answers` is the status of each answer; 0 says nothing until the collector ends."""

    def __init__(self) -> None:
        self.answers = 200
        self.asked = 0
        self.spans: list[Seen] = []
        self.resources: list[dict[str, Any]] = []
        self.come = threading.Condition()
        self.ends = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with collector.come:
                    collector.asked += 1
                    if collector.answers == 200:
                        collector.take(body)
                    collector.come.notify_all()
                if not collector.answers:
                    collector.ends.wait()
                    return
                self.send_response(collector.answers)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def take(self, body: bytes) -> None:
        """Read a request."""
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.resources.append(plain(resource.resource.attributes))
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            span.name,
                            span.trace_id,
                            span.span_id,
                            span.parent_span_id,
                            span.start_time_unix_nano / 1e9,
                            span.end_time_unix_nano / 1e9,
                            plain(span.attributes),
                            [event.name for event in span.events],
                            span.status.code == 2,
                        )
                    )

    def wait(self, what: Any, seconds: float = 60.0) -> None:
        """Wait until `what()` is so."""
        with self.come:
            assert self.come.wait_for(what, seconds), (self.asked, [span.name for span in self.spans])

    def roots(self) -> list[Seen]:
        """The spans that are below none."""
        return [span for span in self.spans if not span.parent]

    def tree(self, root: Seen) -> dict[str, Any]:
        """The names below a span."""
        return {child.name: self.tree(child) for child in self.below(root)}

    def below(self, root: Seen) -> list[Seen]:
        """What is right below a span, in order."""
        return [span for span in self.spans if (span.trace, span.parent) == (root.trace, root.id)]


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.ends.set()
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()
