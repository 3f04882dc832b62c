"""Connections to one database of PostgreSQL, which many owners share: at most so many, each lent to one thread at a time.

One that has died while nobody had it, because the server was started again, is replaced before anything is asked of it. Who has one in the
middle of something is told, and has done nothing: only of a COMMIT whose answer is lost is it not known, which `postgres` finds out.

The tables are made, or brought to the version of this program, by the first connection. Every connection is to a server that takes
changes, and waits for its disk (and that of its synchronous standby, if it has one) before it says that something is done. No text that is
shown has the password in it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, Final

from mailer.io.extras import installing
from mailer.mail.problem import Problem

from .migration import bring_up

try:
    import psycopg
    from psycopg import conninfo
    from psycopg.pq import TransactionStatus
except ImportError:
    raise Problem(f"mailboxes.database is set, and the library psycopg is not installed: {installing('cluster')}", "bad-config") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Connection = psycopg.Connection[tuple[Any, ...]]

DatabaseError = psycopg.Error
"""What PostgreSQL says, for those who import psycopg by this file alone."""

logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of connections that had died, which we replace

MOST: Final = 8  # connections of a process
PATIENCE: Final = 5.0  # seconds
LONGEST: Final = 200  # characters of what the server says
PARAMETERS: Final[Mapping[str, str]] = {
    "application_name": "mailer",
    "client_encoding": "UTF8",
    "connect_timeout": "5",
    "target_session_attrs": "read-write",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",  # milliseconds until a network that swallows everything is a lost connection
}
"""What a URL may say otherwise."""

SETTINGS: Final = """
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '60s';
SET client_min_messages = 'error';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""

PASSES: Final = ("08", "40", "53", "55", "57", "25006", "58030")
"""SQLSTATEs of what passes, by their beginnings: a connection that is lost, a deadlock, no room, a lock, a server that stops, one that only
reads (a standby that was not promoted yet), an error of its disk. What goes wrong while a connection is made has none, and may pass."""
REFUSED: Final = ("28", "42501")  # who may not


class Connections:
    """Connections to the database at `url` (``postgresql://…``, without a password), at most `most`, with the `tables` made there.

    `tables` are names and the steps that make them. A `password` that is kept elsewhere is read for each connection. It may be used by
    several threads.
    """

    def __init__(self, url: str, tables: Mapping[str, Sequence[str]], password: str | Callable[[], str] = "", most: int = MOST) -> None:
        self._parameters = parameters_of(url)
        self._password = password
        self._tables = tables
        self.where = shown(self._parameters)
        self._idle: list[Connection] = []
        self._lock = Lock()
        self._free = BoundedSemaphore(most)
        self._is_ready = False

    @contextmanager
    def lent(self, *begins: tuple[str, Sequence[object]]) -> Iterator[Connection]:
        """A connection for whoever asks, with `begins` done, which are statements with their values. What PostgreSQL says, and raises in
        the block, is a `Problem`. Who leaves a transaction open has undone it."""
        if not self._free.acquire(timeout=PATIENCE):
            raise Problem(f"all connections to {self.where} are in use for longer than {PATIENCE:.0f} s; try again", "try-again")
        try:
            with self._told():
                db = self._begun(begins)
                try:
                    yield db
                finally:
                    self._take_back(db)
        finally:
            self._free.release()

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A connection for whoever has it for days, besides those that are lent. What PostgreSQL says is a `Problem`."""
        with self._told():
            db = self._connect()
            try:
                yield db
            finally:
                db.close()

    def close(self) -> None:
        """Let go of those that nobody has."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What PostgreSQL says, as a `Problem`."""
        try:
            yield
        except psycopg.Error as error:
            raise problem_of(self.where, error) from None

    def _begun(self, begins: Sequence[tuple[str, Sequence[object]]]) -> Connection:
        """A connection on which `begins` are done: one that was lying there, if it lives, else a new one."""
        while True:
            with self._lock:
                db = self._idle.pop() if self._idle else None
            is_new = db is None
            db = db or self._connect()
            try:
                begin(db, begins)
            except BaseException:
                was_dead = db.closed
                self._take_back(db)
                if is_new or not was_dead:
                    raise
            else:
                return db

    def _connect(self) -> Connection:
        password = self._password if isinstance(self._password, str) else self._password()
        parameters = {**self._parameters, **({"password": password} if password else {})}
        db: Connection = psycopg.Connection.connect(autocommit=True, **parameters)
        try:
            db.execute(SETTINGS)
            with self._lock:
                if not self._is_ready:
                    bring_up(db, self._tables, self.where)
                    self._is_ready = True
        except BaseException:
            db.close()
            raise
        return db

    def _take_back(self, db: Connection) -> None:
        """Keep a connection for the next one who asks, with nothing begun on it."""
        if not db.closed and db.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                db.execute("ROLLBACK")
        if db.closed or db.info.transaction_status is not TransactionStatus.IDLE:
            db.close()
            return
        with self._lock:
            self._idle.append(db)


def begin(db: Connection, begins: Sequence[tuple[str, Sequence[object]]]) -> None:
    """Do `begins`, which are statements with their values, in one round."""
    with db.pipeline():
        for STATEMENT, values in begins:  # noqa: N806 - a constant of whoever asks, as the tests of the house see to
            db.execute(STATEMENT, values or None)


def parameters_of(url: str) -> dict[str, Any]:
    """What libpq is told. Raises `Problem` for what is no URL of a database."""
    try:
        said = conninfo.conninfo_to_dict(url)
    except psycopg.Error:  # it would show the text
        text = "mailboxes.database is no URL of PostgreSQL that can be read; it looks like postgresql://mailer@db.example.net/mailer"
        raise Problem(text, "bad-config") from None
    return {**PARAMETERS, **said}


def shown(parameters: Mapping[str, Any]) -> str:
    """A database, as people name it."""
    host, port, name = (parameters.get(each) or "" for each in ("host", "port", "dbname"))
    is_one = bool(port) and "," not in host
    return f"the database {host or 'of this machine'}{f':{port}' if is_one else ''}{f'/{name}' if name else ''}"


def problem_of(where: str, error: psycopg.Error) -> Problem:
    """What PostgreSQL says, for a person."""
    state = error.sqlstate or ""
    said = " ".join((error.diag.message_primary or str(error)).split())[:LONGEST]
    if state.startswith(REFUSED):
        return Problem(f"{where} refuses us: {said}", "no-permission")
    if state.startswith(PASSES) or (not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)):
        return Problem(f"{where} cannot be used now: {said}; try again", "try-again")
    if state.startswith("23"):
        return Problem(f"in {where} another process was at it at the same moment; try again", "try-again")
    if state.startswith(("3D", "42", "0A")):
        return Problem(f"{where} is not one that this mailer can use: {said}", "bad-config")
    return Problem(f"{where} cannot be used: {said}", "io-error")
