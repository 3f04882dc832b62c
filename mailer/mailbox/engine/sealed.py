"""The rows of one owner in a file that is encrypted with his index key: `SqliteEngine` over a file of SQLite3 Multiple Ciphers.

The file is as the configuration wishes it when it is opened: one from before is written anew, encrypted or not, while nobody else has it
open. Afterwards nothing of its rows is readable on the disk, and without the key nothing is written.

A crash argument for `convert`: the copy is made beside, synced, and renamed over the file that nobody can write meanwhile, and whose
write-ahead log was emptied and removed before; so there is the one or the other, whole. The old one, which has no name any more, says to
whoever opened it a moment before that it is none of ours.

Where the keys of an owner change while others have his file open, theirs do not read it from then on, and they ask for the new ones. That
nobody writes what he made for the keys before is not held here, but by the epoch of the owner.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

from mailer.io.database import PATIENCE, connected, refuse_foreign, told
from mailer.io.durable import NEW, PRIVATE, forget, sync_directory, sync_file
from mailer.mail.problem import Problem
from mailer.spool.files.owner import as_owner_of

from .encrypted_file import encrypted, uri_of
from .sqlite import TERMS, SqliteEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.mailbox.keyring import Keyring
    from mailer.mailbox.owners.api import Owner

    from .api import Rows
    from .encrypted_file import EncryptedConnection

T = TypeVar("T")
DRAFT: Final = ".new"
NO_MORE: Final = "PRAGMA user_version = 2147483647"
"""What a file says whose name another has now: its version is one that no program knows."""


class SealedEngine:
    """The rows of `owner` in the file at `path`, encrypted or not, as `keyring` wishes: an `Engine`.

    It looks at the file, and asks for keys, when it is used first. Raises `NoKey` then, and `Problem`: try-again where the file would have
    to be written anew, and somebody else has it open.
    """

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: str, owner: Owner, keyring: Keyring) -> None:
        self.path = path
        self.owner = 1  # as in every file that one owner has to himself
        self._whose = owner
        self._keyring = keyring
        self._keys: Sequence[bytes] = ()
        self._file: SqliteEngine | None = None
        self._lock = Lock()

    def read(self, ask: Callable[[Rows], T]) -> T:
        """What `ask` makes of the rows of one moment."""
        file = self._opened()
        try:
            return file.read(ask)
        except Problem as problem:
            if not self._is_over(file, problem):
                raise
        return self._opened().read(ask)

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction."""
        begun = False

        def acted(rows: Rows) -> T:
            nonlocal begun
            begun = True
            return act(rows)

        file = self._opened()
        try:
            return file.change(acted)
        except Problem as problem:
            if begun or not self._is_over(file, problem):
                raise
        return self._opened().change(act)

    def renew(self) -> None:
        """Have the file encrypted with the newest of the owner's keys, if it is encrypted. Raises `NoKey`, `Problem`."""
        keys = self._present()
        if keys and self._keyring.encrypting:
            renew(self.path, keys)

    def set_aside(self, now: float) -> str:
        """Where the file is damaged, give it another name. Raises `NoKey`, `Problem`."""
        aside = self._opened().set_aside(now)
        if aside:
            self.close()
        return aside

    def forget(self) -> None:
        """Remove the file, for which no key is needed. Raises `Problem`."""
        self.close()
        SqliteEngine(self.path, self.owner).forget()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def _opened(self) -> SqliteEngine:
        with self._lock:
            if self._file is None:
                self._keys = self._present()
                self._file = self._settled()
            return self._file

    def _settled(self) -> SqliteEngine:
        """The file as it is wished."""
        wished = self._keyring.encrypting
        if _is_plain(self.path, self._keys if wished else None) is wished:  # it is the other way round
            convert(self.path, self._keys, self._keys[0] if wished else None)
        return SqliteEngine(self.path, self.owner, connect=self._connect if wished else None)

    def _is_over(self, file: SqliteEngine, problem: Problem) -> bool:
        """Whether what went wrong may be that the file has another key now, or is another: it is opened anew, to be asked once more."""
        if problem.kind != "io-error":
            return False
        with self._lock:
            if self._file is file:
                self._file = None
        file.close()
        return True

    def _present(self) -> Sequence[bytes]:
        keys = self._keyring.of(self._whose)
        return keys.index_keys if keys else ()

    def _connect(self, path: str, patience: float) -> sqlite3.Connection:
        return opened(path, patience, self._keys)


