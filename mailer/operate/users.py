"""What an operator does with users: add, give another password, one for a program, a quota, addresses to send as; switch off, remove, list.

They are in the database of the spool, or where `accounts.path` says. A password that was not chosen by somebody is made here and shown
once. Who is switched off, or whose password is another one, is logged out where he is logged in, within a second.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.accounts.logins import digest_of
from mailer.accounts.password import ITERATIONS, SALT, key_pair, record
from mailer.accounts.users.api import PURPOSES, AppPassword, User
from mailer.accounts.users.sqlite import NAME, SqliteUsers
from mailer.config.sections.accounts import DATABASE
from mailer.config.sections.daemon import SENDER
from mailer.mail.address import AddressError, parse
from mailer.mail.address_key import key_of, split_tag
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.spool.files.store import SpoolDirectory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from mailer.accounts.sessions.api import UserSessions
    from mailer.accounts.users.api import UserBook
    from mailer.config import Config

SYMBOLS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
LENGTH: Final = 20  # of them: 99 bits
MOST_APPS: Final = 50  # of one user
LONGEST_NAME: Final = 64


class UserTerms(NamedTuple):
    """What a new user is given besides a password: his quotas in octets and messages, and patterns of addresses that he `sends_as`."""

    quota: int = 0
    sends_as: Sequence[str] = ()
    quota_messages: int = 0


class UserPassword(NamedTuple):
    """A password of the user `address` as it is shown once, that of an app with its `name`; `password` is empty where he chose it."""

    address: str
    password: str
    name: str = ""

    def as_json(self) -> dict[str, object]:
        """As commands print it with ``--json``."""
        return {"address": self.address, "name": self.name or None, "password": self.password or None}


def users_of(config: Config, *, make: bool = False) -> SqliteUsers:
    """The users that belong to `config`; to `make` one, the spool is made where there is none.

    Raises `Problem`: bad-config where users are not ours to write, no-permission for a user who may not read the spool.
    """
    section = config.accounts
    if section.source != DATABASE:
        where = section.users_file or section.dovecot_auth
        raise Problem(f'users are with {where} (accounts.source = "{section.source}"), and are changed there', "bad-config")
    if section.path:
        return SqliteUsers(section.path)
    spool = SpoolDirectory(config.spool)
    if make and not os.path.isdir(spool.place):
        spool.prepare()
    spool.check_readable()
    return SqliteUsers(f"{spool.place}/{NAME}")


async def add(users: UserBook, address: str, terms: UserTerms, now: float, *, password: str = "", scram: bool = True) -> UserPassword:
    """Make a user with `password`, or one that is made up. With `scram`, he can log in without it travelling. Raises `Problem` (usage)."""
    for pattern in terms.sends_as:
        _check_sender(pattern)
    name = _address(address)
    plain = split_tag(key_of(name))[0]
    if plain != key_of(name):
        raise Problem(f"{name} is {plain} with a tag: mail for it goes to that user, and it can be no user of its own", "usage")
    user = User(name, quota=terms.quota, sends_as=tuple(terms.sends_as), created=now, quota_messages=terms.quota_messages)
    given = password or _random()
    await users.put([_with_password(user, given, scram=scram)], new=True)
    return UserPassword(user.address, "" if password else given)


async def change_password(
    users: UserBook, sessions: UserSessions, address: str, now: float, *, password: str = "", scram: bool = True
) -> UserPassword:
    """Give a user `password`, or one that is made up; those of his apps stay, and who is logged in with the one before is logged out.

    Raises `Problem` (no-such, usage).
    """
    given = password or _random()
    user = await _changed(users, address, lambda user: _with_password(user, given, scram=scram))
    await sessions.end(user.address, now, app="")
    return UserPassword(user.address, "" if password else given)


async def add_app_password(
    users: UserBook, sessions: UserSessions, address: str, name: str, purposes: Sequence[str], now: float, *, expires: float = 0.0
) -> UserPassword:
    """Make a password for one program of a user, in place of one of that name, which `expires` then. Raises `Problem` (no-such, usage)."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Problem(f"the name of an app password takes 1 to {LONGEST_NAME} printable characters", "usage")
    if unknown := [purpose for purpose in purposes if purpose not in PURPOSES]:
        raise Problem(f"an app password is for {', '.join(PURPOSES)}, and not for {unknown[0]!r}", "usage")
    given = _random()

    def with_one_more(user: User) -> User:
        user = _salted(user)
        others = tuple(each for each in user.app_passwords if each.name != name)
        if len(others) >= MOST_APPS:
            raise Problem(f"{user.address} has {MOST_APPS} app passwords; remove one first", "usage")
        keys = key_pair(given, user.salt, user.iterations)
        made = AppPassword(name, digest_of(given), frozenset(purposes or PURPOSES), keys, now, expires)
        return user._replace(app_passwords=(*others, made))

    user = await _changed(users, address, with_one_more)
    await sessions.end(user.address, now, app=name)
    return UserPassword(user.address, given, name)


