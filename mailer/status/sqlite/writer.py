"""The one writer of the status database. The daemon has it; no command does.

`StatusWriter.write` takes what the daemon's listeners were told, a batch at a time, in one transaction. Told
twice, nothing changes: rows are keyed by message, by recipient and by the moment of an attempt. A message that
is seen, tried and settled within one batch costs one row each, and takes about 30 microseconds in a batch of a hundred.

The database is a view, so no trouble with it ever stops mail. One that is damaged, or that a later version of the
program wrote, is moved aside and kept, and a new one is begun; so it is where somebody has removed the file or put another one in
its place. Any other trouble (a full disk, somebody who locks it) is raised, and what was to be written is kept (`arrears`) and
tried again: with the next batch, every second by `checkpoint`, and by `close`. `incomplete` says that `catchup` has something to
make good from the spool.

WAL with ``synchronous=NORMAL``: a process that dies loses nothing that was committed. A machine that loses power may
lose the last commits, never the file's consistency. That is the right price for a view: a commit without
an fsync is thirty times as fast, and what was lost is found by `catchup`.

The file has mode 0600. It says who wrote to whom about what, which is nobody's business who may not read the
spool. An operator may widen that with chmod(1); SQLite gives its side files the same mode.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from mailer.events import Corrupt, Standings
from mailer.io.durable import PRIVATE
from mailer.mail.principal import from_key
from mailer.spool.files.layout import first_id, is_id

from ..destinations import put_standings
from . import rows, schema
from .arrears import Arrears, NewsBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mailer.events import Event
    from mailer.mail.principal import Principal

T = TypeVar("T")

NAME = "status.sqlite3"
"""The database's name in the spool directory."""

PATIENCE = 2.0  # seconds to wait for somebody who locks the file; no reader of ours does
WAIT = "PRAGMA busy_timeout = 2000"  # that is `PATIENCE`
PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
           sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL)  # fmt: skip
"""What may be over the next time; anything else is about what was to be written."""

HEAVY = 2000  # recipients of the messages in one batch; a single message may have more
BUSY = 50  # messages in one batch; from there on, what was only seen is left out: anybody finds it in the spool
SIZES = (512, 128, 32, 8, 2, 1)  # rows that one statement puts, if SQLite takes as many values in one; an attempt has 21
FORGET_AT_ONCE = 500  # messages in one transaction, so that no commit takes long
GATHERED = 16 << 20  # bytes beside the database's file: few fsyncs for many commits

# What a delivered message lacks comes as '' or 0: for each None sqlite3 looks for an adapter, which takes as long as ten texts.
PUT_EMAIL = """
INSERT INTO emails VALUES (?, NULLIF(?, ''), NULLIF(?, ''), ?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, NULLIF(?, 0), ?, NULLIF(?, ''))
ON CONFLICT (id) DO UPDATE SET status = excluded.status, last_attempt_time = excluded.last_attempt_time,
    sent_time = excluded.sent_time, next_attempt_time = excluded.next_attempt_time, retry_count = excluded.retry_count,
    error_message = excluded.error_message
"""

# A report or a complaint that came for a recipient is news that the spool does not have: it stays.
PUT_RECIPIENT = """
INSERT INTO email_recipients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''))
ON CONFLICT (email_id, position) DO UPDATE SET status = excluded.status, smtp_response_code = excluded.smtp_response_code,
    enhanced_code = excluded.enhanced_code, smtp_response_message = excluded.smtp_response_message,
    mx_host = excluded.mx_host, last_update_time = excluded.last_update_time, cause = excluded.cause, besides = excluded.besides
    WHERE status NOT IN ('bounced', 'complained') OR excluded.last_update_time > last_update_time
"""

PUT_ATTEMPT = """
INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, NULLIF(?, ''), NULLIF(?, ''))
ON CONFLICT (email_id, position, at) DO NOTHING
"""


