"""What is counted, and the page of it that a monitoring system reads: of each queue what became of its messages, of replies and results
whether somebody has them. The families are in `mailer-metrics(7)`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mailer.metrics.text import TYPE, escaped, family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class AmqpFigures:
    """Counts since the process began, and how it stands now."""

    def __init__(self) -> None:
        self.messages: Counter[tuple[str, str]] = Counter()
        """By queue, and accepted, repeat, refused or returned."""
        self.replies: Counter[str] = Counter()
        """``heard`` or ``unheard``; reasons of dead letters among them."""
        self.results: Counter[str] = Counter()
        """Results that were published and confirmed, by the type of the event."""
        self.connections = 0
        self.connected = False
        self.halted = False
        self.held = 0

    def families(self) -> Iterator[str]:
        """All of it as text."""
        yield from family(
            "mailer_amqp_messages_total",
            "counter",
            "Messages of queues, by queue and result: accepted, repeat (of a request that was made before), refused, or returned.",
            ((f'queue="{escaped(queue)}",result="{result}"', many) for (queue, result), many in sorted(self.messages.copy().items())),
        )
        about = "Replies, and reasons of dead letters, by whether a queue took them (heard) or none did (unheard)."
        yield from family("mailer_amqp_replies_total", "counter", about, _labelled("result", self.replies))
        about = "Results that were published and confirmed, by type."
        yield from family("mailer_amqp_results_total", "counter", about, _labelled("type", self.results))
        for name, kind, about, value in (
            ("mailer_amqp_connections_total", "counter", "Visits at the broker that began.", self.connections),
            ("mailer_amqp_connected", "gauge", "Whether the broker is there: mail is taken, and results are given.", self.connected),
            ("mailer_amqp_halted", "gauge", "Whether no mail is taken, as the disk takes none.", self.halted),
            ("mailer_amqp_held", "gauge", "Messages that were delivered and are neither acknowledged nor given back.", self.held),
        ):
            yield f"# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {int(value)}\n"


def page(figures: AmqpFigures) -> WSGIApplication:
    """What answers requests with `figures`."""

    def answered(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            start("405 Method Not Allowed", [("Allow", "GET")])
            return []
        start("200 OK", [("Content-Type", TYPE)])
        return ["".join(figures.families()).encode()]

    return answered


def _labelled(name: str, counts: Counter[str]) -> Iterator[tuple[str, float]]:
    return ((f'{name}="{value}"', many) for value, many in sorted(counts.copy().items()))
