"""Adopt: the daemon takes what other users put into ``drop/`` of a system-wide spool.

Everything in ``drop/`` is hostile until proven mail. A file is opened without following links and without
waiting (a FIFO would), must be a regular file with one name, which nobody but its owner may write, with no more bytes
than allowed. Then it is judged as `admit` says. Its owner is the submitter. What fails is set aside in ``corrupt/`` unread.

The content is copied, never moved: the owner may still hold the file open and could change what we
checked.

==========================================  =======================================================
step                                        what a crash right after it leaves
==========================================  =======================================================
admit it                                    both files; the next adoption finds the ID and removes the one in ``drop/``
unlink ``drop/ID``, fsync ``drop/``         the message, once
==========================================  =======================================================

A message that was delivered between the two steps is known to the status database, which the judge's `Terms` ask: it is not
taken twice.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from mailer import durable
from mailer.mail.failure import BAD_MESSAGE, NO_PERMISSION, Failure

from .admit import Stranger, Terms, admit
from .file import CorruptFile
from .layout import is_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .store import Spool


class Adopted:
    """What one round of adoption did: the `ids` that are now in the spool, and (name, reason, path) of each file set aside.

    The path is empty for what could not be moved: the directory of another user, which only root could take away. There may
    be `more` to take.
    """

    __slots__ = ("ids", "more", "refused")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.refused: list[tuple[str, str, str]] = []
        self.more = False


def adopt(spool: Spool, terms: Terms, limit: int = 1000, names: Iterable[str] | None = None) -> Adopted:
    """Take up to `limit` files out of ``drop/``, or those of `names`, oldest first.

    Raises `OSError` only for errors of the spool itself; then what was not yet taken is still in ``drop/``.
    """
    done = Adopted()
    taken = False
    for name in sorted(spool.names("drop") if names is None else names):
        if limit <= 0:
            done.more = True
            break
        try:
            id = _take(spool, name, terms)
            if id:
                done.ids.append(id)
                taken = True
                limit -= 1
        except CorruptFile as error:
            path = _set_aside(spool, name)
            done.refused.append((name, str(error), path))
            limit -= bool(path)  # what cannot be moved must not stand in the way of all that comes after it
    if taken:
        durable.sync_directory(f"{spool.root}/drop")
    return done


def waiting(spool: Spool, ids: Iterable[str]) -> Iterator[str]:
    """Those of `ids` that are in ``drop/``."""
    return (id for id in ids if is_id(id) and os.path.lexists(f"{spool.root}/drop/{id}"))


def _set_aside(spool: Spool, name: str) -> str:
    """Move it to ``corrupt/``; what cannot be moved (it went away, or is a directory of somebody else) stops nothing."""
    try:
        return spool.set_aside("drop", name)
    except OSError:
        return ""


def _take(spool: Spool, name: str, terms: Terms) -> str:
    """The ID that it has now; empty if its owner took it back."""
    if not is_id(name):
        raise CorruptFile("its name is no ID")
    path = f"{spool.root}/drop/{name}"
    try:
        data, known = _read(path, terms.max_size)
    except FileNotFoundError:
        return ""
    who = Stranger(known.st_uid, known.st_ctime)  # nobody can set a file's ctime
    try:
        id = admit(spool, data, name, who, terms)
    except Failure as failure:
        if failure.code not in (BAD_MESSAGE, NO_PERMISSION):
            raise OSError(errno.EAGAIN, str(failure), path) from None
        raise CorruptFile(str(failure)) from None
    os.unlink(path)
    return id


def _read(path: str, max_size: int) -> tuple[bytes, os.stat_result]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EACCES):  # gone, or trouble of this machine: not the file's fault
            raise
        raise CorruptFile(f"it cannot be opened as a regular file ({error.strerror})") from None
    try:
        known = os.fstat(fd)
        if not stat.S_ISREG(known.st_mode) or known.st_nlink != 1:
            raise CorruptFile("it is no regular file with one name")
        if known.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise CorruptFile("others than its owner may write it, so nobody knows who did")
        if known.st_size > largest(max_size):
            raise CorruptFile(f"it has {known.st_size} bytes, more than a message may have")
        data = bytearray()
        while part := os.read(fd, 1 << 20):
            data += part
            if len(data) > known.st_size:
                raise CorruptFile("it grows while it is read")
        return bytes(data), known
    finally:
        os.close(fd)


def largest(max_size: int) -> int:
    """The bytes that a spool file may have whose message may have `max_size`."""
    return max_size + (8 << 20)  # an envelope of 10,000 of the longest addresses is below 6 MB
