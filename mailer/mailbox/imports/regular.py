"""Opening files of strangers: a name is looked up in a directory that is open already, and leads to a regular file there, or to nothing.

Used by the readers of Maildirs and of mboxes. A link is not followed (O_NOFOLLOW), a pipe or a device is waited for by nobody (O_NONBLOCK)
and not read. A hard link can be made to what its maker cannot read: a file is read only if it belongs to the owner of the Maildir.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from mailer.mail.text import human_size

if TYPE_CHECKING:
    from .api import PassedOver

FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PIECE: Final = 1 << 20


class Unfit(Exception):
    """A file that is not taken; `str()` says why."""


def refusal(about: os.stat_result, owner: int, most: int) -> str:
    """Why a file is not read; empty where it is."""
    if stat.S_ISLNK(about.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISREG(about.st_mode):
        return "it is no regular file"
    if about.st_uid != owner:
        return f"it belongs to user {about.st_uid}, and the Maildir to user {owner}"
    if about.st_size > most:
        return f"it has {human_size(about.st_size)}, and a message may have {human_size(most)}"
    return "" if about.st_size else "it is empty"


def content(directory: int, name: str, owner: int, most: int) -> tuple[bytes, os.stat_result]:
    """All of the file `name` in the open `directory`, and what it is. Raises `Unfit`, and `FileNotFoundError` for one that is gone."""
    try:
        fd = os.open(name, FILE, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unfit("it is a symbolic link" if error.errno == errno.ELOOP else f"it cannot be opened: {error.strerror}") from None
    try:
        about = os.fstat(fd)
        if why := refusal(about, owner, most):
            raise Unfit(why)
        return _all(fd, most), about
    except OSError as error:
        raise Unfit(f"it cannot be read: {error.strerror}") from None
    finally:
        os.close(fd)


def _all(fd: int, most: int) -> bytes:
    """What is in it, as far as it goes: it may grow meanwhile. Raises `Unfit`, `OSError`."""
    parts, size = [], 0
    while part := os.read(fd, PIECE):
        parts.append(part)
        size += len(part)
        if size > most:
            raise Unfit("it grows while it is read")
    return b"".join(parts)


def small(directory: int, name: str, owner: int, most: int) -> bytes:
    """A small file beside messages; nothing where there is none that is fit."""
    try:
        return content(directory, name, owner, most)[0]
    except (Unfit, FileNotFoundError):
        return b""


def with_crlf(data: bytes) -> bytes:
    """A message with CRLF at each end of a line, as Dovecot shows what it keeps with LF. A CR that stands alone stays."""
    if b"\n" not in data or data.count(b"\n") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def shown(where: bytes | str) -> str:
    """A path for people, on one line."""
    text = os.fsdecode(where)
    return text if text.isprintable() else ascii(text)[1:-1]


def passed(where: str, why: str) -> PassedOver:
    """Something that is not taken."""
    from .api import PassedOver

    return PassedOver(shown(where), why)
