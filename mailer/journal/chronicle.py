"""The chronicle: what has happened and is not in the journal yet, and what of that is in it already.

The recorder tells it all events and has it write before the status of a message, and before its file is unlinked. So the status never
knows what the journal does not, and an event is durable before the last trace of what it is about is gone. While the journal cannot be
written, mail is delivered all the same: the files of what is delivered say so and stay, an alarm is open, and the same lines are tried
again. As many messages as that may be in memory; then delivery waits for the disk, too. Lines have a bound of their own (`MOST`): what is
beyond it is dropped, oldest first, and told anew from the files once the journal can be written (`incomplete`).

After a crash events may be told again, or not have been told at all. What the journal has of the messages that are still in the spool is
read at the start (`mailer.journal.catchup`), and is not written again. This does not cover a status that was deleted: then a message
that has waited for long, and was never tried, may be ``accepted`` twice.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm, AlarmBegun, AlarmOver, Changed, Mended, Seen, Settled, Tried, Unsubscribed
from mailer.spool import first_id, put_at

from . import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.spool.api import Entry

    from .api import Journal, JournalEvent

MOST = 20_000  # lines, of about a kilobyte each in memory
MANY = 200  # recipients of a message whose lines are made at once
AGAIN = 5.0  # seconds between two tries to write what the disk would not take


class Chronicle:
    """What is to be written to `journal`. `knows` says whether the status has a message, which the journal has then, too.

    What daemons before have written down is from before `started`, in seconds since the epoch.
    """

    def __init__(
        self, journal: Journal, clock: Clock, tell: Callable[[Event], None], knows: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.journal = journal
        self.incomplete = False
        """Whether lines were dropped, which the files of the spool still know."""
        self.dropped = 0
        """How many lines that were, in all."""
        self._clock = clock
        self._tell = tell
        self._knows = knows
        self._lines: list[JournalEvent] = []
        self._batch: list[JournalEvent] = []  # that is being written
        self._large: list[Entry] = []  # messages with very many recipients, which are accepted
        self._accepted: set[str] = set()  # messages that were, and were not tried yet
        self._known: set[tuple[str, str, str, str]] = set()
        self._noted: set[tuple[str, str, str, str]] | None = None  # since `recall`, until all that was missed is made good
        self._failing = ""
        self._meanwhile: list[JournalEvent] | None = None  # written since somebody began to read the journal, for `recall`
        self.since = 0.0
        """From when on the journal may miss something that the spool has, in seconds since the epoch; 0.0: it misses nothing."""
        self.started = clock.now()
        self._first = first_id(self.started)

    @property
    def failing(self) -> bool:
        """Whether what was written last could not be."""
        return bool(self._failing)

    @contextmanager
    def recalling(self) -> Iterator[None]:
        """While the journal is read for `recall`: what is written meanwhile may have been missed by that, and counts as known."""
        self._meanwhile = []
        try:
            yield
        finally:
            self._meanwhile = None

    def recall(self, known: Iterable[JournalEvent], since: float) -> None:
        """Take note of what is in the journal of the messages that are in the spool now. From `since` on, something may be missing."""
        self._known = {event.same for event in (*known, *(self._meanwhile or ()), *self._batch, *self._lines)}
        self.started, self.since = self._clock.now(), since
        self._first = first_id(self.started)
        self._noted = set()

    def made_good(self) -> None:
        """What the journal missed was told; what happens from now on is told once."""
        self._noted = None

    # What happens

    def told(self, event: Event) -> None:
        """Note an event of the daemon."""
        if isinstance(event, Tried):
            self._note(lines.tried(event.entry, event.outcomes))
        elif isinstance(event, Seen):
            if event.entry.history.outcomes:
                self.resumed(event.entry)
            else:
                self._accept(event.entry)
        elif isinstance(event, Settled):
            self._accepted.discard(event.entry.id)
        elif isinstance(event, Changed):
            self._accepted.discard(event.entry.id)
            if event.status == "cancelled":
                self._note(lines.cancelled(event.entry))
        elif isinstance(event, Unsubscribed):
            self._note([lines.unsubscribed(event)])
        elif isinstance(event, AlarmBegun):
            self._note([lines.alarm(event.at, event.alarm, event.alarm.text, "begun")])
        elif isinstance(event, AlarmOver):
            self._note([lines.alarm(event.at, event.alarm, event.detail, "over")])

    def resumed(self, entry: Entry) -> bool:
        """Note what the file of a message knows and the journal may not, from before the daemon started; whether there is such."""
        outcomes = entry.history.outcomes
        if not self.since or (outcomes and outcomes[0].at >= self.started):
            return False
        found = lines.before(entry, self.since, self.started)
        if put_at(entry.id) >= self.since or not self._knows(entry.id):
            found = [*lines.accepted(entry), *found]
        count = len(self._lines)
        for event in found:
            if event.same not in self._known and event.same not in (self._noted or ()):
                self._known.add(event.same)
                self._add([event])
        return len(self._lines) > count

    def _accept(self, entry: Entry) -> None:
        """A message is ours; that is told once, however often it is read before it is tried."""
        id = entry.id
        if id in self._accepted:
            return
        self._accepted.add(id)
        if id < self._first and (not self.since or put_at(id) < self.since) and self._knows(id):
            return  # what is younger than that is in the journal, if it was told
        if len(entry.envelope.recipients) > MANY:
            self._large.append(entry)
        else:
            self._note([*lines.accepted(entry)])

    def _note(self, events: list[JournalEvent]) -> None:
        if self._known:
            events = [event for event in events if event.same not in self._known]
        if self._noted is not None:  # its message is in the spool, with what this says
            self._noted.update(event.same for event in events)
        self._add(events)

    def _add(self, events: list[JournalEvent]) -> None:
        self._lines += events
        if len(self._lines) > MOST and self._failing:
            less = len(self._lines) - MOST
            del self._lines[:less]
            self.dropped += less
            self.incomplete = True

    # What is written

    async def write(self) -> bool:
        """Write what has come so far; whether it is durable now. Where it is not, that is told, and the next call tries it again."""
        batch, self._lines = self._lines, []
        large, self._large = self._large, []
        for entry in large:
            for event in lines.accepted(entry):
                if event.same not in self._known:
                    batch.append(event)
                if not len(batch) % MANY:
                    await asyncio.sleep(0)
        if not batch:
            return not self._failing
        self._batch = batch
        try:
            await self.journal.append(batch)
        except (OSError, MemoryError) as error:
            self._failed(getattr(error, "strerror", "") or str(error) or "there is not enough memory")
            self._lines = batch + self._lines
            self._add([])
            return False
        finally:
            self._batch = []
        if self._meanwhile is not None:
            self._meanwhile += batch
        if self._failing:
            self._failing = ""
            self._tell(Mended(self._clock.now(), "journal", "write", "the journal is written again"))
        return True

    def _failed(self, why: str) -> None:
        self._failing = why
        text = f"the journal cannot be written: {why}; what is delivered stays in the spool, marked as delivered, until it can"
        self._tell(Alarm(self._clock.now(), "journal", text, "write"))
