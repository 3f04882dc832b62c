"""What people are shown: the union of the spool and of what a recorder has kept.

The spool is the truth about what is pending, the record about what is over. So a message that is in the spool is
shown as its file says, even if the record has heard of it; one that no daemon has seen shows as ``queued``.
Three cases need care, and each has its rule:

- The record says that it is over and the file is still there: it is looked at once more. If it is gone,
  the message was settled between the two looks; if not, the spool is right.
- The record says that it is pending and no file is there: it has just left the spool, or the power failed. It
  shows as ``sending`` until the daemon has written its end down.
- It is in ``failed/`` and the record knows its end: the record is right, for it hears of later reports too.

Nothing reads more files than it must: the summary counts names, and a list reads what it shows, and beyond that only
messages that the record does not know.
"""

from __future__ import annotations

import os
from bisect import bisect
from functools import cached_property
from heapq import merge
from itertools import takewhile
from typing import TYPE_CHECKING, Self

from mailer.mail.history import DONE, LATER, PENDING, SCHEDULED, STATUSES, UNDELIVERED
from mailer.mail.principal import unix
from mailer.mail.problem import Problem, from_os
from mailer.spool import is_id, put_at
from mailer.spool.api import CorruptMessage, LaterMessage, NoSuchMessage
from mailer.spool.files import daemons
from mailer.spool.files.layout import STATES
from mailer.spool.files.spool import FileSpool

from .api import EVERYTHING, PAGE, PEOPLE, DaemonState, Filter, Page, Summary, Undelivered, Waiting
from .record import Record, of_entry
from .story import Story, classes_of, of_outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.history import Status
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry
    from mailer.spool.files.store import SpoolDirectory

    from .api import DmarcSum, Place, StatusReader, SumReport, TlsSum
    from .received import ReceivedFilter, ReceivedRecord
    from .standing import Standing
    from .story import Attempted

SAME_TIME = 10  # symbols of an ID that say when; those of a report are those of the message that it is about
REMEMBERED = 100  # messages whose reports are kept while recipients are listed
MOST_HEARD = 1000  # reports of others that are told of one message: a host may send as many as it likes
ON_THEIR_WAY = ("queued", "deferred")