async def remove_app_password(users: UserBook, sessions: UserSessions, address: str, name: str, now: float) -> User:
    """Forget an app password of a user; who is logged in with it is logged out. Raises `Problem` (no-such)."""

    def with_one_less(user: User) -> User:
        left = tuple(each for each in user.app_passwords if each.name != name)
        if len(left) == len(user.app_passwords):
            known = ", ".join(each.name for each in left) or "none"
            raise Problem(f"{user.address} has no app password {name!r}; there is: {known}", "no-such")
        return user._replace(app_passwords=left)

    changed = await _changed(users, address, with_one_less)
    await sessions.end(changed.address, now, app=name)
    return changed


async def set_quota(users: UserBook, address: str, quota: int, messages: int | None = None) -> User:
    """Let the mailbox of a user have so many octets and messages, 0 for no limit, None for what it is. Raises `Problem` (no-such)."""

    def with_quota(user: User) -> User:
        return user._replace(quota=quota, quota_messages=user.quota_messages if messages is None else messages)

    return await _changed(users, address, with_quota)


async def set_senders(users: UserBook, address: str, patterns: Sequence[str]) -> User:
    """Let a user send as the addresses of these patterns, and as no others besides his own. Raises `Problem` (no-such, usage)."""
    for pattern in patterns:
        _check_sender(pattern)
    return await _changed(users, address, lambda user: user._replace(sends_as=tuple(patterns)))


async def switch(users: UserBook, sessions: UserSessions, address: str, now: float, *, disabled: bool) -> User:
    """Let a user log in and send no more, or again; who is switched off is logged out. Raises `Problem` (no-such)."""
    user = await _changed(users, address, lambda user: user._replace(disabled=disabled))
    if disabled:
        await sessions.end(user.address, now)
    return user


async def named(users: UserBook, address: str) -> User:
    """The user with this address. Raises `Problem` (no-such)."""
    [user] = await users.find([_address(address)])
    return _there(user, address)


def _there(user: User | None, address: str) -> User:
    if user is None:
        raise Problem(f"there is no user {address}; `mailer user list` shows all, `mailer user add` makes one", "no-such")
    return user


async def everybody(users: UserBook) -> AsyncIterator[User]:
    """All users, in the order of their addresses."""
    after = ""
    while found := await users.listing(after=after):
        for user in found:
            yield user
        after = found[-1].address


def as_json(user: User) -> dict[str, object]:
    """A line of ``mailer user list --json``: all but what proves him."""
    return {
        "address": user.address,
        "disabled": user.disabled,
        "has_password": bool(user.password),
        "app_passwords": [
            {"name": each.name, "purposes": sorted(each.purposes), "created_at": _time(each.created), "expires_at": _time(each.expires)}
            for each in user.app_passwords
        ],
        "sends_as": list(user.sends_as),
        "quota": user.quota or None,
        "quota_messages": user.quota_messages or None,
        "created_at": _time(user.created),
    }


def _time(at: float) -> str | None:
    return rfc3339(at) if at else None


async def _changed(users: UserBook, address: str, act: Callable[[User], User]) -> User:
    """A user of whom something is another; what others change of him meanwhile stays. Raises `Problem` (no-such), and what `act` does."""
    return _there(await users.change(_address(address), act), address)


def _with_password(user: User, password: str, *, scram: bool) -> User:
    user = _salted(user)
    keys = key_pair(password, user.salt, user.iterations) if scram else None
    return user._replace(password=record(password, secrets.token_bytes(SALT)), keys=keys)


def _salted(user: User) -> User:
    """The user with what all his keys of SCRAM share."""
    return user if user.salt else user._replace(salt=secrets.token_bytes(SALT), iterations=ITERATIONS)


def _random() -> str:
    return "".join(secrets.choice(SYMBOLS) for _ in range(LENGTH))


def _address(text: str) -> str:
    try:
        return str(parse(text.strip()))
    except AddressError as error:
        what = error if "@" in text else f"{text[:40]!r} has no domain"
        raise Problem(f"{what}; a user is named by his address, as ann@example.com", "usage") from None


def _check_sender(pattern: str) -> None:
    try:
        SENDER.read(pattern)
    except ValueError as error:
        raise Problem(f"--send-as: {error}", "usage") from None
