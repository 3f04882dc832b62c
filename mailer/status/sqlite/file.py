"""The file of the database: opened to write or to read, known again, moved aside.

Used by `writer`, which is the only one to make it, and by `reader`, which leaves nothing behind.
"""

from __future__ import annotations

import os
import sqlite3

from mailer.io.durable import PRIVATE
from mailer.mail.pattern import fits

from .schema import Unusable, look_current, migrate, version

PATIENT = 2.0  # seconds to wait for somebody who locks the file; no reader of ours does
WAIT = "PRAGMA busy_timeout = 2000"  # that is `PATIENT`
PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
           sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL)  # fmt: skip
"""What may be over the next time; anything else is about what was to be written."""
READING = 5.0  # seconds to wait while the file is being made or moved


def open_to_write(path: str) -> sqlite3.Connection:
    """The database at `path`, made or brought to `VERSION` if need be. Raises `Unusable`, `sqlite3.Error`, `OSError`."""
    _make(path)
    db = sqlite3.connect(path, timeout=PATIENT, isolation_level=None, check_same_thread=False)
    try:
        version(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")  # see `checkpoint`
        db.execute("PRAGMA temp_store = MEMORY")  # a statement of many rows keeps what it changes: that was twice what the log got
        migrate(db)
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
            raise Unusable("it is no regular file") from None


def identity(path: str) -> tuple[int, ...]:
    """Which files the database at `path` and the log beside it are; as long as a database is open, both are there."""
    try:
        known = os.stat(path)
        return known.st_dev, known.st_ino, os.stat(f"{path}-wal").st_ino
    except OSError:
        return ()


def passes(error: Exception) -> bool:
    """Whether what failed may go another time."""
    return isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in PASSING


def unusable(error: Exception) -> bool:
    """Whether a new file helps: this one is damaged, of another version, or has other tables than ours."""
    if isinstance(error, Unusable):
        return True
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def move_aside(path: str) -> str:
    """Rename the database at `path` and its side files; returns the new path. Raises `OSError`."""
    serial = 1
    while os.path.lexists(f"{path}.aside{serial}"):
        serial += 1
    for suffix in ("", "-wal", "-shm"):
        if os.path.lexists(path + suffix):
            os.rename(path + suffix, f"{path}.aside{serial}{suffix}")
    return f"{path}.aside{serial}"


def open_to_read(path: str) -> sqlite3.Connection | None:
    """The database at `path` for statements that may say ``fits(pattern, text)``; None if there is none yet.

    Raises `sqlite3.Error`, `Unusable`, `OSError`.
    """
    try:
        if not os.stat(path).st_size:
            return None
        return _connect(path, "mode=ro")
    except FileNotFoundError:
        return None
    except sqlite3.OperationalError:
        # No daemon has it open, and we may not make the side files that WAL wants. Then nobody writes, and the
        # file alone is whole, unless a log lies beside it.
        if os.access(os.path.dirname(path), os.W_OK) or os.path.exists(f"{path}-wal"):
            raise
        return _connect(path, "mode=ro&immutable=1")


_QUOTED = str.maketrans({"%": "%25", "?": "%3f", "#": "%23"})
"""What would end a path in the URI of a file (sqlite.org/uri.html §3.1); `urllib.parse` costs 4 ms to import."""


def _connect(path: str, how: str) -> sqlite3.Connection | None:
    db = sqlite3.connect(f"file:{path.translate(_QUOTED)}?{how}", uri=True, timeout=READING, isolation_level=None)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    db.create_function("fits", 2, fits, deterministic=True)  # in place of LIKE and GLOB, which try all ways
    try:
        if look_current(db):
            return db
        db.close()
        return None
    except BaseException:
        db.close()
        raise
