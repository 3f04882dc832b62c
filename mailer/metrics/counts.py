"""What is counted of events. Numbers in memory and nothing else, for this is told of every message.

They begin with 0 when the daemon starts, as counters of Prometheus may. All that there can be are there from the beginning: a counter
that appears with its first 1 has not grown, and the alert on its growth stays silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, Seen, Tried
from mailer.mail.history import RECIPIENT_STATUS

if TYPE_CHECKING:
    from mailer.events import Event

ALARMS: Final = (
    "bug", "clock", "config", "damaged", "descriptors", "disk", "dkim", "doorbell", "drop", "intake", "invariant", "later",
    "login", "memory", "metrics", "pauses", "refused", "report", "reports", "spool", "status", "stuck", "warmup",
)  # fmt: skip
"""The alarms that there are, by `Alarm.what`; a test compares them with the source."""


class Counts:
    """A listener that counts: messages that were `seen`, outcomes of recipients by verdict, alarms by what they are about."""

    def __init__(self) -> None:
        self.seen = 0
        self.outcomes = dict.fromkeys(RECIPIENT_STATUS, 0)
        self.alarms = dict.fromkeys(ALARMS, 0)

    def told(self, event: Event) -> None:
        """Count `event`, if it is one that is counted."""
        if isinstance(event, Tried):
            for outcome in event.outcomes:
                self.outcomes[outcome.verdict] += 1
        elif isinstance(event, Seen):
            self.seen += 1
        elif isinstance(event, Alarm):
            self.alarms[event.what] = self.alarms.get(event.what, 0) + 1
