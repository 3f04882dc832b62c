"""The time that clients have: for a command, for a message, and in all. Each door measures by it, whatever is spoken there."""

from __future__ import annotations

from dataclasses import dataclass

BEGIN = 60.0  # seconds that each message has
LEAST = 500.0  # octets a second of one that takes longer
ANSWERS = 60.0  # seconds that a client may take to read what we said
TURN = 0.005  # seconds after which others have theirs, however many commands have come at once


@dataclass(frozen=True, slots=True)
class Pace:
    """What a client may take, in seconds: for a `command`, the same while most places are taken (`brisk`), for a `message`, and in all."""

    command: float = 300.0  # RFC 5321 §4.5.3.2.7
    brisk: float = 60.0
    message: float = 1800.0
    session: float = 3600.0

    def of_message(self, octets: int) -> float:
        """What a message may take of which so many octets have come."""
        return min(self.message, max(BEGIN, octets / LEAST))
