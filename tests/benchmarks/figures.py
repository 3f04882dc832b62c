#!/usr/bin/env python3
"""What figures cost: a message that is counted, beside the same with prometheus_client, and a page of 200 hosts.

    python tests/benchmarks/figures.py [-n 100000] [--hosts 200] [--rounds 5]

Counted is what the daemon counts of one delivered message: the recipient, and what is kept of its host (sent, how long it took, its
size, its recipients). prometheus_client does the same with a labelled counter and three labelled histograms, once looked up by
``labels`` each time, and once with children that are kept. All take turns in one run, and the processor's time counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.events import Tried
from mailer.mail.outcome import Hop
from mailer.metrics.counts import Counts
from mailer.metrics.page import Figures, application
from mailer.metrics.queue_figures import QueueFigures
from mailer.metrics.readers import answer
from mailer.metrics.row import RECIPIENTS, SECONDS, SIZES
from mailer.queue.invariants import Invariants
from tests.benchmarks.measure import figure, ratio
from tests.fakes.mail import NOW, entry_of, outcome
from tests.queue.post import Post

MOST_A_MESSAGE = 5.0  # microseconds
MOST_A_PAGE = 50.0  # milliseconds


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=100_000, help="messages of one round (default %(default)s)")
    parser.add_argument("--hosts", type=int, default=200, help="hosts that take turns (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default %(default)s)")
    given = parser.parse_args()
    events = told(given.hosts)
    counts = Counts(given.hosts)
    contenders: dict[str, Callable[[Tried], None]] = {
        "own dictionaries and buckets": counts.told,
        "prometheus_client, labels() each time": Library().labelled,
        "prometheus_client, children that are kept": Library().kept,
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(given.rounds):
        for name, count in contenders.items():
            found[name].append(1e6 * spent(count, events, given.count) / given.count)
    middle = {name: figure(f"a message counted, {name}", values, "us of processor", 2) for name, values in found.items()}
    ours = middle.pop("own dictionaries and buckets")
    for name, theirs in middle.items():
        ratio(f"a message counted, ours / {name}", ours, theirs, f"ours must be at most {MOST_A_MESSAGE:g} us")
    with tempfile.TemporaryDirectory() as place:
        pages, size = reading(counts, Path(place), given.rounds)
    about = f"a page of {given.hosts} hosts, all families"
    figure(about, pages, "ms of processor", 1, size=f"{size / 1024:.0f} KiB", at_most=f"{MOST_A_PAGE:g} ms")


def reading(counts: Counts, place: Path, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of the processor for each of some pages, and the size of one in bytes."""
    for row in counts.hosts.rows.values():
        row.lasted.add(20.0)
        row.acquired.add(0.1)
        row.logins["plain", "success"] = row.failed["no_mailbox"] = row.failed["timeout"] = 1
    manager = Post(place).manager
    page = application(Figures(counts, QueueFigures(manager), Invariants(manager)))
    request, size, found = b"GET /metrics HTTP/1.1\r\n\r\n", 0, []
    for _ in range(rounds):
        begin = time.process_time()
        size = len(answer(page, request))
        found.append(1e3 * (time.process_time() - begin))
    return found, size


def told(hosts: int) -> list[Tried]:
    """A delivered message for each host."""
    return [
        Tried(NOW, entry_of(f"you@host{number}.example"), [outcome(0, "delivered", phase="body", hop=hop_of(number))])
        for number in range(hosts)
    ]


def hop_of(number: int) -> Hop:
    """Where the host with that number is."""
    return Hop(f"mx.host{number}.example", "192.0.2.1", 25, "opportunistic", "TLSv1.3 verified")


def spent(count: Callable[[Tried], None], events: list[Tried], times: int) -> float:
    """Seconds of the processor for `times` events, the hosts in turns."""
    begin = time.process_time()
    for at in range(times):
        count(events[at % len(events)])
    return time.process_time() - begin


class Library:
    """The same with prometheus_client."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.sent = Counter("sent", "x", ["host", "status"], registry=registry)
        self.seconds = Histogram("seconds", "x", ["host"], buckets=SECONDS, registry=registry)
        self.size = Histogram("size", "x", ["host"], buckets=SIZES, registry=registry)
        self.recipients = Histogram("recipients", "x", ["host"], buckets=RECIPIENTS, registry=registry)
        self.children: dict[str, tuple[Counter, Histogram, Histogram, Histogram]] = {}

    def labelled(self, event: Tried) -> None:
        """With a look-up for each figure."""
        first = event.outcomes[0]
        host = first.hop.host
        self.sent.labels(host=host, status="success").inc()
        self.seconds.labels(host=host).observe(first.seconds)
        self.size.labels(host=host).observe(event.entry.size)
        self.recipients.labels(host=host).observe(len(event.outcomes))

    def kept(self, event: Tried) -> None:
        """With one look-up for all."""
        first = event.outcomes[0]
        host = first.hop.host
        children = self.children.get(host)
        if children is None:
            children = self.children[host] = (
                self.sent.labels(host=host, status="success"),
                self.seconds.labels(host=host),
                self.size.labels(host=host),
                self.recipients.labels(host=host),
            )
        children[0].inc()
        children[1].observe(first.seconds)
        children[2].observe(event.entry.size)
        children[3].observe(len(event.outcomes))


if __name__ == "__main__":
    main()
