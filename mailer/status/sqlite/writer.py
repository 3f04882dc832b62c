"""The one writer of the status database. The daemon has it; no command does.

`SqliteRecorder.write` takes what the daemon's listeners were told, a batch at a time, in one transaction. Told
twice, nothing changes: rows are keyed by message, by recipient and by the moment of an attempt. A message that
is seen, tried and settled within one batch costs one row each, and takes about 30 microseconds in a batch of a hundred.

The database is a view, so no trouble with it ever stops mail. One that is damaged, or that a later version of the
program wrote, is moved aside and kept, and a new one is begun; so it is where somebody has removed the file or put another one in
its place. Any other trouble (a full disk, somebody who locks it) is raised, and what was to be written is kept (`rows.Arrears`) and
tried again: with the next batch, every second by `maintain`, and by `close`.

WAL with ``synchronous=NORMAL``: a process that dies loses nothing that was committed. A machine that loses power may
lose the last commits, never the file's consistency. That is the right price for a view: a commit without
an fsync is thirty times as fast, and what was lost is found by `catchup`.

The file has mode 0600. It says who wrote to whom about what, which is nobody's business who may not read the
spool. An operator may widen that with chmod(1); SQLite gives its side files the same mode.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from mailer.events import AlarmsOpen, Corrupt, LoginFailed, ReportsHeard, Standings, TakenIn, TurnedAway
from mailer.mail.principal import from_key
from mailer.spool import first_id

from ..api import PAGE, Page, PutOff, StatusError
from ..story import DIALOGS_EACH, DIALOGS_OF_MESSAGE
from . import file, others, received, rows, schema, sums, values
from .rows import Arrears, NewsBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mailer.aggregate.summary import AggregateReport
    from mailer.events import Event
    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.history import Status
    from mailer.mail.principal import Principal

    from ..api import Counted

T = TypeVar("T")

HEAVY = 2000  # recipients of the messages in one batch; a single message may have more
BUSY = 50  # messages in one batch; from there on, what was only seen is left out: anybody finds it in the spool
FORGET_AT_ONCE = 500  # messages in one transaction, so that no commit takes long
GATHERED = 16 << 20  # bytes beside the database's file: few fsyncs for many commits

BESIDE = (Corrupt, Standings, AlarmsOpen, ReportsHeard, TakenIn, TurnedAway, LoginFailed)
"""Events that are about something else than messages on their way: `rows.Other`."""

PUT_DIALOG = "INSERT INTO dialogs VALUES (?, ?, ?, ?) ON CONFLICT (email_id, at) DO NOTHING"

# The last few of each recipient, and of all of them together.
FORGET_DIALOGS = """
DELETE FROM dialogs WHERE email_id = :id AND at IN (
    SELECT at FROM (
        SELECT at, row_number() OVER (PARTITION BY position ORDER BY at DESC) AS nth, row_number() OVER (ORDER BY at DESC) AS of_all
        FROM dialogs WHERE email_id = :id)
    WHERE nth > :each OR of_all > :all)
"""
FORGET_OLD_DIALOGS = """
DELETE FROM dialogs WHERE email_id < (SELECT email_id FROM dialogs ORDER BY email_id DESC LIMIT 1 OFFSET :all)
"""

SUBMITTER = """
SELECT uid FROM submitters WHERE email_id = :id UNION ALL SELECT NULL FROM emails WHERE id = :id LIMIT 1
"""
PUT_SUBMITTER = "INSERT INTO submitters VALUES (?, ?) ON CONFLICT (email_id) DO NOTHING"

OLD = """
SELECT id FROM emails WHERE id < :before_id AND status IN ('sent', 'failed', 'expired', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM email_recipients WHERE email_id = id AND last_update_time >= :before)
LIMIT :limit
"""

LEFT = """
UPDATE emails SET status = 'sent', next_attempt_time = NULL,
    error_message = 'it has left the spool; the record of its last attempt was lost'
    WHERE id = ? AND status IN ('queued', 'sending', 'deferred', 'held')
"""
LEFT_RECIPIENTS = """
UPDATE email_recipients SET status = 'sent', smtp_response_code = NULL, enhanced_code = NULL, smtp_response_message = NULL,
    cause = NULL, besides = NULL
    WHERE email_id = ? AND status IN ('queued', 'sending', 'deferred', 'held')
"""

PUT_OFF = """
SELECT r.email_id, r.domain, r.cause FROM emails e JOIN email_recipients r ON r.email_id = e.id
    WHERE e.status = 'deferred' AND e.id > ? AND r.status = 'deferred' AND r.cause IS NOT NULL ORDER BY e.id
