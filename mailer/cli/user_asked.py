"""What the commands of ``mailer user`` share: whom they are about, and where he is asked for."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .options import usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mailer.accounts.sessions.sqlite import SqliteSessions
    from mailer.accounts.users.sqlite import SqliteUsers
    from mailer.config import Config
    from mailer.mailbox.mailboxes import Mailboxes

    from .options import Given

CODES = "exit codes: 0 · 64 usage · 67 there is no such user · 74, 75 the database cannot be used now · 77 permission · 78 configuration"


class Books(NamedTuple):
    """Where users are kept, and where it is kept who of them is logged in."""

    users: SqliteUsers
    sessions: SqliteSessions


def asked(config: Config, ask: Callable[[Books], Awaitable[Any]], *, make: bool = False) -> Any:
    """What `ask` makes of the users; to `make` one, the spool is made where there is none."""
    from mailer.operate.user_sessions import sessions_of
    from mailer.operate.users import users_of

    books = Books(users_of(config, make=make), sessions_of(config))

    async def answered() -> Any:
        try:
            return await ask(books)
        finally:
            await books.users.close()
            await books.sessions.close()

    return asyncio.run(answered())


def asked_sessions(config: Config, ask: Callable[[SqliteSessions], Awaitable[Any]]) -> Any:
    """What `ask` makes of the sessions, whoever has the users."""
    from mailer.operate.user_sessions import sessions_of

    sessions = sessions_of(config)

    async def answered() -> Any:
        try:
            return await ask(sessions)
        finally:
            await sessions.close()

    return asyncio.run(answered())


def config_of(given: Given) -> Config:
    """The configuration that the command line names."""
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


@contextmanager
def boxes_of(config: Config) -> Iterator[Mailboxes | None]:
    """The mailboxes of this machine; None where the configuration has no place for them."""
    if not config.mailboxes_path:
        yield None
        return
    from mailer.mailbox.configured import mailboxes_of

    boxes = mailboxes_of(config)
    try:
        yield boxes
    finally:
        boxes.close()


def address_of(given: Given) -> str:
    """The one address that the command is about. Raises `Problem` (usage)."""
    if len(given.operands) != 1:
        raise usage("it needs one ADDRESS", given.command.name)
    return given.operands[0]


def names(given: Given) -> list[str]:
    """The addresses of all users, for a shell."""
    from mailer.operate import users as operate

    async def all_of(books: Books) -> list[str]:
        return [user.address async for user in operate.everybody(books.users)]

    found: list[str] = asked(config_of(given), all_of)
    return found
