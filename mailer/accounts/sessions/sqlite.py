"""Sessions and logins in ``sessions.sqlite3`` beside the spool: what every door of this machine writes, and ``mailer user`` reads.

`mailer.io.database` says how the file is read, written and looked after.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from mailer.io.database import Database, DatabaseTerms
from mailer.mail.address_key import key_of
from mailer.spool.files.owner import as_owner_of

from . import schema
from .api import ALIVE, HEARD, KEPT, MOST, MOST_OF_ONE, SPAN, Ending, LoginLine, Use, UserSession

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

NAME: Final = "sessions.sqlite3"
TERMS: Final = DatabaseTerms(
    "the record of logins", schema.STEPS, frozenset({"login", "session", "ending"}), "remove it, and restart mailer: it begins anew"
)


class SqliteSessions:
    """What is in the file beside the spool at `root`: `UserSessions`. It may be used by several threads. No file means nothing was."""

    def __init__(self, root: str, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._root = os.path.abspath(root)
        self._file = Database(f"{self._root}/{NAME}", TERMS, partial(as_owner_of, self._root))

    async def note(self, logins: Sequence[LoginLine]) -> None:
        """Write logins down."""

        def note(db: sqlite3.Connection) -> None:
            for login in logins:
                _note(db, login)

        await asyncio.to_thread(self._file.change, note)

    async def logins(self, user: str = "", *, since: float = 0.0, limit: int = 100, failed: bool = False) -> Sequence[LoginLine]:
        """Logins, the newest first."""

        def found(db: sqlite3.Connection | None) -> list[LoginLine]:
            if db is None:
                return []
            if user:
                return [LoginLine(*row) for row in db.execute(schema.LOGINS_OF, (_key(user), since, failed, limit))]
            return [LoginLine(*row) for row in db.execute(schema.LOGINS, (since, failed, limit))]

        return await self._file.aside(found)

    async def used(self, users: Sequence[str]) -> Sequence[Sequence[Use]]:
        """When each password was used last."""

        def found(db: sqlite3.Connection | None) -> list[list[Use]]:
            return [[] if db is None else [Use(*row) for row in db.execute(schema.USES, (_key(user),))] for user in users]

        return await self._file.aside(found)

    async def forget(self, users: Sequence[str]) -> None:
        """Forget when passwords were used."""
        if await self._file.aside(lambda db: db is None):
            return
        keys = [(_key(user),) for user in users]
        await asyncio.to_thread(self._file.change, lambda db: db.executemany(schema.FORGET, keys))

    async def keep(self, process: str, begun: Sequence[UserSession], over: Sequence[str], at: float) -> None:
        """Write down what has begun and what is over."""

        def keep(db: sqlite3.Connection) -> None:
            db.execute(schema.ALIVE, (process, at))
            rows = ((each.id, _key(each.user), each.user, each.door, each.ip, each.app, each.since, process) for each in begun)
            db.executemany(schema.BEGUN, rows)
            db.executemany(schema.OVER, [(id,) for id in over])

        await asyncio.to_thread(self._file.change, keep)

    async def open(self, user: str = "", *, now: float, limit: int = 1000) -> Sequence[UserSession]:
        """The sessions that are open."""
        alive = now - ALIVE

        def found(db: sqlite3.Connection | None) -> list[UserSession]:
            if db is None:
                return []
            rows = db.execute(schema.OPEN_OF, (_key(user), alive, limit)) if user else db.execute(schema.OPEN, (alive, limit))
            return [UserSession(*row) for row in rows]

        return await self._file.aside(found)

    async def leave(self, process: str) -> None:
        """Forget the sessions of a process."""
        if await self._file.soon(lambda db: db is None):
            return

        def leave(db: sqlite3.Connection) -> None:
            db.execute(schema.LEAVE, (process,))
            db.execute(schema.GONE, (process,))

        await asyncio.to_thread(self._file.change, leave)

    async def end(self, user: str, at: float, *, session: str = "", app: str | None = None) -> int:
        """Let sessions end; there may be some before there is a file, but not before there is a spool."""

        def end(db: sqlite3.Connection) -> int:
            db.execute(schema.END, (user, at, session, app))
            return int(db.execute(schema.ENDED, (_key(user), at, session, app, at - ALIVE)).fetchone()[0])

        def act() -> int:
            return self._file.change(end) if os.path.isdir(self._root) else 0

        return await asyncio.to_thread(act)

    async def endings(self, after: int) -> Sequence[Ending]:
        """What was ended."""

        def found(db: sqlite3.Connection | None) -> list[Ending]:
            return [] if db is None else [Ending(*row) for row in db.execute(schema.ENDINGS, (after,))]

        return await self._file.soon(found)

    async def sweep(self, now: float) -> int:
        """Forget what is too old, or too much."""
        if await self._file.aside(lambda db: db is None):
            return 0
        return await asyncio.to_thread(self._file.change, lambda db: self._swept(db, now))

    def _swept(self, db: sqlite3.Connection, now: float) -> int:
        gone = db.execute(schema.OLD, (now - KEPT,)).rowcount
        for well in (True, False):
            for (key,) in db.execute(schema.CROWDED, (well, self._most_of_one)).fetchall():
                gone += db.execute(schema.MANY_OF_ONE, (key, well, self._most_of_one)).rowcount
            gone += db.execute(schema.MANY, (well, self._most)).rowcount
        gone += db.execute(schema.LOST, (now - ALIVE,)).rowcount
        db.execute(schema.DEAD, (now - ALIVE,))
        db.execute(schema.HEARD, (now - HEARD,))
        return gone

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._file.close)


def _note(db: sqlite3.Connection, login: LoginLine) -> None:
    user = _bindable(login.user)
    key, door, ip, mechanism, app, why = map(_bindable, login.alike)
    begun = login.last - SPAN
    found = db.execute(schema.ALIKE, (key, login.well, begun, door, ip, mechanism, app, why, begun)).fetchone()
    if found is not None:
        db.execute(schema.COUNTED, (login.many, login.last, found[0]))
    else:
        db.execute(schema.WRITTEN, (key, user, door, ip, mechanism, app, why, login.first, login.last, login.many))
    if login.well:
        db.execute(schema.USED, (key, app, login.last, ip, door))


def _key(user: str) -> str:
    return _bindable(key_of(user))


def _bindable(text: str) -> str:
    """A text that SQLite takes: half of a surrogate pair is in no address."""
    return text.encode("utf-8", "replace").decode()
