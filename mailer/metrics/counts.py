"""What is counted of events. Numbers in memory and nothing else, for this is told of every message.

They begin with 0 when the daemon starts, as counters of Prometheus may. All that there can be are there from the beginning: a counter
that appears with its first 1 has not grown, and the alert on its growth stays silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from mailer.events import Alarm, AlarmKind, Seen, Tried
from mailer.mail.history import RECIPIENT_STATUS

if TYPE_CHECKING:
    from mailer.events import Event


class Counts:
    """A listener that counts: messages that were `seen`, outcomes of recipients by verdict, alarms by what they are about."""

    def __init__(self) -> None:
        self.seen = 0
        self.outcomes = dict.fromkeys(RECIPIENT_STATUS, 0)
        self.alarms = dict.fromkeys(get_args(AlarmKind), 0)

    def told(self, event: Event) -> None:
        """Count `event`, if it is one that is counted."""
        if isinstance(event, Tried):
            for outcome in event.outcomes:
                self.outcomes[outcome.verdict] += 1
        elif isinstance(event, Seen):
            self.seen += 1
        elif isinstance(event, Alarm):
            self.alarms[event.what] = self.alarms.get(event.what, 0) + 1
