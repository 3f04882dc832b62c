"""The families of our own mailboxes, made of what was counted of them."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from .mailboxes import MailboxCounts


def mailbox_families(counts: MailboxCounts) -> Iterator[Metric]:
    """The figures of our own mailboxes, one family after the other."""
    letters = CounterMetricFamily("mailer_mailbox_letters", "Letters for our own mailboxes, by what became of them.", labels=["status"])
    for status, number in counts.letters.copy().items():
        letters.add_metric([status], number)
    yield letters
    about = "What a thread took to put all letters into a mailbox that waited for it at once, the disk included."
    seconds = HistogramMetricFamily("mailer_mailbox_put_duration_seconds", about)
    totals = accumulate(counts.seconds.counts[:])
    seconds.add_metric([], list(zip([*map(str, counts.seconds.bounds), "+Inf"], totals, strict=True)), sum_value=counts.seconds.sum)
    yield seconds
    yield GaugeMetricFamily("mailer_mailbox_letters_waiting", "Letters that were not put yet, now.", counts.waiting)
