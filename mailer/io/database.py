"""A file of SQLite that several processes read and write, and that holds what cannot be made anew from anything else.

A write is one short transaction, synced (``synchronous = FULL``) before it is told; who finds another one at work waits up to `PATIENCE`.
Readers wait for nobody, and see a change as soon as it is made.

A file that is damaged, or of another program, or that others than its owner may write, is never moved aside or begun anew: everything
that needs it says so. No file is an empty one; a file that was there and is gone is trouble, and so is one with nothing in it, which was
cut off: a new one gets its name when its tables are on the disk, so that a crash leaves no file, or a whole one.

Who is in haste (`haste`) waits a moment only, for another process or for a thread of this one.

A look-up that finds the file at hand takes some microseconds in the thread of whoever asks. The first one of a file, which may have to be
mended after a crash (a WAL that is read again), and one that somebody else holds up, go to a thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import time
from contextlib import closing, contextmanager, nullcontext
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.pattern import fits as fits_pattern
from mailer.mail.problem import Problem, from_os

from .computing import waiting
from .durable import PRIVATE, forget, sync_directory
from .haste import MOMENT, in_haste

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeAlias, TypeVar

    T = TypeVar("T")
    Connect: TypeAlias = Callable[[str, float], sqlite3.Connection]

PATIENCE = 5.0  # seconds
CACHE: Final = "PRAGMA cache_size = -65536"  # kibibytes, taken as they are needed: a million rows are looked up in memory
SMALL_CACHE: Final = "PRAGMA cache_size = -8192"  # for a file of which many are open
PATIENT: Final = "PRAGMA busy_timeout = 5000"  # milliseconds, `PATIENCE`
HASTY: Final = "PRAGMA busy_timeout = 10"  # `MOMENT`
BRIEF: Final = 0.05  # seconds that a reader waits in a loop; a thread goes on for `PATIENCE`


class DatabaseBusy(Problem):
    """Somebody else is at work on the file; asked again, it may be free."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "try-again")


class DatabaseTerms(NamedTuple):
    """What a file is: `what` people call it, the `steps` that make its tables, each of version n those of n + 1, and the names of `tables`
    by which it is known. `remedy` says what to do where it is damaged or gone. `cache` is the statement that bounds a reader's memory."""

    what: str
    steps: Sequence[str]
    tables: frozenset[str]
    remedy: str
    cache: str = CACHE

    @property
    def version(self) -> int:
        """The version of the tables that the steps lead to."""
        return len(self.steps)


