"""The families of what came by the doors, made of `incoming`."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from .incoming import IncomingCounts
    from .row import Buckets


def incoming_families(counts: IncomingCounts) -> Iterator[Metric]:
    """The figures of the doors, one family after the other."""
    taken = CounterMetricFamily(
        "mailer_received_messages", "Messages that were taken at a door, by what filters said.", labels=["door", "verdict"]
    )
    for taken_by, number in counts.taken.copy().items():
        taken.add_metric(taken_by, number)
    yield taken
    octets = CounterMetricFamily("mailer_received_bytes", "The size of these messages.", labels=["door"])
    for door, number in counts.octets.copy().items():
        octets.add_metric([door], number)
    yield octets
    mended = CounterMetricFamily("mailer_received_mended", "Those of them whose line ends had to be put right.", labels=["door"])
    for door, number in counts.mended.copy().items():
        mended.add_metric([door], number)
    yield mended
    refused = CounterMetricFamily(
        "mailer_refusals", "Clients, senders, recipients and messages that a door refused, by why.", labels=["door", "reason"]
    )
    for refused_by, number in counts.refused.copy().items():
        refused.add_metric(refused_by, number)
    yield refused
    logins = CounterMetricFamily("mailer_logins", "Logins of users at a door, by how they ended.", labels=["status"])
    for status, number in counts.logins.copy().items():
        logins.add_metric([status], number)
    yield logins
    seconds = HistogramMetricFamily(
        "mailer_receive_duration_seconds", "From the last octet of a message to the answer: filters, and the disk.", labels=["door"]
    )
    for door, buckets in counts.seconds.items():
        seconds.add_metric([door], _bounds(buckets), sum_value=buckets.sum)
    yield seconds


def _bounds(buckets: Buckets) -> list[tuple[str, float]]:
    """How many values each bound has below it."""
    totals = accumulate(buckets.counts[:])
    return list(zip([*map(str, buckets.bounds), "+Inf"], totals, strict=True))
