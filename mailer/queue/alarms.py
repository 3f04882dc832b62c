"""Trouble of ours that mail meets: a person is told of it, and mail waits until it is mended.

A bug must not leave a message in limbo, and memory that runs short must not stop the mail of others: what met it is tried again, and here
is what becomes of it until then. However often it is met, the book of alarms (`mailer.alarms`) makes one of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.shaping.blame import BLAME, kind_of, mended
from mailer.transport import verdict
from mailer.transport.verdict import stops_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.mail.alarm import AlarmKind
    from mailer.mail.outcome import Outcome, Phase

SHORT_OF_MEMORY = 30.0  # seconds, up to twice as many, before what has met the end of the memory is looked at again


class Alarms:
    """The alarms of the queue, which go to `tell`. When memory is short, `shrink` is asked to give up what can be."""

    def __init__(self, clock: SteadyClock, tell: Callable[[Event], None], random: Callable[[], float], shrink: Callable[[], None]) -> None:
        self.clock = clock
        self.tell = tell
        self.random = random
        self._shrink = shrink

    def met(self, what: AlarmKind, problem: str, key: str = "") -> None:
        """Tell an alarm of the kind `what`, whatever was told before."""
        self.tell(Alarm(self.clock.now(), what, problem, key))

    def blame(self, key: str, outcome: Outcome) -> None:
        """Tell that something of ours is wrong at the destination `key`, which somebody has to mend.

        What stops all of its mail has the destination for a key, and ends when the destination takes something; of the rest there
        is one for each cause.
        """
        assert outcome.cause is not None
        relay = key.removeprefix("relay:") if key.startswith("relay:") else ""
        place = f"relay {relay}" if relay else outcome.hop.host or key
        what = kind_of(outcome.cause)
        which = key if what == "login" or stops_all(outcome.phase, outcome.cause) else f"{key} {outcome.cause}"
        text = f"{place}: {BLAME[outcome.cause].what}: {outcome.reply}"
        self.tell(Alarm(self.clock.now(), what, text, which, mended(outcome.cause, relay=relay)))

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
        self.met("memory", f"{what}: this process gets no more memory; it is tried again")
        return self.clock.now() + SHORT_OF_MEMORY * (1 + self.random())
