"""A file of SQLite of which nothing is readable on the disk, opened as if it were `sqlite3`: SQLite3 Multiple Ciphers, by apsw.

Each page is encrypted and authenticated by ChaCha20-Poly1305 with a random nonce, in the file and in its write-ahead log alike. What its
header shows is a salt and the size of a page. The key is given as it is: nothing is derived from it, for it was drawn at random.

`EncryptedConnection` has what `mailer.io.database` and the rows of a mailbox use of `sqlite3.Connection`, and raises what that raises. Its
cursors have all rows at once, as everybody here takes them.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any, Final, cast

from mailer.io.database import PATIENCE
from mailer.io.extras import installing
from mailer.mail.pattern import fits as fits_pattern
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import apsw

CIPHER: Final = "chacha20"

_KEY: Final = re.compile(r"raw:[0-9a-f]++")


class EncryptedCursor:
    """The rows of a statement that was done, and how many it changed."""

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self.rowcount = rowcount
        self._rows = iter(rows)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, if there is one."""
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return [*self._rows]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows


class EncryptedConnection:
    """The connection `db` as one of `sqlite3`."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db

    @property
    def in_transaction(self) -> bool:
        """Whether one is under way."""
        return self.db.in_transaction

    def execute(self, sql: str, values: Sequence[object] = ()) -> EncryptedCursor:
        """Do one statement, and have its rows. Raises `sqlite3.Error`."""
        with _Told():
            STATEMENT = sql  # noqa: N806 - a constant of whoever asks, as the tests of the house see to
            rows = cast("list[tuple[Any, ...]]", self.db.cursor().execute(STATEMENT, cast("Any", values)).fetchall())
            return EncryptedCursor(rows, self.db.changes())

    def executemany(self, sql: str, many: Iterable[Sequence[object]]) -> None:
        """Do one statement for each of `many`. Raises `sqlite3.Error`."""
        with _Told():
            STATEMENT = sql  # noqa: N806 - as above
            self.db.cursor().executemany(STATEMENT, cast("Any", many)).fetchall()

    def executescript(self, sql: str) -> None:
        """Do all statements of a text. Raises `sqlite3.Error`."""
        STATEMENT = sql  # noqa: N806 - as above
        self.execute(STATEMENT)

    def create_function(self, name: str, many: int, function: Callable[..., Any], *, deterministic: bool = False) -> None:
        """Have SQL know a function."""
        with _Told():
            self.db.create_scalar_function(name, function, many, deterministic=deterministic)

    def give_key(self, key: bytes) -> None:
        """Have all pages encrypted with `key` from now on, in one transaction: who has the key before reads nothing any more."""
        with _Told():
            self.db.pragma("rekey", as_given(key))

    def close(self) -> None:
        """Let go of the file."""
        with _Told():
            self.db.close()


class _Told:
    """What apsw says, as `sqlite3` would; without a key, which is in the name of a file that cannot be opened (`uri_of`)."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from apsw import Error

        if not isinstance(error, Error):
            return
        code = int(getattr(error, "extendedresult", 0)) or sqlite3.SQLITE_ERROR
        kinds = {sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError, sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError}
        kinds[sqlite3.SQLITE_CONSTRAINT] = sqlite3.IntegrityError
        told = kinds.get(code & 0xFF, sqlite3.OperationalError)(_KEY.sub("raw:", str(error)))
        told.sqlite_errorcode = code
        raise told from None


def encrypted(path: str, patience: float, key: bytes | None) -> EncryptedConnection:
    """The file at `path` with that key, None for one that is not encrypted; as `mailer.io.database.connected` otherwise.

    Raises `sqlite3.Error`, of code SQLITE_NOTADB where the key is another.
    """
    library = sqlite_with_ciphers()
    with _Told():
        flags = library.SQLITE_OPEN_READWRITE | library.SQLITE_OPEN_CREATE | library.SQLITE_OPEN_URI
        db = EncryptedConnection(library.Connection(path, flags=flags))
    try:
        with _Told():
            db.db.set_busy_timeout(int((patience or PATIENCE) * 1000))
            if key is not None:
                db.db.pragma("cipher", CIPHER)
                db.db.pragma("key", as_given(key))
        db.create_function("fits", 2, fits_pattern, deterministic=True)
        db.execute("SELECT count(*) FROM sqlite_master")
    except BaseException:
        db.close()
        raise
    return db


def uri_of(path: str, key: bytes | None = None) -> str:
    """The file as SQLite's URI, with its key, or saying that it has none."""
    from urllib.parse import quote

    return f"file:{quote(path)}?cipher={CIPHER}&key={as_given(key) if key else ''}"


def as_given(key: bytes) -> str:
    """A key as the library takes one that nothing is to be derived from."""
    return f"raw:{key.hex()}"


def sqlite_with_ciphers() -> Any:
    """The library. Raises `Problem` where it is not installed, or without the ciphers."""
    try:
        import apsw
    except ImportError:
        found: Any = None
    else:
        found = apsw
    if not hasattr(found, "mc_version"):
        raise Problem(f"encrypted mailboxes need the library apsw-sqlite3mc: {installing('mailboxes')}", "unavailable")
    return found