class Database:
    """The file at `path`, which is what `terms` say; `acting` is entered for each change. It may be used by several threads.

    `connect` opens it, as `connected` does: where the file is encrypted it has the key.

    `generation` is another number each time the file is opened to be read, and after trouble.
    """

    def __init__(self, path: str, terms: DatabaseTerms, acting: Callable[[], Any] = nullcontext, connect: Connect | None = None) -> None:
        self.path = path
        self.terms = terms
        self.generation = 0
        self._acting = acting
        self._connect = connect or connected
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._which: tuple[int, int] | None = None
        self._written: tuple[int, int] | None = None
        self._reading, self._writing = Lock(), Lock()

    async def soon(self, ask: Callable[[sqlite3.Connection | None], T]) -> T:
        """As `read`: at once, where the file is at hand and nobody else holds it up, else in a thread. Raises `Problem`."""
        if self._is_at_hand():
            try:
                return self.read(ask)
            except DatabaseBusy:
                pass
        return await asyncio.to_thread(self.patiently, ask)

    async def aside(self, ask: Callable[[sqlite3.Connection | None], T]) -> T:
        """As `patiently`, in a thread."""
        return await asyncio.to_thread(self.patiently, ask)

    def patiently(self, ask: Callable[[sqlite3.Connection | None], T]) -> T:
        """As `read`; where somebody else is at work on the file it is asked again, for `PATIENCE`. Raises `Problem`."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self.read(ask)
            except DatabaseBusy:
                if time.monotonic() > until or in_haste():
                    raise
            time.sleep(BRIEF)

    def read(self, ask: Callable[[sqlite3.Connection | None], T]) -> T:
        """What `ask` makes of the file, of None if there never was one; waits for nobody longer than `BRIEF`. Raises `Problem`."""
        with self._taken(self._reading):
            try:
                return ask(self._open_to_read())
            except (sqlite3.Error, OSError) as error:
                raise self._told(error) from None

    def change(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do `act` in one transaction, of which a crash leaves all or nothing; the file is made if there is none. Raises `Problem`."""
        with self._taken(self._writing), self._acting():
            try:
                return self._changed(act)
            except (sqlite3.Error, OSError) as error:
                raise self._told(error) from None

    def damage(self) -> str:
        """What is wrong with the file, by all that is in it; empty for nothing, and where there is none.

        Raises `Problem` for what passes, and where it is not ours to judge.
        """
        try:
            said = self.patiently(lambda db: "ok" if db is None else str(db.execute("PRAGMA quick_check(1)").fetchone()[0]))
        except Problem as problem:
            if problem.kind != "io-error":
                raise
            return str(problem)
        return "" if said == "ok" else said

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._let_go_reader()
            self._let_go_writer()

    @contextmanager
    def _taken(self, lock: Lock) -> Iterator[None]:
        """Have the file to oneself among the threads of this process. Raises `DatabaseBusy` for who is in haste."""
        if not lock.acquire(timeout=MOMENT if in_haste() else -1):
            raise DatabaseBusy(f"{self.terms.what} {self.path} is in use this moment; try again")
        try:
            yield
        finally:
            lock.release()

    def _is_at_hand(self) -> bool:
        """Whether the file is open that there is this moment; there being none is soon said, too."""
        try:
            about = os.lstat(self.path)
        except OSError:
            return True
        return self._reader is not None and (about.st_dev, about.st_ino) == self._which

    def _begun(self) -> sqlite3.Connection:
        """The file with a transaction of ours; one that was replaced while others were waited for is let go of. Raises as the next."""
        for _ in range(2):
            db = self._open_to_write()
            _begin(db)
            if self._is_still(self._written):
                return db
            db.execute("ROLLBACK")
        raise self._replaced()

    def _opened(self, which: tuple[int, int], patience: float) -> tuple[sqlite3.Connection, int]:
        """The file `which` is there, and its version. Raises `Problem` (try-again) where it was replaced meanwhile."""
        db = self._connect(self.path, patience)
        try:
            found = version(db, self.path, self.terms)
        except BaseException:
            db.close()
            if not self._is_still(which):
                raise self._replaced() from None
            raise
        return db, found

    def _is_still(self, which: tuple[int, int] | None) -> bool:
        try:
            about = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (about.st_dev, about.st_ino) == which

    def _replaced(self) -> DatabaseBusy:
        return DatabaseBusy(f"{self.terms.what} {self.path} was replaced this moment; try again")

    def _open_to_read(self) -> sqlite3.Connection | None:
        """The file as it is this moment; None if there never was one. Raises `Problem`, `sqlite3.Error`, `OSError`."""
        try:
            about = os.lstat(self.path)
        except FileNotFoundError:
            if self._which is None:
                return None
            raise self._gone() from None
        which = about.st_dev, about.st_ino
        if self._reader is None or which != self._which:
            refuse_foreign(self.path, self.terms, about)
            self._let_go_reader()
            db, found = self._opened(which, BRIEF)
            try:
                if found < self.terms.version:
                    self._bring_up()
                db.execute("PRAGMA query_only = 1")
                for BOUND in (self.terms.cache,):  # noqa: N806 - a constant of whoever has the tables
                    db.execute(BOUND)
            except BaseException:
                db.close()
                raise
            self._reader, self._which = db, which
            self.generation += 1
        return self._reader

    def _bring_up(self) -> None:
        """Make the tables of an older version ours, for who reads before anybody has written. Raises as `_open_to_read`."""
        with self._acting(), closing(self._connect(self.path, PATIENCE)) as db:
            db.execute("PRAGMA synchronous = FULL")
            bring_up(db, version(db, self.path, self.terms), self.terms)

    def _open_to_write(self) -> sqlite3.Connection:
        """The same, made if there is none and there never was."""
        about = os.lstat(self.path) if os.path.lexists(self.path) else None
        if about is None and self._which is not None:
            raise self._gone()
        if about is None:
            make(self.path, self.terms, self._connect)
            about = os.lstat(self.path)
        which = about.st_dev, about.st_ino
        if self._writer is None or which != self._written:
            refuse_foreign(self.path, self.terms, about)
            self._let_go_writer()
            db, found = self._opened(which, PATIENCE)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                bring_up(db, found, self.terms)
            except BaseException:
                db.close()
                raise
            self._writer, self._written = db, which
            if which != self._which:
                with self._reading:
                    self._let_go_reader()
                    self._which = which
        return self._writer

    def _gone(self) -> Problem:
        return Problem(f"{self.terms.what} {self.path} was there, and is gone: {self.terms.remedy}", "io-error")

    def _let_go_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _let_go_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _changed(self, act: Callable[[sqlite3.Connection], T]) -> T:
        db = self._begun()
        try:
            done = act(db)
            with waiting():
                db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return done

    def _told(self, error: sqlite3.Error | OSError) -> Problem:
        """What SQLite or the system says, of this file, which is another one from then on."""
        if isinstance(error, sqlite3.Error):
            self.generation += 1
            return problem_of(self.path, self.terms, error)
        return from_os(f"cannot use {self.terms.what}", self.path, error)


