"""Users in a file that others write, one a line as a passwd-file of Dovecot has them: ``ann@example.com:{SCHEME}HASH``.

What stands behind a third colon is for others, and not read. The file is looked at when somebody is looked up, once a second at most, and
read anew when it has changed. A line that is no user leaves the others as they are; a file that cannot be read leaves all of them as they
were: who could log in a minute ago still can, and `trouble` says what is wrong.
"""

from __future__ import annotations

import asyncio
import os
import time
from threading import Lock
from typing import TYPE_CHECKING, Final

from mailer.accounts.password import is_record, scram_of
from mailer.config.secret import read_private
from mailer.mail.address import AddressError, parse
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem, from_os

from .api import User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config.secret import FileOwner

LARGEST: Final = 64 << 20  # bytes: some hundred thousand users
FRESH: Final = 1.0  # seconds until the file is looked at again
SHOWN: Final = 3  # lines that `trouble` names


class FileUsers:
    """The users in the file at `path`, which is for `owner`: `Users`. `waited` is the clock of waits, in seconds."""

    def __init__(self, path: str, owner: FileOwner, waited: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.owner = owner
        self.trouble = ""
        self._waited = waited
        self._users: dict[str, User] | None = None
        self._seen: tuple[int, ...] | None = None
        self._fresh_until = 0.0
        self._turn = Lock()

    async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """The users with these addresses. Raises `Problem` where the file was never read."""
        if self._waited() >= self._fresh_until and self._signature() != self._seen:
            await asyncio.to_thread(self.refresh)
        return self.find_now(addresses)

    def find_now(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """As `find`, by what was read. Raises `Problem`."""
        if self._users is None:
            self.refresh()
        if self._users is None:
            raise Problem(self.trouble, "try-again")
        return [self._users.get(key_of(address)) for address in addresses]

    def is_gone(self, address: str) -> bool:
        """Whether there is no such user."""
        return self.find_now([address]) == [None]

    def stand_in(self) -> User | None:
        """The first user of the file, who has what others have: the schemes of a file are those of whoever writes it."""
        return next(iter((self._users or {}).values()), None)

    def refresh(self) -> None:
        """Read the file, if it is another than the one that was read; `trouble` says what is wrong with it."""
        with self._turn:
            self._fresh_until = self._waited() + FRESH
            seen = self._signature()
            if seen == self._seen:
                return
            try:
                data = read_private(self.path, "the file of users", LARGEST, self.owner.uid)
                if len(data) > LARGEST:
                    raise Problem(f"the file of users {self.path} is larger than {LARGEST} bytes", "bad-config")
            except Problem as problem:
                self.trouble = str(problem)
                return
            except OSError as error:
                self.trouble = str(from_os("cannot read the file of users", self.path, error))
                return
            self._users, self._seen = self._read(data), seen

    async def close(self) -> None:
        """Nothing is open."""

    def _signature(self) -> tuple[int, ...]:
        """What changes with the file; () where it cannot be looked at. Who may read it belongs to that."""
        try:
            about = os.stat(self.path)
        except OSError:
            return ()
        return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_uid, about.st_mode

    def _read(self, data: bytes) -> dict[str, User]:
        found: dict[str, User] = {}
        wrong: list[str] = []
        for number, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                user = _user(line)
                if user.key in found:
                    raise ValueError(f"{user.address} is there a second time")
                found[user.key] = user
            except ValueError as error:
                wrong.append(f"line {number}: {error}")
        more = f" (and {len(wrong) - SHOWN} more lines)" if len(wrong) > SHOWN else ""
        self.trouble = f"the file of users {self.path} has lines that are no users: {'; '.join(wrong[:SHOWN])}{more}" if wrong else ""
        return found


def _user(line: str) -> User:
    """The user of a line. Raises `ValueError`, which says nothing of what is behind the scheme."""
    name, _, rest = line.partition(":")
    record = rest.partition(":")[0]
    try:
        address = str(parse(name.strip()))
    except AddressError as error:
        raise ValueError(str(error)) from None
    if not is_record(record):
        scheme = record[1:].partition("}")[0][:40] if record.startswith("{") else ""
        raise ValueError(f"the password of {address} has no scheme that can be checked" + (f", but {scheme!r}" if scheme else ""))
    found = scram_of(record)
    if found is None:
        return User(address, record)
    keys, salt, iterations = found
    return User(address, record, keys, salt, iterations)
