"""What came of an export, and what both of its forms have in common."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem, from_os

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mailbox.api import FolderEntry, Mail, Mailbox

AT_ONCE: Final = 500
"""Messages that are asked for together."""


class ExportStep(NamedTuple):
    """How far an export is: the folder, and how many of its messages are written."""

    folder: str
    done: int
    messages: int


class NotWritten(NamedTuple):
    """Something that an export could not write: where it is, and why."""

    where: str
    why: str


class Exported(NamedTuple):
    """What came of an export: messages, their octets as they were written, folders, and how much could not be written."""

    messages: int = 0
    octets: int = 0
    folders: int = 0
    left: int = 0


class ExportTellers(NamedTuple):
    """Listeners of an export: `told` hears how far it is, `leaving` what it cannot write."""

    told: Callable[[ExportStep], None]
    leaving: Callable[[NotWritten], None]


@contextmanager
def beside(path: str) -> Iterator[str]:
    """A directory that becomes `path` when all is well, and else goes. Raises `Problem` where there is something at `path`."""
    path = os.path.abspath(path)
    if os.path.lexists(path) and not (os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path)):
        raise Problem(f"{path} is there already; name a directory that is not", "cannot-create")
    draft = f"{path}.{os.getpid()}.part"
    try:
        os.mkdir(draft, 0o700)
        yield draft
        os.sync()  # one for all files: a name that is there after the power fails has all behind it
        os.rename(draft, path)
    except OSError as error:
        raise from_os("cannot write the mailbox", error.filename or draft, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def messages(mailbox: Mailbox, folder: int) -> Iterator[tuple[FolderEntry, Mail | None]]:
    """The entries of a folder in their order, each with its message; None for one that went meanwhile."""
    entries = mailbox.entries(folder)
    for at in range(0, len(entries), AT_ONCE):
        some: Sequence[FolderEntry] = entries[at : at + AT_ONCE]
        yield from zip(some, mailbox.mails([entry.mail for entry in some]), strict=True)


def with_lf(data: bytes) -> bytes:
    """A message with the ends of lines that files have here, if they can be made CRLF again; else as it is."""
    if data.count(b"\n") != data.count(b"\r\n") or b"\r\r\n" in data:
        return data
    return data.replace(b"\r\n", b"\n")
