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
    from collections.abc import Iterable

    from .spans import Span, Traced

LONGEST = 200  # characters of why the collector takes nothing

_ASKING = frozenset({"smtp.send", "smtp.connect", "dns.resolve"})
"""What asks another host."""

# Made once, for there are seven spans in a trace.
_CLIENT, _INTERNAL = SpanKind.CLIENT, SpanKind.INTERNAL
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_WELL = Status()


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
        made: list[ReadableSpan] = []
        for attempt in attempts:
            cause = _cause(attempt)
            trace = _trace(attempt.entry.id) if cause is None else cause.trace_id
            for root in spans(attempt):
                self._make(trace, root, cause, made)
        self._last.text = ""
        if not made or self._exporter.export(made) is SpanExportResult.SUCCESS:
            return ""
        return self._last.text or "it takes nothing"

    def close(self) -> None:
        """Do not try again what is being sent. May be called from another thread."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _make(self, trace: int, span: Span, parent: SpanContext | None, made: list[ReadableSpan]) -> None:
        """Append the span, and those below it."""
        context = SpanContext(trace, random.getrandbits(64) or 1, False, _SAMPLED)
        made.append(
            ReadableSpan(
                span.name,
                context,
                parent,
                self._resource,
                span.attributes,
                [Event(name, timestamp=_nanoseconds(at)) for at, name in span.events] if span.events else (),
                kind=_CLIENT if span.name in _ASKING else _INTERNAL,
                status=Status(StatusCode.ERROR, span.error) if span.error else _WELL,
                start_time=_nanoseconds(span.start),
                end_time=_nanoseconds(span.end),
                instrumentation_scope=self._scope,
            )
        )
        for child in span.children:
            self._make(trace, child, context, made)


def _trace(id: str) -> int:
    """All attempts at one message are one trace, that of its cause where it has one."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:16], "big")


def _cause(attempt: Traced) -> SpanContext | None:
    """The span of whoever handed the message in, where the envelope names it."""
    found = traceparent.parse(str(attempt.entry.envelope.options.get("traceparent", "")))
    if found is None:
        return None
    return SpanContext(found.trace_id, found.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED if found.sampled else 0))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