def opened(path: str, patience: float, keys: Sequence[bytes]) -> sqlite3.Connection:
    """The encrypted file at `path`, with the first of `keys` that opens it. Raises `Problem` (io-error), `sqlite3.Error`."""
    for key in keys:
        try:
            return cast("sqlite3.Connection", encrypted(path, patience, key))
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
                raise
    raise Problem(f"{TERMS.what} {path} opens with no key of its owner: it is damaged, or another's; {TERMS.remedy}", "io-error")


def renew(path: str, keys: Sequence[bytes]) -> None:
    """Have the file at `path` encrypted with the first of `keys`, in one transaction; others may have it open. Raises `Problem`."""
    if _is_plain(path, keys) is not False:
        return
    with as_owner_of(os.path.dirname(path)), told(path, TERMS), closing(opened(path, PATIENCE, keys)) as db:
        file = cast("EncryptedConnection", db)
        try:
            encrypted(path, PATIENCE, keys[0]).close()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
                raise
            file.give_key(keys[0])
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # of the pages with the key before nothing stays, where nobody reads them now


def convert(path: str, keys: Sequence[bytes], to: bytes | None) -> None:
    """Write the file at `path` anew, encrypted with `to` or with nothing; it opens with nothing, or with one of `keys`.

    Raises `NoKey`, and `Problem`: try-again where others have it open.
    """
    with as_owner_of(os.path.dirname(path)), told(path, TERMS):
        refuse_foreign(path, TERMS, about := os.lstat(path))
        if _is_open_here(about):  # by the other library, whose locks this one does not see: they are those of one process
            raise _in_use(path)
        draft = path + DRAFT
        with closing(_alone(path, keys if to is None else None)) as db:
            if not os.path.samestat(os.lstat(path), about):  # another was first
                return
            try:
                _copy(db, draft, to)
                db.execute("PRAGMA journal_mode = MEMORY")  # for what is written when the name is another's
                forget(f"{path}-journal")  # an empty one, for nothing is under way
                os.rename(draft, path)
            finally:
                forget(draft)
            sync_directory(os.path.dirname(path))
            db.execute(NO_MORE)


def _alone(path: str, keys: Sequence[bytes] | None) -> EncryptedConnection:
    """The file, which nobody else has open, and nobody gets until this is closed. Raises `Problem` (try-again) where somebody has."""
    db = encrypted(path, PATIENCE, None) if keys is None else cast("EncryptedConnection", opened(path, PATIENCE, keys))
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise _in_use(path) from None
    except BaseException:
        db.close()
        raise
    return db


def _is_open_here(about: os.stat_result) -> bool:
    """Whether this process has the file open."""
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # one that is closed meanwhile
            if os.path.samestat(os.fstat(int(name)), about):
                return True
    return False


def _in_use(path: str) -> Problem:
    text = f"{TERMS.what} {path} is in use, and is encrypted or decrypted only when nobody else has it open"
    return Problem(f"{text}; restart the daemon, and try again", "try-again")


def _copy(db: EncryptedConnection, draft: str, key: bytes | None) -> None:
    """Have all of `db` in a new file on the disk, as whoever writes next wants it."""
    forget(draft)
    os.close(os.open(draft, NEW, PRIVATE))
    db.execute("VACUUM INTO ?", (uri_of(draft, key),))
    with closing(encrypted(draft, PATIENCE, key)) as copy:
        copy.execute("PRAGMA journal_mode = WAL")
    sync_file(draft)


def _is_plain(path: str, keys: Sequence[bytes] | None) -> bool | None:
    """Whether the file at `path` is not encrypted, None where there is none or nothing in it. With `keys` it is to be, and opens with one.

    It is asked by the library that will have it open, and never read by us: who closes a file lets go of all locks that his process has on
    it (fcntl(2)), and only the library itself knows of its own.
    """
    with told(path, TERMS):
        if not os.path.lexists(path) or not os.lstat(path).st_size:
            return None
        if keys is None:
            return _opens(lambda: connected(path, PATIENCE))
        return not _opens(lambda: opened(path, PATIENCE, keys)) and _opens(
            lambda: cast("sqlite3.Connection", encrypted(path, PATIENCE, None))
        )


def _opens(connect: Callable[[], sqlite3.Connection]) -> bool:
    """Whether a file is what it is opened as. Raises `sqlite3.Error` for what says nothing about that."""
    try:
        with closing(connect()) as db:
            db.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.DatabaseError as error:
        if (code := error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        return code == sqlite3.SQLITE_CORRUPT  # its first page is right, and another is not
    except Problem as problem:
        if problem.kind != "io-error":
            raise
        return False
    return True
