"""A Maildir that reports come to: a directory of this machine, with a file for each message (https://cr.yp.to/proto/maildir.html).

What is new is in ``new/``. A report that was taken is deleted, or renamed to ``cur/`` as one that was read; what is no report stays in
``new/``. A rename or a deletion that is lost in a crash lets the report come again, to the same ID.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import TYPE_CHECKING

from mailer.net.aside import aside

from .sources import A_LOOK, REMEMBERED, FetchedMessage, MailboxLooked, MailboxProbed, SourceTrouble, batches

if TYPE_CHECKING:
    from .sources import ReportTaker

SEEN = ":2,S"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class MaildirSource:
    """The Maildir at `path`. With `delete` a report that was taken is deleted. A file may have `most` octets."""

    def __init__(self, path: str, *, delete: bool, most: int) -> None:
        self.path = path
        self.delete = delete
        self.most = most
        self._left: dict[str, None] = {}  # names that were looked at, and are no reports

    async def probe(self) -> MailboxProbed:
        """See `MailboxSource`."""
        return await aside(self._probe)

    def _probe(self) -> MailboxProbed:
        try:
            messages = sum(not name.startswith(".") for name in os.listdir(f"{self.path}/new"))
            for name in ("new",) if self.delete else ("new", "cur"):
                os.stat(f"{self.path}/{name}")
                if not os.access(f"{self.path}/{name}", os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "what is in it cannot be moved or deleted", f"{self.path}/{name}")
        except OSError as error:
            raise SourceTrouble(f"{error.filename or self.path}: {error.strerror}", ours=True) from None
        return MailboxProbed(messages)

    async def look(self, taker: ReportTaker) -> MailboxLooked:
        """See `MailboxSource`. Raises `SourceTrouble`."""
        try:
            sizes, more, larger = await asyncio.to_thread(self._list)
        except OSError as error:
            raise SourceTrouble(f"{error.filename or self.path}: {error.strerror}", ours=True) from None
        taken = left = 0
        for names in batches(sizes):
            fetched = await asyncio.to_thread(self._fetch, names)
            kept = await taker.take(fetched)
            try:
                await asyncio.to_thread(self._done, kept)
            except OSError as error:
                raise SourceTrouble(f"{error.filename or self.path}: {error.strerror}", ours=True) from None
            for key, _ in fetched:
                if key not in kept:
                    self._leave(key)
                    left += 1
            taken += len(kept)
        return MailboxLooked(taken, left, larger, more)

    def _list(self) -> tuple[list[tuple[str, int]], bool, int]:
        """Names and sizes of what was not looked at, the oldest first; whether there is more; and how many are too large."""
        found, larger = [], 0
        there = set()
        with os.scandir(f"{self.path}/new") as entries:
            for entry in entries:
                there.add(entry.name)
                if entry.name.startswith(".") or entry.name in self._left:
                    continue
                try:
                    known = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(known.st_mode) and known.st_size <= self.most:
                    found.append((known.st_mtime, entry.name, known.st_size))
                else:
                    larger += stat.S_ISREG(known.st_mode)
                    self._leave(entry.name)
        self._left = {name: None for name in self._left if name in there}
        found.sort()
        return [(name, size) for _, name, size in found[:A_LOOK]], len(found) > A_LOOK, larger

    def _fetch(self, names: list[str]) -> list[FetchedMessage]:
        fetched = []
        for name in names:
            try:
                fd = os.open(f"{self.path}/new/{name}", _READ)
            except OSError:  # somebody has read it, or it is not for us
                self._leave(name)
                continue
            with open(fd, "rb") as file:
                fetched.append(FetchedMessage(name, file.read(self.most)))
        return fetched

    def _done(self, kept: set[str]) -> None:
        for name in sorted(kept):
            try:
                if self.delete:
                    os.unlink(f"{self.path}/new/{name}")
                else:
                    os.rename(f"{self.path}/new/{name}", f"{self.path}/cur/{name.partition(':')[0]}{SEEN}")
            except FileNotFoundError:
                if not os.path.isdir(f"{self.path}/cur"):
                    raise
                continue  # somebody has moved it

    def _leave(self, name: str) -> None:
        self._left[name] = None
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
