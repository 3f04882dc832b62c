"""What became of mail, in memory: a `StatusRecorder` and its `StatusReader`, for tests and for whoever needs no history.

Made of the same values that people are shown, with no table and no text in between, so it says what a status is, and what of
`mailer.status.sqlite` is only about a database. It is gone with the process.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Literal

from mailer.aggregate.summary import DAY, DmarcReport, TlsReport, day_of
from mailer.events import (
    AlarmsOpen,
    Changed,
    Corrupt,
    LoginFailed,
    ReportsHeard,
    Seen,
    Settled,
    Standings,
    TakenIn,
    Tried,
    TurnedAway,
)
from mailer.mail.history import LATER, PENDING, UNDELIVERED
from mailer.spool import first_id

from . import incoming
from .api import PAGE, DmarcSum, Page, PutOff, SumReport, TlsSum, Undelivered, Waiting
from .received import EACH, ReceivedFilter
from .record import of_entry
from .story import DIALOGS_EACH, DIALOGS_OF_MESSAGE, DialogLine, of_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.aggregate.summary import AggregateReport, DmarcSource, TlsResult
    from mailer.events import Event
    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.history import Status
    from mailer.mail.outcome import Outcome
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry

    from .api import Counted, Filter, Place
    from .received import FoldKey, ReceivedRecord
    from .record import RecipientRecord, Record
    from .standing import Standing
    from .story import Attempted, HeardReport

LOST = "it has left the spool; the record of its last attempt was lost"


class MemoryRecorder:
    """A recorder that keeps everything that was told, by message. `owner` is whose mail has no submitter of its own."""

    def __init__(self, owner: Principal | None = None) -> None:
        self.owner = owner
        self.incomplete = False
        self._lock = threading.RLock()
        self.records: dict[str, Record] = {}
        self.attempts: dict[str, dict[tuple[int, int], Attempted]] = {}
        self.dialogs: dict[str, dict[int, tuple[int, list[DialogLine]]]] = {}
        self.submitters: dict[str, Principal] = {}
        self.standings: dict[str, Standing] = {}
        self.heard: dict[tuple[str, int], HeardReport] = {}
        self.open: list[OpenAlarm] = []
        self.arrivals: dict[str, ReceivedRecord] = {}
        self.refusals: dict[FoldKey, ReceivedRecord] = {}
        self.aggregates: dict[tuple[object, ...], tuple[AggregateReport, float, bool]] = {}

    # What is told

    async def write(self, events: Sequence[Event]) -> None:
        """Take note of a batch."""
        with self._lock:
            for event in events:
                self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case Seen(entry=entry):
                self._write(entry, "", 0.0, entry.history.outcomes)
            case Tried(entry=entry, outcomes=outcomes):
                self._write(entry, "sending", 0.0, outcomes)
            case Settled(entry=entry, status=status, due=due):
                self._write(entry, status, due, [*entry.history.last.values()])
            case Changed(entry=entry, status=status):
                self._write(entry, status, 0.0, [*entry.history.last.values()])
            case Corrupt(id=id, reason=reason, at=at) if id in self.records:
                self._lose(id, f"its file in the spool is damaged: {reason}", at)
            case Standings(changed=changed, gone=gone, first=first, at=at):
                if first:
                    self.standings.clear()
                self.standings.update((each.key, each._replace(updated_at=at)) for each in changed)
                for key in gone:
                    self.standings.pop(key, None)

            case ReportsHeard(reports=reports):
                for report in reports:
                    self._hear(report)
            case TakenIn() | TurnedAway() | LoginFailed():
                self._receive(incoming.of(event))
            case AlarmsOpen(alarms=alarms):
                self.open = sorted(alarms, key=lambda each: (each.since, each.kind, each.key))

    def _write(self, entry: Entry, said: Status | Literal[""], due: float, outcomes: Sequence[Outcome]) -> None:
        id = entry.id
        record, before = of_entry(entry, said, due), self.records.get(id)
        if record.status == "sent":
            record = record._replace(error="")
        for at, known in enumerate(before.recipients if before else ()):  # a report is news that the spool does not have
            if known.status in LATER and record.recipients[at].updated_at <= known.updated_at:
                record.recipients[at] = known
        self.records[id] = record
        if (who := entry.envelope.principal) is not None and who != self.owner:
            self.submitters.setdefault(id, who)
        for outcome in outcomes:
            if not outcome.moved:
                self._attempted(entry, outcome, said)

    def _attempted(self, entry: Entry, outcome: Outcome, said: str) -> None:
        trace, mine = outcome.trace, of_outcome(outcome, entry.envelope.recipients[outcome.to].address)
        if trace is not None:
            mine = mine._replace(steps=json.loads(trace.steps()), reused=trace.reused)
        self.attempts.setdefault(entry.id, {}).setdefault((mine.position, mine.key), mine)
        if trace is None or outcome.verdict == "delivered" or said == "sent":
            return
        lines = [DialogLine(*line) for line in json.loads(trace.dialog())]
        kept = self.dialogs.setdefault(entry.id, {})
        kept.setdefault(mine.key, (mine.position, lines))
        newest = sorted(kept, reverse=True)
        nth: dict[int, int] = {}
        for rank, key in enumerate(newest):
            position = kept[key][0]
            nth[position] = nth.get(position, 0) + 1
            if nth[position] > DIALOGS_EACH or rank >= DIALOGS_OF_MESSAGE:
                del kept[key]

    def _receive(self, record: ReceivedRecord) -> None:
        if record.taken:
            self.arrivals.setdefault(record.id, record)
            return
        hour, network, reason, *_ = record.fold
        alike = sum(key[:3] == (hour, network, reason) and not key[-1] for key in self.refusals)
        mine = record if record.fold in self.refusals or alike < EACH else record.in_crowd
        before = self.refusals.get(mine.fold)
        self.refusals[mine.fold] = mine if before is None else before.again(mine)

    def _hear(self, report: HeardReport) -> None:
        self.heard.setdefault((report.id, report.nth), report)
        record = self.records.get(report.message)
        if record is None or (status := report.makes) is None or report.position >= len(record.recipients):
            return
        known = record.recipients[report.position]
        if known.status not in ("complained", status):
            (code, text), at = report.reply, max(report.at, known.updated_at)
            record.recipients[report.position] = known._replace(
                status=status, code=code, enhanced_code=report.status, reply=text, updated_at=at, cause=None, besides=""
            )

    def _lose(self, id: str, why: str, at: float) -> None:
        people = [
            each if each.done or each.status in LATER else each._replace(status="failed", reply=why, updated_at=at, cause=None, besides="")
            for each in self.records[id].recipients
        ]
        self.records[id] = self.records[id]._replace(status="failed", error=why, next_attempt_at=None, recipients=people)

    async def unsent(self) -> dict[str, Status]:
        """The status of every message that is not recorded as sent, by ID."""
        return MemoryReader(self).unsent()

    async def left(self, ids: Sequence[str]) -> None:
        """Take note that pending messages have left the spool: all recipients had them, and no more is known."""
        for id in ids:
            record = self.records.get(id)
            if record is not None and not record.done:
                people = [_had(each) if each.status in PENDING else each for each in record.recipients]
                self.records[id] = record._replace(status="sent", next_attempt_at=None, error=LOST, recipients=people)

    async def cancelled(self, ids: Sequence[str]) -> int:
        """How many of these messages an operator has cancelled."""
        return sum(id in self.records and self.records[id].status == "cancelled" for id in ids)

    async def alarms(self) -> list[OpenAlarm]:
        """The alarms that were open when somebody last said so."""
        return [*self.open]

    async def put_off(self, cursor: str = "", limit: int = PAGE) -> Page[PutOff]:
        """Each recipient who waits for a reason that has a name, by message."""
        found: list[PutOff] = []
        for id in sorted(id for id, record in self.records.items() if id > cursor and record.status == "deferred"):
            if len(found) >= limit:
                return Page(found, found[-1].id)
            people = self.records[id].recipients
            found += [PutOff(id, each.domain, each.cause) for each in people if each.status == "deferred" and each.cause is not None]
        return Page(found)

    async def count(self, reports: Sequence[AggregateReport], at: float, ours: Callable[[str], bool]) -> list[Counted]:
        """Keep what others report, each report once; returns what became of each. There is room for all."""
        became: list[Counted] = []
        for report in reports:
            key = (type(report), report.reporter, report.report_id, getattr(report, "domain", ""), report.begin)
            became.append("known" if key in self.aggregates else "new")
            domains = [report.domain] if isinstance(report, DmarcReport) else [what.domain for what in report.counts]
            self.aggregates.setdefault(key, (report, at, any(map(ours, domains))))
        return became

    async def forget(self, before: float) -> int:
        """Delete all that is known of messages that were done with before then; returns how many."""
        old = [
            id
            for id, record in self.records.items()
            if record.done and id < first_id(before) and all(each.updated_at < before for each in record.recipients)
        ]
        for id in old:
            for known in (self.records, self.attempts, self.dialogs, self.submitters):
                known.pop(id, None)
        first = int(before // DAY)
        self.aggregates = {key: kept for key, kept in self.aggregates.items() if day_of(kept[0].begin, kept[0].end) >= first}
        gone = set(old)
        self.heard = {key: each for key, each in self.heard.items() if each.message not in gone and (each.message or each.at >= before)}
        return len(old)

    async def forget_received(self, before: float) -> None:
        """Delete what is known of what came by the doors before then."""
        self.arrivals = {id: each for id, each in self.arrivals.items() if each.at >= before}
        self.refusals = {key: each for key, each in self.refusals.items() if each.at >= before}

    async def maintain(self) -> None:
        """Do nothing: all is written."""

    async def close(self) -> None:
        """Do nothing: what was told is gone when nobody refers to it."""

    def adopted(self, id: str, who: Principal) -> None:
        """Message `id` came from `who`, who may ask for it from now on."""
        self.submitters.setdefault(id, who)

    def submitter(self, id: str) -> tuple[bool, Principal | None]:
        """Whether anything is known of message `id`, and who handed it over, if somebody else than we did."""
        return id in self.records or id in self.submitters, self.submitters.get(id)

    def knows(self, id: str) -> bool:
        """Whether anything is known of message `id`."""
        return self.submitter(id)[0]


def _had(recipient: RecipientRecord) -> RecipientRecord:
    return recipient._replace(status="sent", code=0, enhanced_code="", reply="", cause=None, besides="")


def _sum_report(report: AggregateReport, at: float, ours: bool) -> SumReport:
    if isinstance(report, DmarcReport):
        kind, domain, policy, trouble = "dmarc", report.domain, report.policy, report.trouble
    else:
        kind, domain, policy, trouble = "tlsrpt", "", "", ""
    return SumReport(kind, report.reporter, report.report_id, domain, report.begin, report.end, at, policy, report.bad, trouble, ours)


class MemoryReader:
    """A reader of what `kept` has been told so far."""

    trouble = ""
    damaged = 0
    there = True

    def __init__(self, kept: MemoryRecorder) -> None:
        self._kept = kept

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def record(self, id: str) -> Record | None:
        """What became of message `id`."""
        return self._kept.records.get(id)

    def attempts(self, id: str, most: int = -1) -> list[Attempted]:
        """What is known of each attempt at message `id`, oldest first; with `most`, of so many at the end."""
        found = sorted(self._kept.attempts.get(id, {}).values(), key=lambda each: (each.key, each.position))
        return found[len(found) - min(most, len(found)) :] if most >= 0 else found

    def dialogs(self, id: str) -> dict[int, list[DialogLine]]:
        """What was said in the last attempts at message `id` that failed, by `Attempted.key`."""
        return {key: lines for key, (_, lines) in sorted(self._kept.dialogs.get(id, {}).items())}

    def heard(self, id: str, most: int) -> list[HeardReport]:
        """What reports of others said about message `id`, oldest first, the first `most`."""
        found = [each for each in self._kept.heard.values() if each.message == id]
        return sorted(found, key=lambda each: (each.at, each.id, each.nth))[:most]

    def standings(self, after: str = "") -> Iterator[Standing]:
        """How it stood with each destination when the daemon last said so, by key, those behind the key `after`."""
        return (standing for key, standing in sorted(self._kept.standings.items()) if key > after)

    def alarms(self) -> list[OpenAlarm]:
        """The alarms that were open when the daemon last said so, the oldest first."""
        return [*self._kept.open]

    def waiting(self, after: str = "") -> Iterator[Waiting]:
        """Each recipient that waits for its mail, by message, of those behind the ID `after`."""
        for record in self._oldest():
            if record.id > after and record.status in PENDING[:3]:
                for each in record.recipients:
                    if each.status in PENDING[:3]:
                        yield Waiting(record.id, record.queued_at, each.domain, each.host, each.why)

    def beginning(self, start: str) -> list[str]:
        """The IDs that begin with `start`, oldest first."""
        return [record.id for record in self._oldest() if record.id.startswith(start)]

    def named(self, name: str) -> list[str]:
        """The IDs of messages with this Message-ID (with or without angle brackets) or request id, oldest first."""
        return [each.id for each in self._oldest() if name and (each.message_id in (name, f"<{name}>") or each.request_id == name)]

    def named_of(self, who: Principal, name: str) -> list[str]:
        """As `named`, of what `who` handed over; and all of that of which nothing else is known yet."""
        mine = sorted(id for id, each in self._kept.submitters.items() if each == who)
        return [id for id in self.named(name) if id in mine] + [id for id in mine if id not in self._kept.records]

    def submitter(self, id: str) -> Principal | None:
        """The principal who handed message `id` over; None where nobody did, or nothing is known of it."""
        return self._kept.submitters.get(id)

    def submitted(self, who: Principal, before: str = "") -> Iterator[str]:
        """The messages that `who` handed over, newest first, those before the ID `before`."""
        mine = sorted((id for id, each in self._kept.submitters.items() if each == who), reverse=True)
        return (id for id in mine if not before or id < before)

    def counts(self) -> dict[Status, int]:
        """How many messages have each status."""
        return dict(Counter(record.status for record in self._oldest()))

    def unsent(self) -> dict[str, Status]:
        """The status of every message that is not recorded as sent, by ID."""
        return {record.id: record.status for record in self._oldest() if record.status != "sent"}

    def scheduled(self) -> Iterator[str]:
        """The messages that are to leave later and were not tried yet."""
        return (record.id for record in self._oldest() if record.scheduled)

    def reported(self) -> Iterator[str]:
        """The messages of which a recipient bounced or complained later."""
        return (record.id for record in self._oldest() if any(each.status in LATER for each in record.recipients))

    def ids(self, wanted: Filter, before: str = "") -> Iterator[str]:
        """The messages that may be meant, newest first, those before the ID `before`; what is pending in here whatever its state."""
        anyhow = wanted._replace(states=frozenset())
        for record in reversed(self._oldest()):
            if (not before or record.id < before) and (anyhow if record.status in PENDING else wanted).matches(record):
                yield record.id

    def undelivered(self, wanted: Filter, before: Place | None = None) -> Iterator[tuple[Place, Undelivered]]:
        """The recipients that did not get their message, newest first, with their places."""
        found = (self._undelivered(record, wanted) for record in self._oldest())
        every = sorted(chain.from_iterable(found), key=lambda each: each[0], reverse=True)
        return (each for each in every if before is None or each[0] < before)

    def dmarc_sums(self, day: int) -> Iterator[DmarcSum]:
        """What others have counted of mail in a domain's name, on this day and later, by day; of whatever domain."""
        found: Counter[tuple[int, str, str, DmarcSource]] = Counter()
        for each, *_ in self._kept.aggregates.values():
            if isinstance(each, DmarcReport):
                for what, count in each.counts.items():
                    found[day_of(each.begin, each.end), each.domain, each.reporter, what] += count
        return (DmarcSum(*key, count) for key, count in sorted(found.items()) if key[0] >= day)

    def tls_sums(self, day: int) -> Iterator[TlsSum]:
        """What others have counted of sessions with the hosts of a domain, on this day and later, by day; of whatever domain."""
        found: Counter[tuple[int, str, TlsResult]] = Counter()
        for each, *_ in self._kept.aggregates.values():
            if isinstance(each, TlsReport):
                for what, count in each.counts.items():
                    found[day_of(each.begin, each.end), each.reporter, what] += count
        return (TlsSum(*key, count) for key, count in sorted(found.items()) if key[0] >= day)

    def aggregate_reports(self, since: float) -> Iterator[SumReport]:
        """The reports that were counted and end then or later, newest first."""
        newest = sorted(self._kept.aggregates.values(), key=lambda each: -each[0].end)
        return (_sum_report(*each) for each in newest if each[0].end >= since)

    def received(self, wanted: ReceivedFilter) -> Iterator[ReceivedRecord]:
        """What came by the doors and is meant, newest first."""
        found = sorted((*self._kept.arrivals.values(), *self._kept.refusals.values()), key=lambda each: -each.at)
        return filter(wanted.means, found)

    def incoming(self, since: float) -> dict[str, int]:
        """How much came by the doors since then, by verdict."""
        found: Counter[str] = Counter()
        for each in self.received(ReceivedFilter(since=since)):
            found[each.verdict] += each.times
        return dict(found)

    def arrival(self, id: str) -> ReceivedRecord | None:
        """How message `id` came by a door."""
        return self._kept.arrivals.get(id)

    def _undelivered(self, record: Record, wanted: Filter) -> Iterator[tuple[Place, Undelivered]]:
        for at, each in enumerate(record.recipients):
            if each.status in UNDELIVERED and each.updated_at >= wanted.since and wanted.means(record, each):
                place = round(each.updated_at * 1e6), record.id, -at
                yield place, Undelivered(record.id, record.sender, record.subject, record.status, each)

    def _oldest(self) -> list[Record]:
        return [record for _, record in sorted(self._kept.records.items())]
