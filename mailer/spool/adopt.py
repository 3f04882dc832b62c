"""Adopt: the daemon takes what other users put into ``drop/`` of a system-wide spool.

Everything in ``drop/`` is hostile until proven mail. A file is opened without following links and without
waiting (a FIFO would), must be a regular file with one name and no more bytes than allowed, must parse, and
may name as submitter nobody but its owner. What fails is set aside in ``corrupt/`` unread.

The content is copied, never moved: the owner may still hold the file open and could change what we
checked.

==========================================  =======================================================
step                                        what a crash right after it leaves
==========================================  =======================================================
write ``tmp/ID``, fsync                     garbage in ``tmp/``; the file in ``drop/`` is adopted again
rename to ``queued/ID``, fsync              both files; the next adoption finds the ID and removes the one in ``drop/``
unlink ``drop/ID``, fsync ``drop/``         the message, once
==========================================  =======================================================

Nothing that was adopted is delivered before the last step, so the second row never sends twice.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from mailer import durable
from mailer.mail.when import parse_rfc3339, rfc3339

from . import file
from .file import CorruptFile
from .layout import is_id
from .put import head
from .store import NoSuchMessage

if TYPE_CHECKING:
    from mailer.mail.envelope import Envelope

    from .store import Spool


class Adopted:
    """What one round of adoption did: the `ids` now in ``queued/``, and (name, reason, path) of each file set aside."""

    __slots__ = ("ids", "refused")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.refused: list[tuple[str, str, str]] = []


def adopt(spool: Spool, max_size: int, limit: int = 1000) -> Adopted:
    """Take up to `limit` files out of ``drop/``; each may have `max_size` bytes besides its envelope.

    Raises `OSError` only for errors of the spool itself; then what was not yet taken is still in ``drop/``.
    """
    done = Adopted()
    for name in sorted(spool.names("drop"))[:limit]:
        try:
            if _take(spool, name, max_size):
                done.ids.append(name)
        except CorruptFile as error:
            done.refused.append((name, str(error), _set_aside(spool, name)))
    if done.ids:
        durable.sync_directory(f"{spool.root}/drop")
    return done


def _set_aside(spool: Spool, name: str) -> str:
    """Move it to ``corrupt/``; what cannot be moved (it went away, or is a directory of somebody else) stops nothing."""
    try:
        return spool.set_aside("drop", name)
    except OSError:
        return ""


def _take(spool: Spool, name: str, max_size: int) -> bool:
    """Whether it was taken; if not, its owner took it back, or it is to be looked at again."""
    if not is_id(name):
        raise CorruptFile("its name is no ID")
    try:
        data, known = _read(f"{spool.root}/drop/{name}", max_size)
    except FileNotFoundError:
        return False
    envelope, start, end = file.parse(data, name)
    if end - start > max_size:
        raise CorruptFile(f"its message has {end - start} bytes, more than a message may have")
    envelope.submitter = {**envelope.submitter, "uid": known.st_uid}
    envelope.created = _created(envelope, known)
    try:
        _copy(spool, envelope, data[start:end])
    except NoSuchMessage:  # the message of its ID has left this moment
        return False
    os.unlink(f"{spool.root}/drop/{name}")
    return True


def _created(envelope: Envelope, known: os.stat_result) -> str:
    """When it was put, but not after its file was: mail from the future would not expire. Nobody can set a file's ctime."""
    try:
        created = parse_rfc3339(envelope.created)
    except ValueError as error:
        raise CorruptFile(f"the envelope's {error}") from None
    return envelope.created if created <= known.st_ctime else rfc3339(known.st_ctime)


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
        if known.st_size > 2 * max_size + (1 << 20):  # an envelope of 10,000 recipients is below 1 MiB
            raise CorruptFile(f"it has {known.st_size} bytes, more than a message may have")
        data = bytearray()
        while part := os.read(fd, 1 << 20):
            data += part
            if len(data) > known.st_size:
                raise CorruptFile("it grows while it is read")
        return bytes(data), known
    finally:
        os.close(fd)


def _copy(spool: Spool, envelope: Envelope, body: bytes) -> None:
    """Put the message under its own ID, unless an adoption that was cut short has done so."""
    if state := spool.find(envelope.id):
        if _same(spool, envelope, body):
            durable.sync_directory(f"{spool.root}/{state}")  # the crash may have been between rename and sync
            return
        raise CorruptFile("its ID belongs to another message")
    temporary = f"{spool.root}/tmp/{envelope.id}"
    line = envelope.to_line()
    if os.path.lexists(temporary):  # left by a crash
        os.unlink(temporary)
    durable.write_new(temporary, (head(line, body), line, body))
    try:
        durable.publish(temporary, f"{spool.root}/queued/{envelope.id}")
    except OSError:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def _same(spool: Spool, envelope: Envelope, body: bytes) -> bool:
    known = spool.read(envelope.id)
    envelope.created = known.envelope.created
    return known.envelope.to_line() == envelope.to_line() and spool.content(envelope.id) == body
