"""What people are shown: the union of the spool and the database.

The spool is the truth about what is pending, the database about what is over. So a message that is in the spool is
shown as its file says, even if the database has heard of it; one that no daemon has seen shows as ``queued``.
Three cases need care, and each has its rule:

- The database says that it is over and the file is still there: it is looked at once more. If it is gone,
  the message was settled between the two looks; if not, the spool is right.
- The database says that it is pending and no file is there: it has just left the spool, or the power failed. It
  shows as ``sending`` until the daemon has written its end down.
- It is in ``failed/`` and the database knows its end: the database is right, for it hears of later reports too.

Nothing reads more files than it must: the summary counts names, and a list reads what it shows, and beyond that only
messages that the database does not know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Self

from mailer.mail.address import domain_of
from mailer.mail.problem import Problem, from_os
from mailer.spool.api import CorruptMessage, LaterMessage, NoSuchMessage
from mailer.spool.files.layout import STATES, is_id, put_at
from mailer.spool.files.store import SpoolDirectory

from . import daemon
from .filter import EVERYTHING, Filter
from .record import Record, of_entry
from .sqlite.reader import Reader, Undelivered, Waiting
from .sqlite.schema import FINAL, LATER, PENDING, SCHEDULED, STATUSES, UNDELIVERED
from .sqlite.writer import NAME
from .story import Story, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.spool.api import Entry

    from .destinations import Standing

SAME_TIME = 10  # symbols of an ID that say when; those of a report are those of the message that it is about
ON_THEIR_WAY = ("queued", "deferred")


@dataclass(slots=True)
class Summary:
    """The whole spool at a glance. `counts` go by the words that people use, so what is scheduled is not deferred.

    `oldest` is when the oldest message of a state was put, `next_attempt_at` when the first that is deferred is due, and `leaves_at`
    when the first that is scheduled is. `handed_in` are files that other users have left in ``drop/`` and no daemon has taken yet;
    `whole` is whether the database could be read, which knows what has left the spool.
    """

    spool: str
    daemon: daemon.DaemonState
    counts: dict[str, int]
    oldest: dict[str, float]
    next_attempt_at: float | None
    leaves_at: float | None
    corrupt: int
    failures: list[Undelivered] = field(default_factory=list)
    handed_in: int = 0
    whole: bool = True


class View:
    """Spool and database of `spool` at one moment. Make a new one to look again; it is a context manager.

    `notes` says, in lines for a person, what could not be read and is missing.
    """

    def __init__(self, spool: SpoolDirectory) -> None:
        for path in (spool.root, f"{spool.root}/queued"):  # the other directories have the same owner and mode
            if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
                raise Problem(f"you may not read the spool {spool.root}; ask its owner, or run this as that user", "no-permission")
        self.spool = spool
        self.reader = Reader(f"{spool.root}/{NAME}")
        self._unreadable = 0
        self._later: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()

    @property
    def notes(self) -> list[str]:
        """What could not be read, one line each."""
        notes = []
        if self.reader.trouble:
            notes.append(f"the status database cannot be read ({self.reader.trouble}): this is what the spool knows, without history")
        if self.reader.damaged:
            notes.append(f"{self.reader.damaged} damaged rows of the status database are left out")
        if self._unreadable:
            notes.append(f"{self._unreadable} unreadable files of the spool are left out; the daemon sets them aside in corrupt/")
        if self._later:
            files = "1 file" if len(self._later) == 1 else f"{len(self._later)} files"
            notes.append(f"left out: {files} of the spool that a later version of mailer wrote, and can deliver")
        return notes

    @cached_property
    def daemon(self) -> daemon.DaemonState:
        """Whether a daemon runs, and what it has in hand."""
        return daemon.look(self.spool.root)

    @cached_property
    def places(self) -> dict[str, str]:
        """The state of each message in the spool, by ID. One that is moved meanwhile may be missing, never doubled. Raises `Problem`."""
        try:
            return {id: state for state in STATES for id in self.spool.ids(state)}
        except OSError as error:
            raise from_os("cannot read the spool", error.filename or self.spool.root, error) from None

    @cached_property
    def _reported(self) -> frozenset[str]:
        return frozenset(self.reader.reported())

    @cached_property
    def _unsent(self) -> dict[str, str]:
        return self.reader.unsent()

    # One message

    def message(self, id: str) -> Record | None:
        """What became of message `id`. Raises `Problem` (bad-message) if its file is damaged and nothing else is known."""
        row = self.reader.record(id)
        try:
            entry = self.spool.read(id)
        except NoSuchMessage:
            return self._left(row)
        except LaterMessage as error:
            self._later.add(id)
            if row is None:
                raise Problem(f"message {id} cannot be read: {error}", "bad-message") from None
            return row
        except CorruptMessage as error:
            if row is None:
                raise Problem(f"the file of message {id} in the spool is damaged: {error}", "bad-message") from None
            return row
        except OSError as error:
            raise from_os(f"cannot read message {id}", error.filename or self.spool.root, error) from None
        if row is not None and row.status in FINAL and (entry.state == "failed" or self.spool.find(id) is None):
            return row
        return self._pending(entry, row)

    def _pending(self, entry: Entry, row: Record | None) -> Record:
        """A message of the spool, and what the database has heard of its recipients since."""
        record = of_entry(entry, sending=entry.id in self.daemon.sending)
        for mine, known in zip(record.recipients, row.recipients if row else (), strict=False):
            if known.status in LATER:
                mine.status = known.status
        return record

    def _left(self, row: Record | None) -> Record | None:
        """A message that is not in the spool (any more)."""
        if row is not None and row.status in PENDING:
            row.status, row.next_attempt_at = "sending", None
        return row

    def find(self, name: str) -> list[Record]:
        """The messages that `name` means: an ID, else a Message-ID or a request id; oldest first."""
        id = name.upper()
        if is_id(id):
            record = self.message(id)
            return [record] if record else []
        ids = set(self.reader.named(name))
        records = [record for id in sorted(ids) if (record := self.readable(id))]
        names = {name, f"<{name}>"}
        strangers = (self.readable(id) for id in self._strangers() if id not in ids)
        records += [record for record in strangers if record and (record.message_id in names or record.request_id == name)]
        return sorted(records, key=lambda record: record.id)

    def readable(self, id: str) -> Record | None:
        """A message for a list: what is damaged is counted, and what surely waits is not looked up in the database."""
        place = self.places.get(id)
        try:
            if place is not None and place != "failed" and id not in self._reported:
                return self._pending(self.spool.read(id, place), None)
        except (NoSuchMessage, CorruptMessage, OSError):
            pass  # it was moved this moment, or the database knows more
        try:
            return self.message(id)
        except Problem:
            self._unreadable += id not in self._later
            return None

    def story(self, record: Record, most: int = -1) -> Story:
        """The whole story of the message of `record`, with all of its attempts or the last ones, so many at `most`."""
        try:
            entry = self.spool.read(record.id)
        except (NoSuchMessage, CorruptMessage, OSError):
            entry = None
        return tell(record, entry, self.reader, self._reports(record), most)

    def _reports(self, record: Record) -> list[Record]:
        """The reports about it. They have no sender, go to its sender, and their IDs begin as its own does."""
        if not record.sender or all(recipient.status == "sent" for recipient in record.recipients):
            return []
        start = record.id[:SAME_TIME]
        ids = {*self.reader.beginning(start), *(id for id in self.places if id.startswith(start))} - {record.id}
        found = [other for id in sorted(ids) if (other := self.readable(id)) is not None]
        return [each for each in found if not each.sender and [r.address for r in each.recipients] == [record.sender]]

    # Many

    def messages(self, wanted: Filter = EVERYTHING) -> Iterator[Record]:
        """The messages that are meant, newest first."""
        if not wanted.possible:
            return
        last = ""
        for id in merge(self.reader.ids(wanted), self._strangers(), reverse=True):
            if id != last and self._may_be(id, wanted) and (record := self.readable(id)) and wanted.matches(record):
                yield record
            last = id

    def queue(self, wanted: Filter) -> Iterator[Record]:
        """The messages of the spool that are meant, oldest first."""
        if not wanted.possible:
            return
        unlike: set[str] = set()  # the database knows who they are to and from, and they are not what is wanted
        if wanted.to or wanted.sender or wanted.domain:
            unlike = self._unsent.keys() - set(self.reader.ids(replace(wanted, states=frozenset())))
        for id in sorted(self.places):
            if id not in unlike and self._may_be(id, wanted) and (record := self.readable(id)) and wanted.matches(record):
                yield record

    def _strangers(self) -> Iterator[str]:
        """Messages of the spool about whose state the database is wrong or silent, newest first."""
        for id in sorted(self.places, reverse=True):
            known = self._unsent.get(id)
            if known is None or (known in FINAL) != (self.places[id] == "failed"):
                yield id

    def _may_be(self, id: str, wanted: Filter) -> bool:
        """Whether it is worth reading: what only its directory, or its absence, says."""
        if not wanted.states or not wanted.states.isdisjoint(LATER):
            return True
        place = self.places.get(id)
        if place in (None, "failed") or (place == "deferred" and SCHEDULED in wanted.states):
            return True
        return place in wanted.states or ("sending" in wanted.states and id in self.daemon.sending)

    def undelivered(self, wanted: Filter = EVERYTHING) -> Iterator[Undelivered]:
        """The recipients that did not get their message, newest first."""
        if not wanted.possible:
            return iter(())
        strangers = sorted(self._undelivered_strangers(wanted), key=_when, reverse=True)
        return merge(self.reader.undelivered(wanted), strangers, key=_when, reverse=True)

    def _undelivered_strangers(self, wanted: Filter) -> Iterator[Undelivered]:
        """Those of messages that the database does not have. What was never tried, in ``queued/``, has none."""
        ids = (id for id in self._strangers() if self.places[id] != "queued" and self.reader.record(id) is None)
        for record in filter(None, map(self.readable, ids)):
            for recipient in record.recipients:
                if recipient.status in UNDELIVERED and recipient.updated_at >= wanted.since and wanted.means(record, recipient):
                    yield Undelivered(record.id, record.sender, record.subject, record.status, recipient)

    # All

    def standings(self) -> list[Standing]:
        """The standings of the destinations, as the daemon says, or the last one said."""
        return self.reader.standings()

    def waiting(self) -> Iterator[Waiting]:
        """Each recipient who waits for his mail, in no order; not those whose mail is held."""
        strangers = set(self._strangers())
        for each in self.reader.waiting():
            if each.id not in strangers and self.places.get(each.id) in ON_THEIR_WAY:
                yield each
        for id in strangers:
            if self.places[id] in ON_THEIR_WAY and (record := self.readable(id)):
                for recipient in record.recipients:
                    if recipient.status in PENDING:
                        domain = domain_of(recipient.address)
                        yield Waiting(id, record.queued_at, domain, recipient.host, recipient.why)

    def summary(self, failures: int = 5) -> Summary:
        """The spool at a glance, with so many `failures`, counted without reading a message that the database knows."""
        scheduled = self._scheduled()
        counts = self._counts()
        counts["deferred"] -= len(scheduled)
        counts[SCHEDULED] = len(scheduled)
        words = [(SCHEDULED if id in scheduled else state, id) for id, state in self.places.items()]
        oldest = {word: put_at(min(ids)) for word in (*STATES[:3], SCHEDULED) if (ids := [id for each, id in words if each == word])}
        dues = [(id in scheduled, due) for due, id in self.spool.dues()]
        return Summary(
            self.spool.root,
            self.daemon,
            counts,
            oldest,
            min((due for later, due in dues if not later), default=None),
            min((due for later, due in dues if later), default=None),
            sum(1 for _ in self.spool.names("corrupt")),
            list(islice(self.undelivered(), failures)),
            len(self.spool.ids("drop")),
            not self.reader.trouble,
        )

    def _scheduled(self) -> set[str]:
        """The messages that are to leave later: as the database says, or the file where the database does not know them."""
        known = set(self.reader.scheduled())
        deferred = [id for id, place in self.places.items() if place == "deferred" and id not in self.daemon.sending]
        return {id for id in deferred if (id in known if id in self._unsent else self._is_scheduled(id))}

    def _is_scheduled(self, id: str) -> bool:
        record = self.readable(id)
        return record is not None and record.scheduled

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(STATUSES, 0)
        known = self.reader.counts()
        counts.update((status, known.get(status, 0)) for status in FINAL)
        for id, place in self.places.items():
            status = self._unsent.get(id)
            if place == "failed":
                if status not in FINAL:
                    counts[self._final(id)] += 1
            else:
                counts["sending" if id in self.daemon.sending else place] += 1
                if status in FINAL:
                    counts[status] -= 1
        counts["sending"] += sum(1 for id, status in self._unsent.items() if status in PENDING and id not in self.places)
        return counts

    def _final(self, id: str) -> str:
        record = self.readable(id)
        return record.status if record else "failed"


def _when(item: Undelivered) -> float:
    return item.recipient.updated_at
