"""The file of the suppression list: opened, made, looked at whether it is ours, and what SQLite says of it as a `Problem`.

Nothing of it is ever moved aside or begun anew (`mailer.suppression.sqlite`).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from secrets import token_hex
from typing import Final

from mailer.io.durable import PRIVATE, forget, sync_directory
from mailer.mail.pattern import fits as fits_pattern
from mailer.mail.problem import Problem

from . import schema

PATIENCE: Final = 5.0  # seconds
PUT_BACK: Final = "put back a copy, or an export (`mailer suppress import`), and restart mailer"


def connected(path: str, patience: float = 0.0) -> sqlite3.Connection:
    """The file at `path`, where another one at work is waited for up to `patience` seconds, or `PATIENCE`."""
    db = sqlite3.connect(path, timeout=patience or PATIENCE, isolation_level=None, check_same_thread=False)
    db.create_function("fits", 2, fits_pattern, deterministic=True)
    return db


def make(path: str) -> None:
    """Have the file with its tables on the disk: this one, or that of another process that was first. A crash leaves a draft at most."""
    draft = f"{path}.{os.getpid()}.{token_hex(4)}"
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    try:
        with closing(connected(draft)) as db:
            db.execute("PRAGMA synchronous = FULL")
            for step in schema.STEPS:
                db.executescript(step)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        forget(draft)
    sync_directory(os.path.dirname(path))


def version(db: sqlite3.Connection, path: str) -> int:
    """The version of the tables. Raises `Problem` for a file with nothing in it, one of another program, or of a later version."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > schema.VERSION:
        raise Problem(
            f"the suppression list {path} has version {found}, and this mailer knows versions up to {schema.VERSION}; install the one that "
            "made it",
            "bad-config",
        )
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names:
        raise Problem(f"the suppression list {path} has nothing in it, and was cut off; {PUT_BACK}", "io-error")
    if not (found and {"entries", "log"} <= names):
        raise Problem(f"the suppression list {path} is a database of another program; {PUT_BACK}", "bad-config")
    return found


def bring_up(db: sqlite3.Connection, found: int) -> None:
    """Make the tables of version `found` those of this program."""
    for step in schema.STEPS[found:]:
        _take(db, step)


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


def refuse_foreign(path: str, about: os.stat_result) -> None:
    """Refuse a file that others may write: who is mailed must not be theirs to say. Raises `Problem`."""
    owner = os.stat(os.path.dirname(path)).st_uid
    if not stat.S_ISREG(about.st_mode):
        raise Problem(f"the suppression list {path} is no regular file; {PUT_BACK}", "bad-config")
    if about.st_uid != owner:
        hint = f"if it is yours: chown {owner} {path}*"
        raise Problem(f"the suppression list {path} is of user {about.st_uid}, and the spool of user {owner}; {hint}", "bad-config")
    if about.st_mode & 0o022:
        raise Problem(f"the suppression list {path} may be written by others; look at it, then: chmod 600 {path}", "bad-config")


def problem(path: str, error: sqlite3.Error) -> Problem:
    """What SQLite says, for a person."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Problem(f"the suppression list {path} is being written for longer than {PATIENCE:.0f} s; try again", "try-again")
    if code in (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH):
        return Problem(f"cannot use the suppression list {path}: {error} (`ls -l {path}*` shows who owns it)", "no-permission")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM):
        return Problem(f"cannot use the suppression list {path}: {error}; try again", "try-again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return Problem(f"the suppression list {path} is damaged ({error}); {PUT_BACK}", "io-error")
    return Problem(f"cannot use the suppression list {path}: {error}", "io-error")
