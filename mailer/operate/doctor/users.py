"""The users who may log in and whose mail is taken: whether they can be looked up where the configuration says. Used by `visit`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.accounts.users.configured import users_of
from mailer.accounts.users.file import FileUsers
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from mailer.accounts.users.api import Users
    from mailer.config import Config

CHECK = "users"
NOBODY = "nobody@nowhere.invalid"


async def users(config: Config) -> list[Finding]:
    """Whether users can be looked up, if somebody has to be: at a door where they log in, or for a domain where they live."""
    if not (any(door.kind == "submission" for door in config.listens) or any(domain.users == "accounts" for domain in config.domains)):
        return []
    found = users_of(config)
    try:
        return [await _looked(found, config)]
    finally:
        await found.close()


async def _looked(found: Users, config: Config) -> Finding:
    section = config.accounts
    where = section.users_file or section.dovecot_users or section.dovecot_auth
    if isinstance(found, FileUsers):
        await asyncio.to_thread(found.refresh)
    try:
        await found.find([NOBODY])
    except Problem as problem:
        return Finding(CHECK, where, FAIL, f"{problem}: nobody logs in, and mail for users waits", "mailer config show accounts")
    if isinstance(found, FileUsers):
        if found.trouble:
            return Finding(CHECK, where, WARN, found.trouble, "mend the file: it is read again within seconds")
        return Finding(CHECK, where, PASS, "it can be read, and each line is a user")
    if isinstance(found, SqliteUsers):
        if await found.listing(limit=1):
            return Finding(CHECK, found.path, PASS, "users can be looked up")
        return Finding(CHECK, found.path, WARN, "there are no users: nobody logs in", "mailer user add ann@example.com")
    if not section.dovecot_users:
        return Finding(CHECK, where, PASS, "Dovecot is asked when somebody logs in, and who there is it is not asked")
    return Finding(CHECK, where, PASS, "Dovecot says who there is")
