"""LIST, LSUB and STATUS: what folders there are, and how they are. RFC 9051 §6.3.9, §6.3.11, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 9590.

All that an answer says of folders was true at one moment, and is asked and written in a thread; the client is told as fast as it reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap.answer import Answer
from mailer.imap.hierarchy import KnownName, listed, subscribed
from mailer.imap.listed import list_line, mailbox_id, status_line
from mailer.imap.metadata import metadata_line
from mailer.imap.patterns import WILD
from mailer.mailbox.api import NoFolder

from .metadata import SPECIAL_USE, use_of
from .troubles import ImapRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailer.imap.command import Listing, Status
    from mailer.mailbox.api import Folder, Mailbox

    from .session import ImapSession

ROOT: Final = list_line("", ("\\Noselect",), utf8=False)
"""The answer that says how levels are parted (RFC 9051 §6.3.9)."""

MOST_LETTERS: Final = 20_000_000
"""Letters of names that are compared with patterns in one LIST: a pattern with wildcards has any number of names of any length, and several
have what real mailboxes have. It takes ten seconds of a thread at most."""

TOO_MUCH: Final = Answer("NO", "these are too many patterns for so many long names, ask for fewer at once", "LIMIT")

VALUES: Final[Mapping[str, Callable[[Folder], int | str]]] = {
    "MESSAGES": lambda folder: folder.messages,
    "UIDNEXT": lambda folder: folder.uidnext,
    "UIDVALIDITY": lambda folder: folder.uidvalidity,
    "UNSEEN": lambda folder: folder.unseen,
    "DELETED": lambda folder: folder.deleted,
    "SIZE": lambda folder: folder.octets,
    "HIGHESTMODSEQ": lambda folder: folder.modseq,
    "MAILBOXID": lambda folder: mailbox_id(folder.id),
}
"""What STATUS says of a folder by itself."""


async def list_folders(session: ImapSession, command: Listing) -> Answer:
    """LIST and LSUB."""
    if command.patterns == ("",) and not command.extended and not command.lsub:
        session.say(ROOT)
        return Answer("OK", "that is what parts levels")
    machine = session.machine
    lines = await session.ask(_lines, command, machine.utf8, machine.settings.max_size)
    await session.say_all(lines)
    return Answer("OK", "these are all")


async def status(session: ImapSession, command: Status) -> Answer:
    """STATUS."""
    limit = session.machine.settings.max_size

    def look(mailbox: Mailbox) -> tuple[Folder, Mapping[str, int | str | None]]:
        folder = mailbox.folder(command.folder)
        if folder is None:
            raise NoFolder(f"there is no folder {command.folder[:60]!r}")
        return folder, status_of(mailbox, folder, command.items, limit)

    folder, items = await session.ask(look)
    session.say(status_line(folder.name, items, utf8=session.machine.utf8))
    return Answer("OK", "that is how it is")


def status_of(mailbox: Mailbox, folder: Folder, items: Sequence[str], limit: int) -> Mapping[str, int | str | None]:
    """What STATUS says of a folder; `limit` is how many octets a message may have that is appended."""
    found: dict[str, int | str | None] = {}
    for item in items:
        if item in VALUES:
            found[item] = VALUES[item](folder)
        elif item == "RECENT":  # RFC 3501 §6.3.10
            found[item] = mailbox.recent(folder.id)
        elif item == "APPENDLIMIT":  # RFC 7889 §3.1
            found[item] = limit
        else:  # DELETED-STORAGE, RFC 9208 §4.1.4
            found[item] = mailbox.deleted_octets(folder.id) if folder.deleted else 0
    return found


def known_names(folders: Sequence[Folder], wanted: Sequence[str]) -> list[KnownName]:
    """All names that there are to list: of folders, in their order, and those that are subscribed besides."""
    known = [KnownName(folder.name, place, folder.subscribed, folder.role) for place, folder in enumerate(folders)]
    return known + [KnownName(name, subscribed=True) for name in wanted]


def _lines(mailbox: Mailbox, command: Listing, utf8: bool, limit: int) -> list[bytes]:
    """In a thread: the answers."""
    folders = mailbox.folders()
    known = known_names(folders, mailbox.wanted())
    wild = sum(not WILD.isdisjoint(pattern) for pattern in command.patterns)
    if wild > 1 and wild * sum(len(each.name) for each in known) > MOST_LETTERS:
        raise ImapRefused(TOO_MUCH)
    if command.lsub:
        return [list_line(each.name, each.attributes, utf8=utf8, lsub=True) for each in subscribed(known, command)]
    notes = _notes(mailbox) if command.metadata else {}
    lines = []
    for each in listed(known, command):
        lines.append(list_line(each.name, each.attributes, utf8=utf8, childinfo=each.childinfo))
        if each.place >= 0 and each.met:  # RFC 5819 §3, RFC 9590 §3: not for one that is here for those below it
            lines += _more(mailbox, folders[each.place], command, notes, utf8, limit)
    return lines


def _more(
    mailbox: Mailbox, folder: Folder, command: Listing, notes: Mapping[int, Mapping[str, bytes]], utf8: bool, limit: int
) -> Iterator[bytes]:
    """What LIST is to return besides, RFC 5819 §2, RFC 9590 §3."""
    if command.status:
        yield status_line(folder.name, status_of(mailbox, folder, command.status, limit), utf8=utf8)
    if command.metadata:
        noted = {**notes.get(folder.id, {}), SPECIAL_USE: use_of(folder)}
        yield metadata_line(folder.name, [(entry, noted.get(entry.lower())) for entry in command.metadata], utf8=utf8)


def _notes(mailbox: Mailbox) -> dict[int, dict[str, bytes]]:
    """What is noted at each folder, by entries in small letters."""
    found: dict[int, dict[str, bytes]] = {}
    for note in mailbox.annotations():
        found.setdefault(note.folder, {})[note.entry.lower()] = note.value
    return found
