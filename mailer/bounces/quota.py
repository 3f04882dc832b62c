"""The quota: how many reports one sender gets in an hour, and all senders together.

A program that sends ten thousand messages to addresses that are gone must not get ten thousand reports, nor must the one whose
address it forged; nor must ten thousand forged ones get one each. What is refused here is in the log and in ``mailer bounces``
all the same. Memory is bounded, and nothing is remembered across a restart: the worst that does is another hour's worth.
"""

from __future__ import annotations

from threading import Lock

HOUR = 3600.0  # seconds
EVERYBODY = "*"  # in place of a sender: all together


class Quota:
    """Counts reports by sender, of at most `senders` at a time. Used from several threads."""

    def __init__(self, senders: int = 10_000) -> None:
        self.senders = senders
        self.refused = 0
        """How many reports were not written, in all."""
        self._hours: dict[str, tuple[float, int]] = {}
        self._lock = Lock()

    def take(self, sender: str, limit: int, now: float) -> int:
        """Ask for one report to `sender` at `now` (seconds): 0, or how many were refused within his hour, with this one."""
        with self._lock:
            name = sender.lower()
            began, count = self._hours.pop(name, (now, 0))
            if not 0 <= now - began < HOUR:
                began, count = now, 0
            self._make_room(now)
            self._hours[name] = (began, count + 1)
            over = max(count + 1 - limit, 0)
            self.refused += over > 0
            return over

    def give_back(self, sender: str) -> None:
        """The report that was asked for last was not put, and will be asked for again."""
        with self._lock:
            began, count = self._hours.get(sender.lower(), (0.0, 0))
            if count:
                self._hours[sender.lower()] = (began, count - 1)

    def _make_room(self, now: float) -> None:
        """Forget whose hour is over; if that is nobody, who has asked for nothing for the longest time."""
        if len(self._hours) < self.senders:
            return
        self._hours = {name: hour for name, hour in self._hours.items() if 0 <= now - hour[0] < HOUR}
        while len(self._hours) >= self.senders:
            del self._hours[next(iter(self._hours))]


def worth_telling(over: int) -> bool:
    """Whether the refused report number `over` is told: the first, the tenth, the hundredth, so that the log is no storm either."""
    return str(over).strip("0") == "1"
