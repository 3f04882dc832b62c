"""What is counted of our own mailboxes: letters that were put into them, and how long that took.

Counted by threads side by side (`mailer.transport.writers`), under a lock of its own.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Literal

from .row import SECONDS, Buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

Became = Literal["put", "there", "kept_back"]
"""What became of a letter: it was put, had been before, or has to wait or fail, as the reply to it says."""


class MailboxCounts:
    """What was counted since the daemon began; `waiting` letters were not put yet."""

    def __init__(self) -> None:
        self.letters: Counter[Became] = Counter({"put": 0, "there": 0, "kept_back": 0})
        self.seconds = Buckets(SECONDS)
        self.waiting = 0
        self._lock = Lock()

    def came(self) -> None:
        """Count a letter that waits."""
        with self._lock:
            self.waiting += 1

    def done(self, became: Sequence[Became], seconds: float) -> None:
        """Count letters for one mailbox that one thread had at once, for so long."""
        with self._lock:
            self.waiting -= len(became)
            self.letters.update(became)
            self.seconds.add(seconds)
