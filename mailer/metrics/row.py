"""One row of figures: all that is counted of one host, in plain numbers. It is what [002] §9.2.1 names; the gauges are read elsewhere.

A figure costs an addition, and a histogram one more and a bisection: this is what each message passes through.
"""

from __future__ import annotations

from bisect import bisect_left

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of what a delivery or a connection takes; [002] §10.1 wants half of all connections within 0.5 s, and nearly all within 2."""

LIFETIMES = (0.1, 1.0, 5.0, 15.0, 60.0, 150.0, 300.0, 600.0, 1800.0, 3600.0)
"""Bounds of how long a connection lasts, in seconds."""

SIZES = (1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 5 << 20, 10 << 20, 25 << 20)
"""Bounds of the size of a message, in bytes."""

RECIPIENTS = (1, 2, 5, 10, 50, 100, 1000)
"""Bounds of the number of recipients."""

RETRIES = ("1", "2", "3", "4", "5+")
"""Which retry it was, in words."""


class Buckets:
    """A histogram: how many values were at most each of `bounds` and more than the one before, how many above all, and their `sum`."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class HostRow:
    """The figures of one host, or of all `other` ones together."""

    __slots__ = (
        "acquired", "failed", "failure", "label", "lasted", "limited", "logins", "recent", "recipients", "retries", "sent",
        "sizes", "success", "tls",
    )  # fmt: skip

    def __init__(self, label: str) -> None:
        self.label = label
        self.recent = 0
        """How often it was called since it was looked last who is busy."""
        self.success = 0
        self.failure = 0
        self.failed: dict[str, int] = {}
        """Failures by kind."""
        self.sent = Buckets(SECONDS)
        self.sizes = Buckets(SIZES)
        self.recipients = Buckets(RECIPIENTS)
        self.lasted = Buckets(LIFETIMES)
        self.acquired = Buckets(SECONDS)
        self.logins: dict[tuple[str, str], int] = {}
        """Logins by method and how they ended."""
        self.tls = {"success": 0, "failure": 0}
        self.limited = 0
        self.retries = [0] * len(RETRIES)