"""


class SqliteRecorder:
    """The database at `path`, which is made if it is not there: a `StatusRecorder`.

    `report` is told in one line when a database had to be moved aside, or could not be opened; then each write
    tries again. Methods may be called from any thread; one works at a time.
    """

    def __init__(self, path: str, report: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self.report = report
        self._lock = threading.RLock()
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._files: tuple[int, ...] = ()
        self._patient = True
        self._arrears = Arrears()
        self._sum_rows: sums.RowCounts | None = None
        self._untrimmed = received.TRIM  # events that may have added rows; a daemon begins with a look
        self.incomplete = False
        try:
            self._db()
        except (sqlite3.Error, OSError) as error:
            report(f"{self._what} cannot be opened ({error}); mail goes on without it")

    # What a recorder does

    async def write(self, events: Sequence[Event]) -> None:
        """Write down a batch, all of it or nothing. Raises `StatusError`.

        Its rows are made here and now, since that takes the interpreter and not the disk. Where they are very many, the thread makes
        them, for whoever has called may not wait so long, and writes them in several transactions: so many rows are never in memory, and
        never hold up others for long.
        """
        news = rows.gather(events)
        if len(news) > BUSY:
            news = [item for item in news if item.entry.history.outcomes or item.entry.state != "queued"]
        beside = [event for event in events if isinstance(event, BESIDE)]
        if sum([item.entry.history.count for item in news]) > HEAVY:
            await self._apart(lambda: self._take_all(rows.portions(news, HEAVY), beside))
        else:
            batch = NewsBatch.of(news, beside)
            await self._apart(lambda: self._take(batch))

    async def unsent(self) -> dict[str, Status]:
        """The status of every message that is not recorded as sent, by ID. Raises `StatusError`."""
        return await self._apart(lambda: self._mending(lambda: dict(map(values.unsent, self._db().execute(schema.UNSENT)))))

    async def left(self, ids: Sequence[str]) -> None:
        """Write down that pending messages have left the spool: all recipients had them, and no more is known. Raises `StatusError`."""
        await self._apart(lambda: self._left([(id,) for id in ids]))

    async def cancelled(self, ids: Sequence[str]) -> int:
        """How many of these messages an operator has cancelled, as far as that is known; none, if it cannot be read."""
        try:
            return await self._apart(lambda: self._mending(lambda: self._cancelled(ids)))
        except StatusError:
            return 0

    async def alarms(self) -> list[OpenAlarm]:
        """The alarms that were open when a daemon last said so; none, if that cannot be read."""
        try:
            return await self._apart(lambda: self._mending(lambda: values.good(self._db().execute(values.ALARMS), values.alarm)))
        except StatusError:
            return []

    async def put_off(self, cursor: str = "", limit: int = PAGE) -> Page[PutOff]:
        """Each recipient who waits for a reason that has a name, by message. What cannot be read is left out."""
        try:
            return await self._apart(lambda: self._mending(lambda: self._put_off(cursor, limit)))
        except StatusError:
            return Page(())

    async def count(self, reports: Sequence[AggregateReport], at: float, ours: Callable[[str], bool]) -> list[Counted]:
        """Add the sums of what others report, each report once; returns what became of each. Raises `StatusError`."""
        return await self._apart(lambda: self._mending(lambda: self._count(reports, at, ours)))

    async def forget(self, before: float) -> int:
        """Delete all rows of messages that were done with before then (seconds since the epoch); returns how many.

        A message's recipients, attempts and dialogs go with it, and only when nothing of it is pending and nothing was heard of it
        since. Of dialogs there are never more than `schema.DIALOGS`. The space is used again by what comes. What cannot be deleted now
        is reported, and is next time.
        """
        return await self._apart(lambda: self._forget_all(before))

    async def forget_received(self, before: float) -> None:
        """Delete what is known of what came by the doors before then (seconds since the epoch). What cannot be now is next time."""
        await self._apart(lambda: self._forget_received(before))

    async def maintain(self) -> None:
        """Write what could not be written before, and put into the database's file what has gathered beside it, if that is much.

        The latter takes two fsyncs, and no writer waits for it. What cannot be done now is done next time, or by `close`.
        """
        await asyncio.to_thread(self._checkpoint)

    async def close(self) -> None:
        """Put everything into the one file, and let it go. What it does not take now is lost to it, and told."""
        await self._apart(self._end)
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def adopted(self, id: str, who: Principal) -> None:
        """Message `id` came from `who`, who may ask for it from now on. Raises `StatusError`."""
        self._told(lambda: self._mending(lambda: self._adopted(id, who)))

    def submitter(self, id: str) -> tuple[bool, Principal | None]:
        """Whether anything is known of message `id`, and who handed it over, if somebody else than we did. Raises `StatusError`."""
        row = self._told(lambda: self._mending(lambda: self._db().execute(SUBMITTER, {"id": id}).fetchone()))
        return (True, from_key(row[0])) if row else (False, None)

    def _cancelled(self, ids: Sequence[str]) -> int:
        ask = self._db().execute
        known = (ask("SELECT status FROM emails WHERE id = ?", (id,)).fetchone() for id in ids)
        return sum(row is not None and row[0] == "cancelled" for row in known)

    def knows(self, id: str) -> bool:
        """Whether anything is known of message `id`; not, if the database cannot be read."""
        try:
            return self.submitter(id)[0]
        except StatusError:
            return False

    @property
    def _what(self) -> str:
        return f"the status database {self.path}"

    async def _apart(self, act: Callable[[], T]) -> T:
        """Do it in the one thread, as `_told` does."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "status")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._told, act)

    def _told(self, act: Callable[[], T]) -> T:
        """Do it, with the errors of a database as ours."""
        try:
            return act()
        except (sqlite3.Error, OSError, values.BadRow) as error:
            raise StatusError(str(error), self._what) from error

    # The file

    def _db(self) -> sqlite3.Connection:
        if self._connection is not None and self._files != file.identity(self.path):
            self._leave()
            self.incomplete = True
            self.report(f"{self._what} was removed or replaced while it was in use; it is written anew from here on")
        if self._connection is None:
            try:
                self._connection = file.open_to_write(self.path)
            except (sqlite3.Error, schema.Unusable) as error:
                if not file.unusable(error):
                    raise
                self._connection = self._begin_anew(error)
            self._files, self._patient = file.identity(self.path), True
        return self._connection

    def _leave(self) -> None:
        """Let go a database that is not at its place any more; the log beside it belongs to it, and to no other that is put there."""
        self._close()
        if self._files[2:] == file.identity(self.path)[2:]:
            for suffix in ("-wal", "-shm"):
                os.unlink(self.path + suffix)

    def _begin_anew(self, why: Exception) -> sqlite3.Connection:
        kept = file.move_aside(self.path)
        db = file.open_to_write(self.path)
        self.incomplete = True
        self.report(f"{self._what} could not be used ({why}); it is kept as {kept}, and a new one was begun")
        return db

    def _checkpoint(self) -> None:
        try:
            if self._arrears:
                self._settle_arrears()
            if os.path.getsize(f"{self.path}-wal") < GATHERED:
                return
            with closing(sqlite3.connect(self.path, timeout=0.0, isolation_level=None)) as db:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except (OSError, sqlite3.Error):
            pass

    def _end(self) -> None:
        with self._lock:
            self._wait_for_others(True)
            try:
                self._settle_arrears()
            except (sqlite3.Error, OSError) as error:
                lost = f"what became of {self._arrears.messages} messages is not in {self._what}"
                self.report(f"{lost}, which cannot be written: {error}")
            self._close()

    def _close(self) -> None:
        self._sum_rows = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # What is written

    def _take_all(self, portions: Iterable[Sequence[rows.MessageNews]], beside: Sequence[rows.Other]) -> None:
        """One after the other. What cannot be written is in arrears, and does not keep the others from being so."""
        trouble: sqlite3.Error | OSError | None = None
        batches = chain(((portion, ()) for portion in portions), [((), beside)])
        for portion, rest in batches:
            try:
                self._take(NewsBatch.of(portion, rest))
            except (sqlite3.Error, OSError) as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def _take(self, batch: NewsBatch) -> None:
        with self._lock:
            if batch.weight:
                self._arrears.add(batch)
            self._settle_arrears()

    def _settle_arrears(self) -> None:
        """Write all that is not written yet, as far as it goes."""
        with self._lock:
            try:
                while self._arrears:
                    self._mending(lambda: self._put(self._arrears.first()))
                    self._arrears.done()
            except (sqlite3.Error, OSError) as error:
                if file.passes(error):
                    self._wait_for_others(False)  # it is tried again often enough
                else:
                    self._arrears.done()
                raise
            self._wait_for_others(True)
            if lost := self._arrears.lost:
                self._arrears.lost, self.incomplete = 0, True
                self.report(f"what became of {lost} messages is not in {self._what}, which took nothing for too long")

    def _wait_for_others(self, patient: bool) -> None:
        """Whether whoever locks the file is waited for, from now on."""
        if self._connection is not None and patient != self._patient:
            self._patient = patient
            self._connection.execute(file.WAIT if patient else "PRAGMA busy_timeout = 0")

    def _adopted(self, id: str, who: Principal) -> None:
        with self.transaction() as db:
            db.execute(PUT_SUBMITTER, (id, who.key))

    def _mending(self, act: Callable[[], T]) -> T:
        """Do it; if the database turns out to be damaged, begin a new one and do it there."""
        with self._lock:
            try:
                return act()
            except sqlite3.DatabaseError as error:
                if not file.unusable(error):
                    raise
                self._close()
                self._connection = self._begin_anew(error)
                self._files, self._patient = file.identity(self.path), True
                return act()

    def _put(self, batch: NewsBatch) -> None:
        with self.transaction() as db:
            rows.insert(db, rows.PUT_EMAIL, batch.emails)
            rows.insert(db, rows.PUT_RECIPIENT, batch.recipients)
            rows.insert(db, rows.PUT_ATTEMPT, batch.attempts)
            if batch.strangers:
                db.executemany(PUT_SUBMITTER, batch.strangers)
            for told in batch.dialogs:
                db.execute(PUT_DIALOG, told)
                db.execute(FORGET_DIALOGS, {"id": told[0], "each": DIALOGS_EACH, "all": DIALOGS_OF_MESSAGE})
            for event in batch.others:
                others.put(db, event)
            self._untrimmed += len(batch.others)
            if self._untrimmed >= received.TRIM:
                self._untrimmed = 0
                received.trim(db)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within it, or nothing. Raises `sqlite3.Error`."""
        with self._lock:
            db = self._db()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # some errors have rolled it back already
                    db.execute("ROLLBACK")
                raise

    def _left(self, ids: Sequence[tuple[str]]) -> None:
        with self.transaction() as db:
            db.executemany(LEFT, ids)
            db.executemany(LEFT_RECIPIENTS, ids)

    def _put_off(self, cursor: str, limit: int) -> Page[PutOff]:
        found: list[PutOff] = []
        for row in self._db().execute(PUT_OFF, (cursor,)):
            try:
                each = values.put_off(row)
            except values.BadRow:
                continue
            if len(found) >= limit and each.id != found[-1].id:
                return Page(found, found[-1].id)
            found.append(each)
        return Page(found)

    def _count(self, reports: Sequence[AggregateReport], at: float, ours: Callable[[str], bool]) -> list[Counted]:
        with self.transaction() as db:
            before = self._sum_rows or sums.counts(db)
            self._sum_rows = None
            became, after = sums.put(db, reports, at, ours, before)
        self._sum_rows = after
        return became

    def _forget_all(self, before: float) -> int:
        count = 0
        try:
            while forgotten := self._mending(lambda: self._forget(before)):
                count += forgotten
            self._mending(self._forget_dialogs)
            self._mending(lambda: self._forget_sums(before))
            self._mending(lambda: self._forget_reports(before))
        except (sqlite3.Error, OSError) as error:
            self.report(f"{self._what} cannot be cleared of what is old: {error}")
        return count

    def _forget(self, before: float) -> int:
        # IDs sort by age, so what was put later than `before` need not be looked at
        bounds = {"before_id": first_id(before), "before": rows.micros(before), "limit": FORGET_AT_ONCE}
        with self.transaction() as db:
            old = db.execute(OLD, bounds).fetchall()
            db.executemany("DELETE FROM attempts WHERE email_id = ?", old)
            db.executemany("DELETE FROM email_recipients WHERE email_id = ?", old)
            db.executemany("DELETE FROM dialogs WHERE email_id = ?", old)
            db.executemany("DELETE FROM submitters WHERE email_id = ?", old)
            db.executemany("DELETE FROM reports WHERE email_id = ?", old)
            db.executemany("DELETE FROM emails WHERE id = ?", old)
        return len(old)

    def _forget_sums(self, before: float) -> None:
        with self.transaction() as db:
            sums.forget(db, before)
        self._sum_rows = None

    def _forget_reports(self, before: float) -> None:
        """Those that are about nothing of ours: all others go with their message."""
        with self.transaction() as db:
            db.execute("DELETE FROM reports WHERE email_id IS NULL AND at < ?", (rows.micros(before),))

    def _forget_received(self, before: float) -> None:
        try:
            with self.transaction() as db:
                received.forget(db, before)
        except (sqlite3.Error, OSError) as error:
            self.report(f"{self._what} cannot be cleared of what came by the doors: {error}")

    def _forget_dialogs(self) -> None:
        with self.transaction() as db:
            db.execute(FORGET_OLD_DIALOGS, {"all": schema.DIALOGS})
