"""What this process has of one message of a directory: its entry with what is open and kept of its file, and the lock on it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Self

from mailer.io import durable
from mailer.spool.api import Entry, Lease

from . import message_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Note

AT_ONCE = 1 << 17  # bytes of a file that are read while others wait


class Large(Exception):
    """The message is larger than whoever wants it can wait for."""


class FileEntry(Entry):
    """An entry, and what this process has of its file: its `inode`, and while there is reason to, a descriptor and the content.

    The file of an entry that waits for its lease may be open (`fd`, else -1) and its content kept (`counted` among what `Kept`
    keeps); that of one that is `leased` is open and locked.
    """

    __slots__ = ("content", "counted", "fd", "inode", "leased")

    content: bytes | None
    counted: bool
    fd: int
    inode: int
    leased: bool

    @property
    def ready(self) -> bool:
        """Whether its content is in memory, or so small that it is read at once."""
        return self.content is not None or self.total <= AT_ONCE


class Claim(Lease):
    """The lease of a message in a directory: the lock on its open file.

    Closing it gives it back; a claim is a context manager. `recorded` and `noted` are what was last appended, and are not appended a
    second time where only the step after it failed; `troubled`, that such a step did.
    """

    __slots__ = ("noted", "recorded", "troubled")

    entry: FileEntry

    def __init__(self, entry: FileEntry) -> None:
        self.entry = entry
        entry.leased = True
        self.noted: Sequence[Note] = ()
        self.recorded: Sequence[Outcome] = ()
        self.troubled = False

    @property
    def fd(self) -> int:
        """The descriptor that holds the lock."""
        return self.entry.fd

    @property
    def content(self) -> bytes:
        """The message; it is read now if it was let go meanwhile. Raises `CorruptMessage`, `OSError`."""
        if self.entry.content is None:
            self.entry.content = read_body(self.entry.fd, self.entry)
        return self.entry.content

    def valid(self) -> bool:
        """Whether the claim is open: nobody takes a lock away."""
        return self.entry.leased

    def close(self) -> None:
        """Give the lock back."""
        if self.entry.leased:
            durable.let_go(self.surrender())

    def surrender(self) -> int:
        """Give up the claim without giving back the lock: returns the descriptor, which the caller has to close."""
        fd, self.entry.fd, self.entry.leased = self.entry.fd, -1, False
        return fd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_body(fd: int, entry: Entry) -> bytes:
    """The content of `entry`, whose file must be as long as it was. Raises `CorruptMessage`, `OSError`."""
    _, content, _ = message_file.whole(partial(read_part, fd), entry.total, entry.id)
    return content


def read_part(fd: int, start: int, end: int) -> bytes:
    """The bytes of a file from `start` to `end`, or to its end. Raises `OSError`."""
    parts = []
    while start < end and (data := os.pread(fd, end - start, start)):
        parts.append(data)
        start += len(data)
    return b"".join(parts)
