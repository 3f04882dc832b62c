"""Alarms: trouble of ours that a person has to know of, each kind told once in a while, however much mail meets it.

A bug must not leave a message in limbo, and memory that runs short must not stop the mail of others: what met it is tried again, and here
is what becomes of it until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.shaping.blame import BLAME, kind_of, mended
from mailer.transport import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.events import AlarmKind, Event
    from mailer.io.clock import SteadyClock
    from mailer.mail.outcome import Cause, Outcome, Phase

EVERY = 60.0  # seconds between two alarms of one kind
REMIND = 900.0  # seconds before the same cause at the same destination raises the alarm again
MOST_BLAMED = 1000  # of them, before those are forgotten that were
SHORT_OF_MEMORY = 30.0  # seconds, up to twice as many, before what has met the end of the memory is looked at again


class Alarms:
    """The alarms of the queue, which go to `tell`. When memory is short, `shrink` is asked to give up what can be."""

    def __init__(self, clock: SteadyClock, tell: Callable[[Event], None], random: Callable[[], float], shrink: Callable[[], None]) -> None:
        self.clock = clock
        self.tell = tell
        self.random = random
        self._shrink = shrink
        self._told_at: dict[str, float] = {}
        self._blamed: dict[tuple[str, Cause], float] = {}

    def once(self, what: AlarmKind, problem: str) -> None:
        """Raise an alarm of the kind `what`, unless there was one within `EVERY` seconds: a log that grows would make a full disk worse."""
        now = self.clock.now()
        if not 0 <= now - self._told_at.get(what, -EVERY) < EVERY:
            self._told_at[what] = now
            self.tell(Alarm(now, what, problem))

    def clock_set(self) -> None:
        """Note that somebody has set the clock: what was blamed may be blamed anew."""
        self._blamed.clear()

    def blame(self, key: str, outcome: Outcome) -> None:
        """Tell that something of ours is wrong, which somebody has to mend: once in a while for each destination and cause."""
        assert outcome.cause is not None
        now = self.clock.now()
        if now < self._blamed.get((key, outcome.cause), 0.0):
            return
        if len(self._blamed) >= MOST_BLAMED:
            self._blamed = {each: until for each, until in self._blamed.items() if now < until}
        self._blamed[key, outcome.cause] = now + REMIND
        relay = key.removeprefix("relay:") if key.startswith("relay:") else ""
        to_mend = mended(outcome.cause, relay=relay)
        place = f"relay {relay}" if relay else outcome.hop.host
        text = f"{place}: {BLAME[outcome.cause].what}: {outcome.reply}; to mend it: {to_mend}"
        self.tell(Alarm(now, kind_of(outcome.cause), text))

    def our_fault(self, error: Exception, phase: Phase, recipients: Iterable[int]) -> list[Outcome]:
        """What becomes of `recipients` whose delivery met a bug: it is told, and the message is tried again later.

        That memory is short is none, and no attempt.
        """
        now = self.clock.now()
        if isinstance(error, MemoryError):
            return verdict.short_of_memory(recipients, phase, now, self.out_of_memory("a message could not be delivered"))
        self.tell(Alarm.of(now, error))
        return verdict.bug(recipients, error, phase, now)

    def out_of_memory(self, what: str) -> float:
        """When to look again at what has met the end of the memory, in seconds since the epoch: the rest goes on.

        What can be given up is, and an alarm says so.
        """
        self._shrink()
        self.once("memory", f"{what}: this process gets no more memory; it is tried again")
        return self.clock.now() + SHORT_OF_MEMORY * (1 + self.random())
