"""What is counted, for Prometheus: of each queue what became of its messages, of replies and results whether somebody has them."""

from __future__ import annotations

from collections import Counter


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
