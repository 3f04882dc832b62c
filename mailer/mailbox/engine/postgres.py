"""The rows of one owner in a database of PostgreSQL, which the owners of many machines share.

A change holds a lock of its owner's from its beginning to its end, so that no other changes his rows beside it, and sees what those before
it did: no transaction has to be done again because another one was quicker. What is read is of one moment.

A COMMIT whose answer is lost, because the server or the network failed just then, was done or was not. Each change therefore leaves its
turn in the table ``turn``: a number that no other change of this engine had. After such a loss the lock is taken anew, so that whatever was
under way has ended, and the turn tells. Where that cannot be found out either for `FINDING` seconds, who asked is told so; mail that is
delivered again then is known by the spool's ID.
"""

from __future__ import annotations

import functools
import itertools
import time
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from mailer.io.computing import waiting
from mailer.mail.problem import Problem
from mailer.mailbox import schema

from .connections import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .api import Rows
    from .connections import Connection, Connections

T = TypeVar("T")

FINDING: Final = 30.0  # seconds
AGAIN: Final = 0.2  # seconds between two tries
KEPT: Final = "1 day"  # how long the turn of an engine is kept that is used no more

TURN: Final = """
CREATE TABLE turn (
    owner  BIGINT NOT NULL,
    writer TEXT NOT NULL,                -- an engine, while it is open
    number BIGINT NOT NULL,              -- of its newest change
    at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (owner, writer)
);
"""

READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
CHANGE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
ALONE: Final = "SELECT pg_advisory_xact_lock(%s)"  # the whole key is an owner's number; `migration` takes one of two numbers
TAKE_TURN: Final = """INSERT INTO turn (owner, writer, number, at) VALUES (%s, %s, %s, now())
    ON CONFLICT (owner, writer) DO UPDATE SET number = excluded.number, at = excluded.at"""
WHOSE_TURN: Final = "SELECT number FROM turn WHERE owner = %s AND writer = %s"
FORGET_TURNS: Final = f"DELETE FROM turn WHERE owner = %s AND at < now() - interval '{KEPT}'"
FORGET_ALL_TURNS: Final = "DELETE FROM turn WHERE owner = ? AND writer <> ?"


class PostgresRows:
    """A transaction of the connection `db`: `Rows`."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def run(self, sql: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]:
        """The rows that `sql` gives."""
        STATEMENT = translated(sql)  # noqa: N806 - of a constant of whoever asks, as the tests of the house see to
        cursor = self._db.execute(STATEMENT, fit(values))
        return cursor.fetchall() if cursor.description else []

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Do `sql`, and say how many rows it touched."""
        STATEMENT = translated(sql)  # noqa: N806 - as above
        return self._db.execute(STATEMENT, fit(values)).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Do `sql` for each of `rows`."""
        STATEMENT = translated(sql)  # noqa: N806 - as above
        with self._db.cursor() as cursor:
            cursor.executemany(STATEMENT, map(fit, rows))


class PostgresEngine:
    """The rows of the owner with the number `owner` in the database of `connections`: an `Engine`."""

    dialect: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, connections: Connections, owner: int) -> None:
        self.owner = owner
        self._connections = connections
        self._writer = token_hex(8)
        self._turns = itertools.count(1)
        self._lock = Lock()

    def read(self, ask: Callable[[Rows], T]) -> T:
        """What `ask` makes of the rows of one moment."""
        with waiting(), self._connections.lent((READ, ())) as db:
            return ask(PostgresRows(db))

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction. Raises `Problem`, of a commit whose answer is lost as well, if that is not done, or nobody knows."""
        with waiting(), self._lock:
            turn = next(self._turns)
            begins = [(CHANGE, ()), (ALONE, (self.owner,)), (TAKE_TURN, (self.owner, self._writer, turn))]
            if turn == 1:
                begins.append((FORGET_TURNS, (self.owner,)))
            with self._connections.lent(*begins) as db:
                done = act(PostgresRows(db))
                is_known = committed(db)
            if not is_known and not self._was_done(turn):
                raise Problem(f"the connection to {self._connections.where} was lost, and nothing was changed; try again", "try-again")
            return done

    def set_aside(self, now: float) -> str:  # noqa: ARG002 - of the interface
        """What is damaged in a database is for those who look after it."""
        return ""

    def forget(self) -> None:
        """Remove all rows of this owner."""

        def act(rows: Rows) -> None:
            for STATEMENT in (*schema.FORGET, schema.FORGET_WORDS):  # noqa: N806 - each is one
                rows.change(STATEMENT, (self.owner,))
            rows.change(FORGET_ALL_TURNS, (self.owner, self._writer))

        self.change(act)

    def close(self) -> None:
        """Nothing is to be let go of: the connections are everybody's."""

    def _was_done(self, turn: int) -> bool:
        """Whether the change of this turn is there. Raises `Problem`."""
        until = time.monotonic() + FINDING
        while True:
            try:
                with self._connections.lent((CHANGE, ()), (ALONE, (self.owner,))) as db:
                    row = db.execute(WHOSE_TURN, (self.owner, self._writer)).fetchone()
                    return row is not None and row[0] == turn
            except Problem as problem:
                if problem.kind != "try-again":
                    raise
                if time.monotonic() > until:
                    text = f"the connection to {self._connections.where} was lost, and whether the change is done is not known; look, and"
                    raise Problem(f"{text} try again", "try-again") from None
            time.sleep(AGAIN)


def committed(db: Connection) -> bool:
    """End the transaction; False where the answer to that was lost. Raises `Problem` where it was undone."""
    try:
        said = db.execute("COMMIT", prepare=False).statusmessage
    except DatabaseError:
        if not db.closed:
            raise
        return False
    if said != "COMMIT":  # a statement had failed, and whoever asked went on all the same
        raise Problem("the database has undone a change, a part of which it had refused; this is a bug", "bug")
    return True


@functools.lru_cache(maxsize=1024)
def translated(sql: str) -> str:
    """A statement with ``?`` for values, with psycopg's ``%s``; what is between quotes is text."""
    parts = sql.replace("%", "%%").split("'")
    parts[::2] = [part.replace("?", "%s") for part in parts[::2]]
    return "'".join(parts)


def fit(values: Sequence[object]) -> list[object]:
    """Values as PostgreSQL takes them: no NUL is in a text of its, and truth is a number in our tables."""
    return [
        value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else int(value) if isinstance(value, int) else value
        for value in values
    ]