def _of_rows(statement: str, size: int) -> str:
    """`statement`, which puts one row, for `size` of them."""
    row = statement[statement.index("(?") : statement.index("\nON CONFLICT")]
    return statement.replace(row, ", ".join([row] * size), 1)


MANY = {one: {size: _of_rows(one, size) for size in SIZES} for one in (PUT_EMAIL, PUT_RECIPIENT, PUT_ATTEMPT)}
"""The same statements for many rows, by their number."""

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

LOSE = "UPDATE emails SET status = 'failed', error_message = :why, next_attempt_time = NULL WHERE id = :id"
LOSE_RECIPIENTS = """
UPDATE email_recipients SET status = 'failed', smtp_response_message = :why, last_update_time = :at, cause = NULL, besides = NULL
    WHERE email_id = :id AND status NOT IN ('sent', 'failed', 'expired', 'cancelled', 'bounced', 'complained')
"""


class StatusWriter:
    """The writer of the database at `path`, which is made if it is not there.

    `report` is told in one line when a database had to be moved aside, or could not be opened; then each write
    tries again. Methods may be called from any thread; one works at a time.
    """

    def __init__(self, path: str, report: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self.report = report
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._files: tuple[int, ...] = ()
        self._patient = True
        self._arrears = Arrears()
        self.incomplete = False
        """Whether something was begun anew, or lost, that the spool may still know."""
        try:
            self._db()
        except (sqlite3.Error, OSError) as error:
            report(f"the status database {path} cannot be opened ({error}); mail goes on without it")

    def _db(self) -> sqlite3.Connection:
        if self._connection is not None and self._files != _identity(self.path):
            self._leave()
            self.incomplete = True
            self.report(f"the status database {self.path} was removed or replaced while it was in use; it is written anew from here on")
        if self._connection is None:
            try:
                self._connection = _open(self.path)
            except (sqlite3.Error, schema.Unusable) as error:
                if not _unusable(error):
                    raise
                self._connection = self._begin_anew(error)
            self._files, self._patient = _identity(self.path), True
        return self._connection

    def _leave(self) -> None:
        """Let go a database that is not at its place any more; the log beside it belongs to it, and to no other that is put there."""
        self._close()
        if self._files[2:] == _identity(self.path)[2:]:
            for suffix in ("-wal", "-shm"):
                os.unlink(self.path + suffix)

    def _begin_anew(self, why: Exception) -> sqlite3.Connection:
        kept = _move_aside(self.path)
        db = _open(self.path)
        self.incomplete = True
        self.report(f"the status database {self.path} could not be used ({why}); it is kept as {kept}, and a new one was begun")
        return db

    def checkpoint(self) -> None:
        """Write what could not be written before, and put into the database's file what has gathered beside it, if that is much.

        The latter takes two fsyncs, and no writer waits for it. For a thread, every second or so. What cannot be done now is done
        next time, or by `close`.
        """
        try:
            if self._arrears:
                self._settle_arrears()
            if os.path.getsize(f"{self.path}-wal") < GATHERED:
                return
            with closing(sqlite3.connect(self.path, timeout=0.0, isolation_level=None)) as db:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except (OSError, sqlite3.Error):
            pass

    def close(self) -> None:
        """Put everything into the one file, and let it go. What the file does not take now is lost to it, and told."""
        with self._lock:
            self._wait_for_others(True)
            try:
                self._settle_arrears()
            except (sqlite3.Error, OSError) as error:
                lost = f"what became of {self._arrears.messages} messages is not in the status database {self.path}"
                self.report(f"{lost}, which cannot be written: {error}")
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def unsent(self) -> dict[str, str]:
        """The status of every message that is not recorded as sent, by ID."""
        return self._mending(lambda: dict(self._db().execute(schema.UNSENT)))

    def write(self, events: Sequence[Event]) -> None:
        """Write down a batch, here and now. Raises `sqlite3.Error`, `OSError` if that cannot be; then nothing of it was.

        What will pass is tried again later, with all that came since.
        """
        self.prepare(events)()

    def prepare(self, events: Sequence[Event]) -> Callable[[], None]:
        """The call that writes `events`: its rows are made here and now, since that takes the interpreter and not the disk.

        Where they are very many, it makes them itself, for whoever has called may not wait so long, and writes them in several
        transactions: so many rows are never in memory, and never hold up others for long.
        """
        news = rows.gather(events)
        if len(news) > BUSY:
            news = [item for item in news if item.entry.history.outcomes or item.entry.state != "queued"]
        others = [event for event in events if isinstance(event, (Corrupt, Standings))]
        if sum([item.entry.history.count for item in news]) > HEAVY:
            return lambda: self._take_all(rows.portions(news, HEAVY), others)
        batch = _batch(news, others)
        return lambda: self._take(batch)

    def _take_all(self, portions: Iterable[Sequence[rows.News]], others: Sequence[Corrupt | Standings]) -> None:
        """One after the other. What cannot be written is in arrears, and does not keep the others from being so."""
        trouble: sqlite3.Error | OSError | None = None
        batches = chain(((portion, ()) for portion in portions), [((), others)])
        for portion, rest in batches:
            try:
                self._take(_batch(portion, rest))
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
                if _passes(error):
                    self._wait_for_others(False)  # it is tried again often enough
                else:
                    self._arrears.done()
                raise
            self._wait_for_others(True)
            if lost := self._arrears.lost:
                self._arrears.lost, self.incomplete = 0, True
                self.report(f"what became of {lost} messages is not in the status database {self.path}, which took nothing for too long")

    def _wait_for_others(self, patient: bool) -> None:
        """Whether whoever locks the file is waited for, from now on."""
        if self._connection is not None and patient != self._patient:
            self._patient = patient
            self._connection.execute(WAIT if patient else "PRAGMA busy_timeout = 0")

    def adopted(self, id: str, who: Principal) -> None:
        """Write down that message `id` came from `who`, who may ask for it from now on. Raises `sqlite3.Error`, `OSError`."""
        self._mending(lambda: self._adopted(id, who))

    def submitter(self, id: str) -> tuple[bool, Principal | None]:
        """Whether anything is known of message `id`, and who handed it over, if somebody else than we did. Raises as `adopted` does."""
        row = self._mending(lambda: self._db().execute(SUBMITTER, {"id": id}).fetchone())
        return (True, from_key(row[0])) if row else (False, None)

    def knows(self, id: str) -> bool:
        """Whether anything is known of message `id`; not, if the database cannot be read."""
        try:
            return self.submitter(id)[0]
        except (sqlite3.Error, OSError):
            return False

    def _adopted(self, id: str, who: Principal) -> None:
        with self.transaction() as db:
            db.execute(PUT_SUBMITTER, (id, who.key))

    def _mending(self, act: Callable[[], T]) -> T:
        """Do it; if the database turns out to be damaged, begin a new one and do it there."""
        with self._lock:
            try:
                return act()
            except sqlite3.DatabaseError as error:
                if not _unusable(error):
                    raise
                self._close()
                self._connection = self._begin_anew(error)
                self._files, self._patient = _identity(self.path), True
                return act()

    def _put(self, batch: NewsBatch) -> None:
        with self.transaction() as db:
            _insert(db, PUT_EMAIL, batch.emails)
            _insert(db, PUT_RECIPIENT, batch.recipients)
            _insert(db, PUT_ATTEMPT, batch.attempts)
            if batch.strangers:
                db.executemany(PUT_SUBMITTER, batch.strangers)
            for told in batch.dialogs:
                db.execute(PUT_DIALOG, told)
                db.execute(FORGET_DIALOGS, {"id": told[0], "each": schema.DIALOGS_EACH, "all": schema.DIALOGS_OF_MESSAGE})
            for event in batch.others:
                if isinstance(event, Standings):
                    put_standings(db, event)
                elif is_id(event.id):
                    _lose(db, event)

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

    def forget(self, before: float) -> int:
        """Delete all rows of messages that were done with before then (seconds since the epoch); returns how many.

        The one retention rule, for every table with messages in it: a message's recipients, attempts and dialogs go with it, and
        only when nothing of it is pending and nothing was heard of it since. Of dialogs there are never more than
        `schema.DIALOGS`. The space is used again by what comes. What cannot be deleted now is reported, and is next time.
        """
        count = 0
        try:
            while forgotten := self._mending(lambda: self._forget(before)):
                count += forgotten
            self._mending(self._forget_dialogs)
        except (sqlite3.Error, OSError) as error:
            self.report(f"the status database {self.path} cannot be cleared of what is old: {error}")
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
            db.executemany("DELETE FROM emails WHERE id = ?", old)
        return len(old)

    def _forget_dialogs(self) -> None:
        with self.transaction() as db:
            db.execute(FORGET_OLD_DIALOGS, {"all": schema.DIALOGS})


def _batch(news: Sequence[rows.News], others: Sequence[Corrupt | Standings]) -> NewsBatch:
    return NewsBatch(
        [rows.email(item) for item in news],
        [row for item in news for row in rows.recipients(item)],
        [row for item in news for row in rows.attempts(item)],
        [row for item in news if item.status != "sent" for row in rows.dialogs(item)],
        [(item.entry.id, who.key) for item in news if (who := rows.stranger(item.entry.envelope)) is not None],
        others,
    )


def _lose(db: sqlite3.Connection, event: Corrupt) -> None:
    """Whatever was to become of it: its file cannot be read, and no report is sent."""
    why = rows.clean(f"its file in the spool is damaged: {event.reason}")
    facts = {"id": event.id, "why": why, "at": rows.micros(event.at)}
    db.execute(LOSE, facts)
    db.execute(LOSE_RECIPIENTS, facts)


def _insert(db: sqlite3.Connection, statement: str, batch: Sequence[rows.Row]) -> None:
    try:
        _insert_all(db, statement, batch)
    except UnicodeEncodeError:  # looked for only when it is there
        _insert_all(db, statement, rows.storable(batch))


def _insert_all(db: sqlite3.Connection, statement: str, batch: Sequence[rows.Row]) -> None:
    """Many rows by one statement: for as long as it runs, the interpreter is free for other threads, and each has to wait for it."""
    at = 0
    most = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(batch[0]) if batch else 0
    for size in SIZES:
        while size <= most and at + size <= len(batch):
            db.execute(MANY[statement][size], [*chain.from_iterable(batch[at : at + size])])
            at += size


def _open(path: str) -> sqlite3.Connection:
    _make(path)
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        schema.version(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")  # see `checkpoint`
        db.execute("PRAGMA temp_store = MEMORY")  # a statement of many rows keeps what it changes: that was twice what the log got
        schema.migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _make(path: str) -> None:
    """An empty file of our mode, unless there is one; SQLite would make it as the umask says."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    except FileExistsError:
        if not os.path.isfile(path):
            raise schema.Unusable("it is no regular file") from None


def _identity(path: str) -> tuple[int, ...]:
    """Which files they are, the database and the log beside it; as long as it is open, both are there."""
    try:
        known = os.stat(path)
        return known.st_dev, known.st_ino, os.stat(f"{path}-wal").st_ino
    except OSError:
        return ()


def _passes(error: Exception) -> bool:
    """Whether it may go another time."""
    return isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in PASSING


def _unusable(error: Exception) -> bool:
    """Whether a new file helps: this one is damaged, of another version, or has other tables than ours."""
    if isinstance(error, schema.Unusable):
        return True
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _move_aside(path: str) -> str:
    """Rename the database and its side files; returns the new path."""
    serial = 1
    while os.path.lexists(f"{path}.aside{serial}"):
        serial += 1
    for suffix in ("", "-wal", "-shm"):
        if os.path.lexists(path + suffix):
            os.rename(path + suffix, f"{path}.aside{serial}{suffix}")
    return f"{path}.aside{serial}"
