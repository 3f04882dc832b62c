"""What is counted of requests: how many each endpoint had, by the status of the answer."""

from __future__ import annotations

from collections import Counter


class Requests:
    """The requests that were answered, by endpoint (its path in the table; ``other`` for what is none) and status."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()

    def count(self, endpoint: str, status: int) -> None:
        """One more. There are as many series as there are endpoints and statuses, whatever clients ask for."""
        self.counts[endpoint, status] += 1
