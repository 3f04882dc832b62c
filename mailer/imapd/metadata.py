"""GETMETADATA and SETMETADATA: what clients note at folders, and at the server. RFC 5464.

Nobody shares folders here: ``/private`` and ``/shared`` at a folder are both kept with it. At the server ``/private`` is kept with the
mailbox; ``/shared`` is what we say, and is not changed. What a folder is for is noted there as well, by us alone (RFC 6154 §4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap.answer import Answer
from mailer.imap.hierarchy import USES
from mailer.imap.metadata import covers, metadata_line
from mailer.mailbox.api import NoFolder, TooMany
from mailer.mailbox.noting import LONGEST, LONGEST_NAME, WHOLE

from .troubles import ImapRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.imap.command import GetMetadata, SetMetadata
    from mailer.mailbox.api import Folder, Mailbox

    from .session import ImapSession

SHARED: Final = "/shared/"
ADMIN: Final = "/shared/admin"  # RFC 5464 §3.2.1.1
SPECIAL_USE: Final = "/private/specialuse"  # RFC 6154 §4
TOO_LONG: Final = Answer("NO", "that is too long to be noted", f"METADATA MAXSIZE {LONGEST}")
NAME_TOO_LONG: Final = Answer("NO", "the name of that entry is too long", "LIMIT")
TOO_MANY: Final = Answer("NO", "too much is noted, remove something first", "METADATA TOOMANY")
OURS: Final = Answer("NO", "what all users of the server share is not changed by one", "NOPERM")
OF_CREATE: Final = Answer("NO", "what a folder is for is said when it is made, by CREATE with USE", "USEATTR")

Noted = list[tuple[str, bytes | None]]


async def get_metadata(session: ImapSession, command: GetMetadata) -> Answer:
    """GETMETADATA."""
    name, noted = await session.ask(_read, command.folder)
    if not command.folder:
        noted.append((ADMIN, admin_of(session.user.address)))
    values, largest = chosen(noted, command)
    if values:
        session.say_raw(b"* " + metadata_line(name, values, utf8=session.machine.utf8) + b"\r\n")
    return Answer("OK", "that is what is noted", f"METADATA LONGENTRIES {largest}" if largest else "")


async def set_metadata(session: ImapSession, command: SetMetadata) -> Answer:
    """SETMETADATA: all of it or nothing (RFC 5464 §4.3)."""
    if not command.folder and any(entry.lower().startswith(SHARED) for entry, _ in command.values):
        return OURS
    if command.folder and any(entry.lower() == SPECIAL_USE for entry, _ in command.values):
        return OF_CREATE
    if any(value is not None and len(value) > LONGEST for _, value in command.values):
        return TOO_LONG
    if any(len(entry) > LONGEST_NAME for entry, _ in command.values):
        return NAME_TOO_LONG
    name = await session.ask(_note, command.folder, command.values)
    if session.notifying is not None:
        for entry, _ in command.values:
            session.notifying.did(f"noted {entry.lower()}", name)
    return Answer("OK", "it is noted")


def admin_of(address: str) -> bytes:
    """Where users of the domain of `address` find help: its postmaster (RFC 5321 §4.5.1), as a URI."""
    domain = address.rpartition("@")[2].encode("idna" if not address.isascii() else "ascii")
    return b"mailto:postmaster@" + domain


def use_of(folder: Folder) -> bytes | None:
    """What a folder is for, as LIST tells it."""
    return USES[folder.role].encode("ascii") if folder.role in USES else None


def chosen(noted: Sequence[tuple[str, bytes | None]], command: GetMetadata) -> tuple[Noted, int]:
    """What is answered of all that is noted at a folder, and the size of the largest value that was asked for and is too large for the
    client (RFC 5464 §4.2.1). An entry that nothing is noted under is NIL, where it alone was asked for and not what is below."""
    values: Noted = []
    largest = 0
    for entry, value in noted:
        if not any(covers(asked, command.depth, entry) for asked in command.entries):
            continue
        if value is not None and command.max_size is not None and len(value) > command.max_size:
            largest = max(largest, len(value))
        else:
            values.append((entry, value))
    if not command.depth:
        there = {entry.lower() for entry, _ in noted}
        values += [(asked, None) for asked in command.entries if asked.lower() not in there]
    return values, largest


def _read(mailbox: Mailbox, name: str) -> tuple[str, Noted]:
    """The name of a folder, as it is kept, and what is noted there."""
    folder = _found(mailbox, name)
    if folder is None:
        return "", [(each.entry, each.value) for each in mailbox.annotations(WHOLE)]
    noted: Noted = [(each.entry, each.value) for each in mailbox.annotations(folder.id) if each.entry.lower() != SPECIAL_USE]
    use = use_of(folder)
    return folder.name, noted if use is None else [*noted, (SPECIAL_USE, use)]


def _note(mailbox: Mailbox, name: str, values: Sequence[tuple[str, bytes | None]]) -> str:
    """The name of the folder, as it is kept."""
    folder = _found(mailbox, name)
    try:
        mailbox.annotate(folder.id if folder else WHOLE, values)
    except TooMany as problem:
        raise ImapRefused(TOO_MANY) from problem
    return folder.name if folder else ""


def _found(mailbox: Mailbox, name: str) -> Folder | None:
    """The folder of that name; None for the mailbox as a whole, whose name is empty. Raises `NoFolder`."""
    if not name:
        return None
    folder = mailbox.folder(name)
    if folder is None:
        raise NoFolder(f"there is no folder {name[:60]!r}")
    return folder
