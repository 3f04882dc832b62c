"""Logins: whether a name and a password are those of a user, and of which.

To check a password takes a tenth of a second of a processor and 32 MB, on purpose. So two are checked at a time, in threads of their own,
`WAITING` wait for their turn, and whoever comes then is told to come again. Whoever is not known, is disabled or has no password costs the
same as a wrong password, and hears the same.

A password that was right is known again for `REMEMBERED` seconds without all that, as long as the user's record is the same: programs log
in for each message. What is remembered is a digest with a key that is gone with the process.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from mailer.mail.problem import Problem
from mailer.sasl.scram import ScramKeys

from .password import proves, unprovable
from .users.api import Proved
from .users.dovecot import DovecotUsers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .users.api import AppPassword, User, Users

THREADS: Final = 2
WAITING: Final = 64
REMEMBERED: Final = 600.0  # seconds
MOST: Final = 10_000  # passwords that are remembered


class Logins(Protocol):
    """Where a password is checked."""

    async def check(self, name: str, password: str, purpose: str) -> Proved | None:
        """The user who logs in as `name` with `password`, for a purpose of `mailer.accounts.users.api`; None if he is not who he says.

        Raises `Problem`: try-again where too many are waiting or it cannot be known now, else as `Users`.
        """

    async def close(self) -> None:
        """Let go of what is open."""


class RecordLogins:
    """Passwords checked by the records of `users`: `Logins`. `waited` is the clock of waits, `now` that of dates, both in seconds."""

    def __init__(self, users: Users, waited: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self.users = users
        self._now = now
        self._waited = waited
        self._threads = ThreadPoolExecutor(THREADS, "password")
        self._under_way = 0
        self._nobody = unprovable(secrets.token_bytes)
        self._key = secrets.token_bytes()
        self._right: OrderedDict[bytes, float] = OrderedDict()

    async def check(self, name: str, password: str, purpose: str) -> Proved | None:
        """The user who logs in as `name`, and by which password."""
        [found] = await self.users.find([name])
        user = found if found is not None and not found.disabled else None
        if user is not None and (app := _app_password(user, password, purpose, self._now())) is not None:
            return Proved(user, app.name)
        if user is None or not user.password:
            other = self.users.stand_in()
            await self._checked((other and other.password) or self._nobody, password)  # which takes as long, and is to no end
            return None
        mark = hmac.digest(self._key, f"{user.password}\0{password}".encode("utf-8", "surrogateescape"), "sha256")
        if self._right.get(mark, 0.0) > self._waited():
            return Proved(user)
        if not await self._checked(user.password, password):
            return None
        self._remember(mark)
        return Proved(user)

    async def _checked(self, kept: str, password: str) -> bool:
        """Whether the password is the one of the record. Raises `Problem`."""
        if self._under_way >= THREADS + WAITING:
            raise Problem("too many are logging in at this moment; try again", "try-again")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, proves, kept, password)
        finally:
            self._under_way -= 1

    def _remember(self, mark: bytes) -> None:
        self._right[mark] = self._waited() + REMEMBERED
        self._right.move_to_end(mark)
        if len(self._right) > MOST:
            self._right.popitem(last=False)

    async def close(self) -> None:
        """Let the threads go when those who wait have their answer; the users are somebody else's."""
        self._threads.shutdown(wait=False)


def logins_of(users: Users) -> Logins:
    """Where the passwords of `users` are checked: where these are, or by the records that are kept of them."""
    return users if isinstance(users, DovecotUsers) else RecordLogins(users)


def digest_of(app_password: str) -> str:
    """What is kept of an app password, which people may type with blanks and hyphens between its groups, and in capitals."""
    plain = app_password.replace(" ", "").replace("-", "").lower()
    return sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()


def scram_keys(user: User | None, purpose: str, now: float) -> ScramKeys | None:
    """What `user` can be known by without his password travelling: it, or one of his app passwords for this purpose; None for nothing."""
    if user is None or user.disabled:
        return None
    pairs = [each.keys for each in user.app_passwords if each.opens(purpose, now) and each.keys is not None]
    if user.keys is not None:
        pairs.insert(0, user.keys)
    if not pairs:
        return None
    first, *others = pairs
    return ScramKeys(user.salt, user.iterations, first.stored_key, first.server_key, tuple(others))


def proved_by(user: User | None, stored_key: bytes, purpose: str, now: float) -> Proved | None:
    """`user` as one who has proved by SCRAM that he has the password with this `stored_key`; None where it opens nothing any more."""
    if user is None or user.disabled:
        return None
    if user.keys is not None and hmac.compare_digest(user.keys.stored_key, stored_key):
        return Proved(user)
    apps = (each for each in user.app_passwords if each.keys is not None and hmac.compare_digest(each.keys.stored_key, stored_key))
    return next((Proved(user, each.name) for each in apps if each.opens(purpose, now)), None)


def still(proved: Proved, found: User | None, now: float) -> bool:
    """Whether who has logged in as `proved` could still do so as he did, if he is what is `found` of him now."""
    if found is None or found.disabled:
        return False
    if not proved.app:
        return (found.password, found.keys) == (proved.user.password, proved.user.keys)
    [before] = [each for each in proved.user.app_passwords if each.name == proved.app]
    return any(each.digest == before.digest and not (each.expires and each.expires <= now) for each in found.app_passwords)


def _app_password(user: User, password: str, purpose: str, now: float) -> AppPassword | None:
    digest = digest_of(password)
    found = [each for each in user.app_passwords if hmac.compare_digest(each.digest, digest)]
    return next((each for each in found if each.opens(purpose, now)), None)
