"""Users in a file of SQLite, ``accounts.sqlite3`` beside the spool: what ``mailer user`` writes, and the doors read.

`mailer.io.database` says how the file is read, written and looked after. A user who was changed is another one to whoever asks next.
"""

from __future__ import annotations

import asyncio
import json
import os
from binascii import a2b_base64, b2a_base64
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from mailer.io.database import Database, DatabaseTerms
from mailer.mail.address_key import key_of
from mailer.spool.files.owner import as_owner_of

from . import schema
from .api import AppPassword, KeyPair, User
from .memory import refuse_known

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from typing import Any

NAME: Final = "accounts.sqlite3"
FEW: Final = 200  # look-ups in the thread that asks: some milliseconds
REMEMBERED: Final = 1000  # rows whose users are not made anew
TERMS: Final = DatabaseTerms("the database of users", schema.STEPS, frozenset({"users"}), "put back a copy, and restart mailer")


class SqliteUsers:
    """The users in the file at `path`: a `UserBook`. It may be used by several threads. No file means no users."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._file = Database(self.path, TERMS, partial(as_owner_of, os.path.dirname(self.path)))

    async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """The users with these addresses."""
        if len(addresses) > FEW:
            return await self._file.aside(lambda db: _found(db, addresses))
        return await self._file.soon(lambda db: _found(db, addresses))

    def find_now(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """As `find`, in the thread of whoever asks, and waiting for nobody. Raises `Problem`."""
        return self._file.read(lambda db: _found(db, addresses))

    async def listing(self, *, after: str = "", limit: int = 1000) -> Sequence[User]:
        """Users in the order of their keys."""

        def found(db: sqlite3.Connection | None) -> list[User]:
            return [] if db is None else [_user(row) for row in db.execute(schema.LISTING, (key_of(after), limit))]

        return await self._file.aside(found)

    async def put(self, users: Sequence[User], *, new: bool = False) -> None:
        """Keep each in place of the one of his address."""

        def put(db: sqlite3.Connection) -> None:
            if new:
                refuse_known(user for user in users if db.execute(schema.FIND, (user.key,)).fetchone())
            db.executemany(schema.PUT, map(_row, users))

        await asyncio.to_thread(self._file.change, put)

    async def change(self, address: str, act: Callable[[User], User]) -> User | None:
        """Keep what `act` makes of a user, in one transaction. Where there is no file, none is made."""

        def changed(db: sqlite3.Connection) -> User | None:
            [user] = _found(db, [address])
            if user is None:
                return None
            made = act(user)
            db.execute(schema.PUT, _row(made))
            return made

        if await self._file.soon(lambda db: db is None):
            return None
        return await asyncio.to_thread(self._file.change, changed)

    async def remove(self, addresses: Sequence[str]) -> Sequence[bool]:
        """Forget the users of these addresses. Where there is no file, none is made."""

        def removed(db: sqlite3.Connection) -> list[bool]:
            return [db.execute(schema.REMOVE, (key_of(address),)).rowcount > 0 for address in addresses]

        if await self._file.soon(lambda db: db is None):
            return [False] * len(addresses)
        return await asyncio.to_thread(self._file.change, removed)

    def is_gone(self, address: str) -> bool:
        """Whether there is no such user."""
        return self.find_now([address]) == [None]

    def stand_in(self) -> User | None:
        """None is needed."""

    async def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _found(db: sqlite3.Connection | None, addresses: Sequence[str]) -> list[User | None]:
    if db is None:
        return [None] * len(addresses)
    rows = (db.execute(schema.FIND, (_bindable(key_of(address)),)).fetchone() for address in addresses)
    return [row and _user(row) for row in rows]


def _bindable(text: str) -> str:
    """A text that SQLite takes: half of a surrogate pair is in no address."""
    return text.encode("utf-8", "replace").decode()


def _row(user: User) -> tuple[object, ...]:
    stored, server = user.keys or (None, None)
    passwords = json.dumps([_as_json(each) for each in user.app_passwords])
    return (
        user.key, user.address, user.password, stored, server, user.salt, user.iterations, passwords, json.dumps(user.sends_as), user.quota,
        user.disabled, round(user.created * 1e6), user.quota_messages,
    )  # fmt: skip


@lru_cache(REMEMBERED)  # who gets mail is looked up three times a message
def _user(row: tuple[Any, ...]) -> User:
    address, password, stored, server, salt, iterations, passwords, sends_as, quota, disabled, created, messages = row
    keys = None if stored is None else KeyPair(stored, server)
    apps = tuple(map(_app_password, json.loads(passwords)))
    senders = tuple(json.loads(sends_as))
    return User(address, password, keys, salt, iterations, apps, senders, quota, bool(disabled), created / 1e6, messages)


def _as_json(password: AppPassword) -> dict[str, object]:
    keys = password.keys and [b2a_base64(key, newline=False).decode() for key in password.keys]
    return {**password._asdict(), "purposes": sorted(password.purposes), "keys": keys}


def _app_password(said: dict[str, Any]) -> AppPassword:
    keys = said["keys"] and KeyPair(*map(a2b_base64, said["keys"]))
    return AppPassword(said["name"], said["digest"], frozenset(said["purposes"]), keys, said["created"], said.get("expires", 0.0))
