"""What is counted of requests, and the page of it that a monitoring system reads.

This process has figures of its own, at an address of its own (``api.metrics``): the daemon's page is about the daemon, may be made while
this process does not run, and the other way round. The families are in `mailer-metrics(7)`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mailer.metrics.text import TYPE, escaped, family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Requests:
    """The requests that were answered, by endpoint (its path in the table; ``other`` for what is none) and status.

    There are as many series as there are endpoints and statuses, whatever clients ask for.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self.seconds: Counter[str] = Counter()

    def count(self, endpoint: str, status: int, seconds: float = 0.0) -> None:
        """One more, which took so many `seconds`."""
        self.counts[endpoint, status] += 1
        self.seconds[endpoint] += seconds  # type: ignore[assignment]


def page(requests: Requests, gauges: Callable[[], Iterable[tuple[str, str, float]]]) -> WSGIApplication:
    """What answers requests with those figures. `gauges` are name, sentence and value of what is so at the moment."""

    def answered(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            start("405 Method Not Allowed", [("Allow", "GET")])
            return []
        start("200 OK", [("Content-Type", TYPE)])
        return ["".join(_families(requests, gauges())).encode()]

    return answered


def _families(requests: Requests, gauges: Iterable[tuple[str, str, float]]) -> Iterator[str]:
    counts, seconds = requests.counts.copy(), requests.seconds.copy()
    yield from family(
        "mailer_api_requests_total",
        "counter",
        "Requests by HTTP that were answered, by endpoint (other: there is no such one, or it could not be read) and status.",
        ((f'endpoint="{escaped(endpoint)}",code="{status}"', many) for (endpoint, status), many in sorted(counts.items())),
    )
    yield from family(
        "mailer_api_request_seconds_total",
        "counter",
        "How long their answers took in all, by endpoint.",
        ((f'endpoint="{escaped(endpoint)}"', many) for endpoint, many in sorted(seconds.items())),
    )
    for name, about, value in gauges:
        yield f"# HELP {name} {about}\n# TYPE {name} gauge\n{name} {value:g}\n"
