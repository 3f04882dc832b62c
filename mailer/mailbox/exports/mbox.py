"""A mailbox as mboxes: a directory with a file for each folder, in the dialect mboxrd, which can be read back without doubt.

Lines end with LF. A line of a message that would be read as a From_ line, ``>``s before it or not, gets one ``>`` more. Flags, keywords and
UIDs are in fields above the message (Status, X-Status, X-Keywords, X-UID, X-IMAPbase), where mutt, Dovecot and our own import read them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from mailer.io.durable import PRIVATE
from mailer.mail.flags import Flag
from mailer.mailbox.api import BodyLost
from mailer.mailbox.imports.from_line import written

from .api import Exported, ExportStep, NotWritten, beside, messages

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from mailer.mailbox.api import Folder, FolderEntry, Mail, Mailbox

    from .api import ExportTellers

LONGEST: Final = 200
"""Octets of a file's name, besides its ending."""
STATUS: Final = ((Flag.ANSWERED, "A"), (Flag.FLAGGED, "F"), (Flag.DELETED, "D"), (Flag.DRAFT, "T"))

_FROM: Final = re.compile(rb"^(>*From )", re.MULTILINE)


def export_mbox(mailbox: Mailbox, path: str, tellers: ExportTellers) -> Exported:
    """Write the mailbox to `path`, where nothing is. Raises `Problem`."""
    total = Exported()
    with beside(path) as draft:
        taken: set[str] = set()
        for folder in mailbox.folders():
            name = file_name(folder.name, taken)
            fd = os.open(f"{draft}/{name}.mbox", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
            with open(fd, "wb") as file:
                total = _folder(mailbox, folder, file, total, tellers)
    return total


def file_name(folder: str, taken: set[str]) -> str:
    """The name of a folder's file: its own, with ``.`` between levels, and ``_`` for what a file's name does not have."""
    letters = (letter if letter.isalnum() or letter in " -_+@" else "." if letter == "/" else "_" for letter in folder)
    name = os.fsencode("".join(letters))[:LONGEST].decode(errors="ignore").strip(". ") or "folder"
    while name.casefold() in taken:
        name += "_"
    taken.add(name.casefold())
    return name


def _folder(mailbox: Mailbox, folder: Folder, file: BinaryIO, total: Exported, tellers: ExportTellers) -> Exported:
    base = f"X-IMAPbase: {folder.uidvalidity} {folder.uidnext - 1}\n"
    for done, (entry, mail) in enumerate(messages(mailbox, folder.id)):
        if not done % 100:
            tellers.told(ExportStep(folder.name, done, folder.messages))
        if mail is None:
            continue
        try:
            content = mailbox.read(mail)
        except BodyLost as problem:
            tellers.leaving(NotWritten(f"{folder.name}, UID {entry.uid}", str(problem)))
            total = total._replace(left=total.left + 1)
            continue
        data = _message(mail, entry, content, base)
        file.write(data)
        base = ""
        total = total._replace(messages=total.messages + 1, octets=total.octets + len(data))
    tellers.told(ExportStep(folder.name, folder.messages, folder.messages))
    return total._replace(folders=total.folders + 1)


def _message(mail: Mail, entry: FolderEntry, content: bytes, base: str) -> bytes:
    above = base + "".join(f"{line}\n" for line in _fields(entry))
    body = _FROM.sub(rb">\1", content.replace(b"\r\n", b"\n"))
    end = b"\n" if body.endswith(b"\n") else b"\n\n"
    return written(mail.sender.rpartition("<")[2].rstrip(">"), mail.received) + b"\n" + above.encode() + body + end


def _fields(entry: FolderEntry) -> Iterable[str]:
    yield f"X-UID: {entry.uid}"
    yield f"Status: {'R' if entry.flags & Flag.SEEN else ''}O"
    if letters := "".join(letter for flag, letter in STATUS if entry.flags & flag):
        yield f"X-Status: {letters}"
    if entry.keywords:
        yield f"X-Keywords: {' '.join(entry.keywords)}"