class View:
    """The spool in `directory` and what is kept of it at one moment, for a new look a new one; as a context manager, it closes `reader`."""

    def __init__(self, directory: SpoolDirectory, reader: StatusReader) -> None:
        self.directory = directory
        self.spool = FileSpool(directory)
        self.reader = reader
        self._unreadable = 0
        self._later: set[str] = set()
        self._known_unlike: dict[Filter, AbstractSet[str]] = {}
        self._known_lost: dict[Filter, list[tuple[Place, Undelivered]]] = {}
        self._classes: dict[str, dict[int, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is asked any more."""
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
    def daemon(self) -> DaemonState:
        """Whether a daemon runs, and what it has in hand."""
        return DaemonState(*daemons.look(self.directory.place))

    @cached_property
    def places(self) -> dict[str, str]:
        """The state of each message in the spool, by ID. One that is moved meanwhile may be missing, never doubled. Raises `Problem`."""
        try:
            return {id: state for state in STATES for id in self.directory.ids(state)}
        except OSError as error:
            raise from_os("cannot read the spool", error.filename or self.directory.place, error) from None

    @cached_property
    def _reported(self) -> frozenset[str]:
        return frozenset(self.reader.reported())

    @cached_property
    def _unsent(self) -> Mapping[str, Status]:
        return self.reader.unsent()

    # One message

    def message(self, id: str) -> Record | None:
        """What became of message `id`. Raises `Problem` (bad-message) if its file is damaged and nothing else is known."""
        kept = self.reader.record(id)
        try:
            entry = self.directory.read(id)
        except NoSuchMessage:
            return _left(kept)
        except LaterMessage as error:
            self._later.add(id)
            if kept is None:
                raise Problem(f"message {id} cannot be read: {error}", "bad-message") from None
            return kept
        except CorruptMessage as error:
            if kept is None:
                raise Problem(f"the file of message {id} in the spool is damaged: {error}", "bad-message") from None
            return kept
        except OSError as error:
            raise from_os(f"cannot read message {id}", error.filename or self.directory.place, error) from None
        if kept is not None and kept.status in DONE and (entry.state == "failed" or self.directory.find(id) is None):
            return kept
        return self._pending(entry, kept)

    def _pending(self, entry: Entry, kept: Record | None) -> Record:
        """A message of the spool, and what was heard of its recipients since."""
        record = of_entry(entry, "sending" if entry.id in self.daemon.sending else "")
        for at, known in enumerate(kept.recipients[: len(record.recipients)] if kept else ()):
            if known.status in LATER:
                record.recipients[at] = record.recipients[at]._replace(status=known.status)
        return record

    def find(self, name: str) -> list[Record]:
        """The messages that `name` means: an ID, else a Message-ID or a request id; oldest first. No name means none."""
        if not name:
            return []
        id = name.upper()
        if is_id(id):
            record = self.message(id)
            return [record] if record else []
        ids = set(self.reader.named(name))
        records = [record for id in sorted(ids) if (record := self.readable(id))]
        names = {name, f"<{name}>"}
        strangers = (self.readable(id) for id in self._strangers if id not in ids)
        records += [record for record in strangers if record and (record.message_id in names or record.request_id == name)]
        return sorted(records, key=lambda record: record.id)

    def readable(self, id: str) -> Record | None:
        """A message for a list: what is damaged is counted, and what surely waits is not looked up among what is kept."""
        place = self.places.get(id)
        try:
            if place is not None and place != "failed" and id not in self._reported:
                return self._pending(self.directory.read(id, place), None)
        except (NoSuchMessage, CorruptMessage, OSError):
            pass  # it was moved this moment, or more is kept
        try:
            return self.message(id)
        except Problem:
            self._unreadable += id not in self._later
            return None

    def story(self, record: Record, most: int = -1) -> Story:
        """The message of `record` with its attempts, all or the last `most`, its dialogs, and the reports about it."""
        try:
            entry = self.directory.read(record.id)
        except (NoSuchMessage, CorruptMessage, OSError):
            entry = None

        return _told(record, entry, self.reader, self._reports(record), most)

    def _reports(self, record: Record) -> list[Record]:
        """The reports about it. They have no sender, go to its sender, and their IDs begin as its own does."""
        if not record.sender or all(recipient.status == "sent" for recipient in record.recipients):
            return []
        start = record.id[:SAME_TIME]
        ids = {*self.reader.beginning(start), *(id for id in self.places if id.startswith(start))} - {record.id}
        found = [other for id in sorted(ids) if (other := self.readable(id)) is not None]
        return [each for each in found if not each.sender and [r.address for r in each.recipients] == [record.sender]]

    # Many

    def messages(self, wanted: Filter = EVERYTHING, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The messages that are meant, newest first."""
        ids = merge(self.reader.ids(wanted, cursor), self.unrecorded(cursor), reverse=True) if wanted.possible else ()
        return self._read(ids, wanted, limit)

    def queue(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The messages of the spool that are meant, oldest first."""
        if not wanted.possible:
            return Page(())
        behind, unlike = self._by_age[bisect(self._by_age, cursor) :], self._unlike(wanted)
        return self._read((id for id in behind if id not in unlike), wanted, limit)

    def _unlike(self, wanted: Filter) -> AbstractSet[str]:
        """The messages of which it is kept that they are not to or from whom is `wanted`."""
        if wanted not in self._known_unlike:
            some = wanted.to or wanted.sender or wanted.domain
            alike = set(self.reader.ids(wanted._replace(states=frozenset()))) if some else self._unsent.keys()
            self._known_unlike[wanted] = self._unsent.keys() - alike
        return self._known_unlike[wanted]

    def _read(self, ids: Iterable[str], wanted: Filter, limit: int) -> Page[Record]:
        """A page of those that are `wanted`; an ID may come twice."""
        found: list[Record] = []
        people = 0
        last = ""
        for id in ids:
            if id != last and self._may_be(id, wanted) and (record := self._readable(id, wanted)) and wanted.matches(record):
                found.append(record)
                people += len(record.recipients)
                if len(found) >= limit or people >= PEOPLE:
                    return Page(found, id)
            last = id
        return Page(found)

    def _readable(self, id: str, wanted: Filter) -> Record | None:
        """The same as `readable`, with who handed the message in, where that is asked: of what has left, and was no other's, the owner."""
        record = self.readable(id)
        if record is None or record.submitter or not wanted.submitter:
            return record
        return record._replace(submitter=self.reader.submitter(id) or self._owner)

    @cached_property
    def _owner(self) -> str:
        try:
            return unix(os.stat(self.directory.place).st_uid)
        except OSError:
            return ""

    @cached_property
    def _by_age(self) -> list[str]:
        return sorted(self.places)

    @cached_property
    def _strangers(self) -> list[str]:
        """Messages of the spool about whose state what is kept is wrong or silent, newest first."""
        known, places = self._unsent.get, self.places
        return [id for id in reversed(self._by_age) if (status := known(id)) is None or (status in DONE) != (places[id] == "failed")]

    def _may_be(self, id: str, wanted: Filter) -> bool:
        """Whether it is worth reading: what only its directory, or its absence, says."""
        if not wanted.states or not wanted.states.isdisjoint(LATER):
            return True
        place = self.places.get(id)
        if place in (None, "failed") or (place == "deferred" and SCHEDULED in wanted.states):
            return True
        return place in wanted.states or ("sending" in wanted.states and id in self.daemon.sending)

    def undelivered(self, wanted: Filter = EVERYTHING, cursor: str = "", limit: int = PAGE) -> Page[Undelivered]:
        """The recipients that did not get their message, newest first."""
        before = _placed(cursor)
        if not wanted.possible:
            return Page(())
        if wanted not in self._known_lost:
            self._known_lost[wanted] = sorted(self._undelivered_strangers(wanted), key=_first, reverse=True)
        strangers = (each for each in self._known_lost[wanted] if before is None or each[0] < before)
        found: list[Undelivered] = []
        for place, item in merge(self.reader.undelivered(wanted, before), strangers, key=_first, reverse=True):
            found.append(item._replace(reported=self.reported_class(item.id, -place[2])) if item.recipient.status == "bounced" else item)
            if len(found) >= limit:
                return Page(found, "{}-{}-{}".format(*place))
        return Page(found)

    def reported_class(self, id: str, position: int) -> str:
        """The class of what came back for a recipient of message `id`; empty where nothing did."""
        if id not in self._classes:
            if len(self._classes) >= REMEMBERED:
                self._classes.clear()
            self._classes[id] = classes_of(self.reader.heard(id, 1 << 30))
        return self._classes[id].get(position, "")

    def _undelivered_strangers(self, wanted: Filter) -> Iterator[tuple[Place, Undelivered]]:
        """Those of messages of which nothing is kept. What was never tried, in ``queued/``, has none."""
        ids = (id for id in self._strangers if self.places[id] != "queued" and self.reader.record(id) is None)
        for record in filter(None, map(self.readable, ids)):
            for at, recipient in enumerate(record.recipients):
                if recipient.status in UNDELIVERED and recipient.updated_at >= wanted.since and wanted.means(record, recipient):
                    place = round(recipient.updated_at * 1e6), record.id, -at
                    yield place, Undelivered(record.id, record.sender, record.subject, record.status, recipient)

    # Whose mail it is

    def submitter(self, id: str) -> Principal | None:
        """The principal who handed message `id` over; None where nobody did, or nothing is known of it."""
        return self.reader.submitter(id)

    def submitted(self, who: Principal, cursor: str = "", limit: int = PAGE) -> Page[str]:
        """The IDs of what `who` handed over, newest first."""
        found = []
        for id in self.reader.submitted(who, cursor):
            found.append(id)
            if len(found) >= limit:
                return Page(found, id)
        return Page(found)

    def named_of(self, who: Principal, name: str) -> list[str]:
        """The IDs of what `who` handed over under this Message-ID or request id, and of that of which nothing else is known yet."""
        return self.reader.named_of(who, name)

    def unrecorded(self, cursor: str = "") -> Iterator[str]:
        """The IDs in the spool about whose state what is kept is wrong or silent, newest first, those before the ID `cursor`."""
        return (id for id in self._strangers if not cursor or id < cursor)

    # All

    def destinations(self, cursor: str = "", limit: int = PAGE) -> Page[Standing]:
        """The standings of the destinations, as the daemon says, or the last one said, by key."""
        found: list[Standing] = []
        for standing in self.reader.standings(cursor):
            found.append(standing)
            if len(found) >= limit:
                return Page(found, standing.key)
        return Page(found)

    def alarms(self) -> list[OpenAlarm]:
        """The alarms that are open, as the daemon says, or the last one said, the oldest first."""
        return self.reader.alarms()

    def dmarc_sums(self, day: int) -> Iterator[DmarcSum]:
        """What others have counted of mail in a domain's name, on this day (whole days since the epoch) and later."""
        return self.reader.dmarc_sums(day)

    def tls_sums(self, day: int) -> Iterator[TlsSum]:
        """What others have counted of sessions with the hosts of a domain, on this day and later."""
        return self.reader.tls_sums(day)

    def aggregate_reports(self, since: float) -> Iterator[SumReport]:
        """The reports that were counted and end then or later, newest first."""
        return self.reader.aggregate_reports(since)

    def received(self, wanted: ReceivedFilter) -> Iterator[ReceivedRecord]:
        """What came by the doors and is meant, taken and refused, newest first."""
        return self.reader.received(wanted)

    def incoming(self, since: float) -> Mapping[str, int]:
        """How much came by the doors since then, by verdict: accept, mark, hold, refuse."""
        return self.reader.incoming(since)

    def backlog(self, cursor: str = "", limit: int = PAGE) -> Page[Waiting]:
        """Each recipient who waits for his mail, by message; not those whose mail is held."""
        known, places = self._unsent, self.places
        kept = (each for each in self.reader.waiting(cursor) if places.get(each.id) in ON_THEIR_WAY and known.get(each.id) in PENDING)
        found: list[Waiting] = []
        for each in merge(kept, self._waiting_strangers(cursor), key=_of_message):
            if len(found) >= limit and each.id != found[-1].id:
                return Page(found, found[-1].id)
            found.append(each)
        return Page(found)

    def _waiting_strangers(self, cursor: str) -> Iterator[Waiting]:
        for id in reversed([*takewhile(lambda each: each > cursor, self._strangers)]):
            if self.places[id] in ON_THEIR_WAY and (record := self.readable(id)):
                for recipient in record.recipients:
                    if recipient.status in PENDING:
                        yield Waiting(id, record.queued_at, recipient.domain, recipient.host, recipient.why)

    def summary(self, failures: int = 5) -> Summary:
        """Counts without reading a message, unless nothing is kept of it."""
        scheduled = self._scheduled()
        counts = self._counts()
        counts["deferred"] -= len(scheduled)
        counts[SCHEDULED] = len(scheduled)
        words = [(SCHEDULED if id in scheduled else state, id) for id, state in self.places.items()]
        oldest: dict[str, float] = {
            word: put_at(min(ids)) for word in (*STATES[:3], SCHEDULED) if (ids := [id for each, id in words if each == word])
        }
        dues = [(id in scheduled, due) for due, id in self.directory.dues()]
        return Summary(
            self.directory.place,
            self.daemon,
            counts,
            oldest,
            min((due for later, due in dues if not later), default=None),
            min((due for later, due in dues if later), default=None),
            sum(1 for _ in self.directory.names("corrupt")),
            self.undelivered(limit=failures).items,
            len(self.directory.ids("drop")),
            not self.reader.trouble,
        )

    def _scheduled(self) -> set[str]:
        """The messages that are to leave later: as is kept, or as the file says where nothing is kept."""
        known = set(self.reader.scheduled())
        deferred = [id for id, place in self.places.items() if place == "deferred" and id not in self.daemon.sending]
        return {id for id in deferred if (id in known if id in self._unsent else self._is_scheduled(id))}

    def _is_scheduled(self, id: str) -> bool:
        record = self.readable(id)
        return record is not None and record.scheduled

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = dict.fromkeys(STATUSES, 0)
        known = self.reader.counts()
        counts.update((status, known.get(status, 0)) for status in DONE)
        for id, place in self.places.items():
            status = self._unsent.get(id)
            if place == "failed":
                if status not in DONE:
                    counts[self._final(id)] += 1
            else:
                counts["sending" if id in self.daemon.sending else place] += 1
                if status is not None and status in DONE:
                    counts[status] -= 1
        counts["sending"] += sum(1 for id, status in self._unsent.items() if status in PENDING and id not in self.places)
        return counts

    def _final(self, id: str) -> str:
        record = self.readable(id)
        return record.status if record else "failed"


def _left(kept: Record | None) -> Record | None:
    """A message that is not in the spool (any more)."""
    if kept is not None and kept.status in PENDING:
        return kept._replace(status="sending", next_attempt_at=None)
    return kept


def _first(item: tuple[Place, Undelivered]) -> Place:
    return item[0]


def _of_message(item: Waiting) -> str:
    return item.id


def _placed(cursor: str) -> Place | None:
    """The place that a cursor names. Raises `Problem` (usage)."""
    if not cursor:
        return None
    try:
        at, id, position = cursor.split("-", 2)
        return int(at), id, int(position)
    except ValueError:
        raise Problem(f"there is no place {cursor!r} in the list", "usage") from None


def _told(record: Record, entry: Entry | None, kept: StatusReader, reports: Sequence[Record], most: int = -1) -> Story:
    """The story of the message of `record`: what its file (`entry`) and what was `kept` of it know, and the `reports` about it.

    Of its attempts all, or the last ones, so many at `most`.
    """
    known = kept.attempts(record.id, most)
    attempts = _attempts(entry, known)[-most if most >= 0 else None :]
    who = entry.envelope.principal if entry else kept.submitter(record.id)
    arrival = kept.arrival(record.id) or (_arrival(entry) if entry else None)
    missing = list(_missing(kept, entry, len(attempts) > len(known), told=arrival is not None))
    if len(attempts) == most:
        missing.append(f"what was before the last {most} attempts is not shown; the owner of the spool can see all")
    return Story(record, entry, who, attempts, kept.dialogs(record.id), reports, missing, kept.heard(record.id, MOST_HEARD), arrival)


def _arrival(entry: Entry) -> ReceivedRecord | None:
    from .incoming import of_entry  # it knows events, which take as long to load as all that ``status`` needs

    return of_entry(entry)


def _attempts(entry: Entry | None, known: Sequence[Attempted]) -> list[Attempted]:
    """Those that were kept, and those that only the spool has, in the order in which they were made: by the spool's records where it has
    them, for the clock may have been set back meanwhile, else by time.
    """
    found = {(each.position, each.key): each for each in known}
    ranks: dict[int, int] = {}
    for outcome in entry.history.outcomes if entry else ():
        if outcome.moved:
            continue
        mine = of_outcome(outcome, entry.envelope.recipients[outcome.to].address if entry else "")
        at = mine.position, mine.key
        found[at] = found.get(at, mine)._replace(counts=mine.counts)
        ranks.setdefault(mine.key, len(ranks))
    return sorted(found.values(), key=lambda each: (ranks.get(each.key, -1), each.at, each.position))


def _missing(kept: StatusReader, entry: Entry | None, fewer: bool, *, told: bool) -> Iterator[str]:
    if not kept.there:
        why = f" ({kept.trouble})" if kept.trouble else ""
        yield f"there is no status database that can be read{why}: how long each step took, and what was said, is not known"
    elif fewer:
        yield "of some attempts the status database knows nothing: how long each step took, and what was said, is not known"
    if entry is None and not told:
        yield "the message has left the spool, and with it how it was submitted"