def _begin(db: sqlite3.Connection) -> None:
    """Begin to write; who is in haste waits a moment only."""
    if not in_haste():
        db.execute("BEGIN IMMEDIATE")
        return
    db.execute(HASTY)
    try:
        db.execute("BEGIN IMMEDIATE")
    finally:
        db.execute(PATIENT)


@contextmanager
def told(path: str, terms: DatabaseTerms) -> Iterator[None]:
    """Raise what SQLite and the system say of the file at `path` as a `Problem`."""
    try:
        yield
    except sqlite3.Error as error:
        raise problem_of(path, terms, error) from None
    except OSError as error:
        raise from_os(f"cannot use {terms.what}", path, error) from None


def connected(path: str, patience: float = 0.0) -> sqlite3.Connection:
    """The file at `path`, where another one at work is waited for up to `patience` seconds, or `PATIENCE`."""
    db = sqlite3.connect(path, timeout=patience or PATIENCE, isolation_level=None, check_same_thread=False)
    db.create_function("fits", 2, fits_pattern, deterministic=True)
    return db


def make(path: str, terms: DatabaseTerms, connect: Connect | None = None) -> None:
    """Have the file with its tables on the disk: this one, or that of another process that was first. A crash leaves a draft at most."""
    draft = f"{path}.{os.getpid()}.{token_hex(4)}"
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    try:
        with closing((connect or connected)(draft, PATIENCE)) as db:
            db.execute("PRAGMA synchronous = FULL")
            for STEP in terms.steps:  # noqa: N806 - a constant of whoever has the tables
                db.executescript(STEP)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        forget(draft)
    sync_directory(os.path.dirname(path))


def version(db: sqlite3.Connection, path: str, terms: DatabaseTerms) -> int:
    """The version of the tables. Raises `Problem` for a file with nothing in it, one of another program, or of a later version."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > terms.version:
        raise Problem(
            f"{terms.what} {path} has version {found}, and this mailer knows versions up to {terms.version}; install the one that made it",
            "bad-config",
        )
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names:
        raise Problem(f"{terms.what} {path} has nothing in it, and was cut off; {terms.remedy}", "io-error")
    if not (found and terms.tables <= names):
        raise Problem(f"{terms.what} {path} is a database of another program; {terms.remedy}", "bad-config")
    return found


def bring_up(db: sqlite3.Connection, found: int, terms: DatabaseTerms) -> None:
    """Make the tables of version `found` those of this program."""
    for STEP in terms.steps[found:]:  # noqa: N806 - as above
        _take(db, STEP)


def _take(db: sqlite3.Connection, step: str) -> None:
    """Take one step, unless another process has meanwhile."""
    before = int(db.execute("PRAGMA user_version").fetchone()[0])
    try:
        db.executescript(step)
    except sqlite3.OperationalError:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if int(db.execute("PRAGMA user_version").fetchone()[0]) == before:
            raise


def refuse_foreign(path: str, terms: DatabaseTerms, about: os.stat_result) -> None:
    """Refuse a file that others may write: what is in it must not be theirs to say. Raises `Problem`."""
    directory = os.path.dirname(path)
    owner = os.stat(directory).st_uid
    if not stat.S_ISREG(about.st_mode):
        raise Problem(f"{terms.what} {path} is no regular file; {terms.remedy}", "bad-config")
    if about.st_uid != owner:
        hint = f"if it is yours: chown {owner} {path}*"
        raise Problem(f"{terms.what} {path} is of user {about.st_uid}, and {directory} of user {owner}; {hint}", "bad-config")
    if about.st_mode & 0o022:
        raise Problem(f"{terms.what} {path} may be written by others; look at it, then: chmod 600 {path}", "bad-config")


def problem_of(path: str, terms: DatabaseTerms, error: sqlite3.Error) -> Problem:
    """What SQLite says, for a person."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusy(f"{terms.what} {path} is being written for longer than {PATIENCE:.0f} s; try again")
    if code in (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH):
        return Problem(f"cannot use {terms.what} {path}: {error} (`ls -l {path}*` shows who owns it)", "no-permission")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM):
        return Problem(f"cannot use {terms.what} {path}: {error}; try again", "try-again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return Problem(f"{terms.what} {path} is damaged ({error}); {terms.remedy}", "io-error")
    return Problem(f"cannot use {terms.what} {path}: {error}", "io-error")
