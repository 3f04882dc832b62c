"""Spans as OpenTelemetry has them, and the way to the collector: OTLP over HTTP. The only place that knows the libraries."""

from __future__ import annotations

import hashlib
import logging
import random
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from mailer.mail import traceparent

from .spans import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .spans import Span, Traced

LONGEST = 200  # characters of why the collector takes nothing

_CLIENT = frozenset({"smtp.send", "smtp.connect", "dns.resolve"})
"""What asks another host."""


class _Last(logging.Handler):
    """What the libraries said last; it goes nowhere else."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()[:LONGEST]


class _Same(Resource):
    """A resource that is equal to itself alone: it is asked for each span, and the library's own would become JSON each time."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class Otlp:
    """The way to the collector at `endpoint`, who has `seconds` to answer. `name` is this machine's, `version` the program's."""

    def __init__(self, endpoint: str, seconds: float, name: str, version: str) -> None:
        self._last = _Last()
        for library in ("opentelemetry", "urllib3"):
            logger = logging.getLogger(library)
            logger.propagate = False
            logger.handlers[:] = [self._last]
        self._exporter = OTLPSpanExporter(endpoint, timeout=seconds)
        about = Resource.create({"service.name": "mailer", "service.version": version, "host.name": name})
        self._resource = _Same(about.attributes, about.schema_url)
        self._scope = InstrumentationScope("mailer", version)

    def send(self, attempts: Iterable[Traced]) -> str:
        """Send the traces of these; why they were not taken, or nothing."""
        made = [span for attempt in attempts for root in spans(attempt) for span in self._made(attempt.entry.id, root, _cause(attempt))]
        self._last.text = ""
        if not made or self._exporter.export(made) is SpanExportResult.SUCCESS:
            return ""
        return self._last.text or "it takes nothing"

    def close(self) -> None:
        """Do not try again what is being sent. May be called from another thread."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _made(self, id: str, span: Span, parent: SpanContext | None) -> Iterator[ReadableSpan]:
        """The span and those below it. All attempts at one message are one trace, that of its cause where it has one."""
        trace = int.from_bytes(hashlib.sha256(id.encode()).digest()[:16], "big") if parent is None else parent.trace_id
        context = SpanContext(trace, random.getrandbits(64) or 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        yield ReadableSpan(
            span.name,
            context,
            parent,
            self._resource,
            span.attributes,
            [Event(name, timestamp=_nanoseconds(at)) for at, name in span.events],
            kind=SpanKind.CLIENT if span.name in _CLIENT else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=_nanoseconds(span.start),
            end_time=_nanoseconds(span.end),
            instrumentation_scope=self._scope,
        )
        for child in span.children:
            yield from self._made(id, child, context)


def _cause(attempt: Traced) -> SpanContext | None:
    """The span of whoever handed the message in, where the envelope names it."""
    found = traceparent.parse(str(attempt.entry.envelope.options.get("traceparent", "")))
    if found is None:
        return None
    return SpanContext(found.trace_id, found.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED if found.sampled else 0))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
