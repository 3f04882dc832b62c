"""CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE: the folders of a mailbox. RFC 9051 §6.3.4 to §6.3.8, RFC 6154 §3, RFC 8474 §4.1.

What a client is told, and a standard leaves to the server:

- Every folder is in one that is there, and each can have messages: CREATE and RENAME make those above, and a folder with others in it is
  not deleted (NO [HASCHILDREN]). The inbox is not either; a folder that is for something is, and another can be made for that.
- CREATE subscribes nothing, and SUBSCRIBE takes no name of which there is no folder, as at most servers (RFC 3501 §6.3.6). A name that is
  subscribed stays so when its folder is deleted or renamed, and a folder that is subscribed is under its new name as well.
- A folder that another session has open may be deleted; that session is ended. The one that deletes it has none open then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from mailer.imap.answer import Answer
from mailer.imap.hierarchy import USES
from mailer.imap.listed import list_line, mailbox_id
from mailer.mailbox.api import INBOX, HasFolders, NoFolder, RoleTaken, TooMany
from mailer.mailbox.names import checked

from .troubles import ImapRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.imap.command import Create, Delete, Rename, Subscribe
    from mailer.mailbox.api import Folder, Mailbox, Role

    from .session import ImapSession

ROLES: Final[Mapping[str, Role]] = {use.lower(): cast("Role", role) for role, use in USES.items()}
"""Roles by the attributes of RFC 6154 §2, in small letters."""

NO_SUCH_USE: Final = Answer("NO", f"a folder is for one of {', '.join(USES.values())}", "USEATTR")  # RFC 6154 §5.3
USE_TAKEN: Final = Answer("NO", "another folder is for that", "USEATTR")
IS_THERE: Final = Answer("NO", "it is called so already", "ALREADYEXISTS")  # RFC 9051 §6.3.6
TOO_MANY: Final = Answer("NO", "there are as many as there can be", "LIMIT")
HAS_CHILDREN: Final = Answer("NO", "there are folders in it, delete those first", "HASCHILDREN")  # RFC 9051 §6.3.5


async def create(session: ImapSession, command: Create) -> Answer:
    """CREATE."""
    uses = {ROLES.get(use.lower()) for use in command.use}
    role: Role | None = uses.pop() if uses else ""
    if role is None or uses:
        return NO_SUCH_USE
    made = await session.ask(_create, command.folder, role)
    _made(session, made.name)
    if made.name != command.folder and session.machine.rev2:
        session.say(list_line(made.name, attributes(made), utf8=session.machine.utf8, old_name=command.folder))  # RFC 9051 §6.3.9.7
    return Answer("OK", "it is there", f"MAILBOXID ({mailbox_id(made.id)})")


def _create(mailbox: Mailbox, name: str, role: Role) -> Folder:
    try:
        return mailbox.create(name, role=role, subscribed=False)
    except RoleTaken as problem:
        raise ImapRefused(USE_TAKEN) from problem
    except TooMany as problem:
        raise ImapRefused(TOO_MANY) from problem


async def delete(session: ImapSession, command: Delete) -> Answer:
    """DELETE."""
    gone = await session.ask(_delete, command.folder)
    _did(session, "deleted", gone.name)
    if gone.name != command.folder and session.machine.rev2:
        line = list_line(gone.name, ("\\NonExistent",), utf8=session.machine.utf8, old_name=command.folder)
        session.say(line)  # RFC 9051 §6.3.5
    view = session.machine.view
    if view is not None and view.folder == gone.id:
        session.machine.deselect()
        session.leave_folder()
    return Answer("OK", "it is gone, with its messages")


def _delete(mailbox: Mailbox, name: str) -> Folder:
    """The folder that is deleted."""
    folder = mailbox.folder(name)
    if folder is None:
        raise NoFolder(f"there is no folder {name[:60]!r}")
    try:
        mailbox.delete(folder.name)
    except HasFolders as problem:
        raise ImapRefused(HAS_CHILDREN) from problem
    return folder


async def rename(session: ImapSession, command: Rename) -> Answer:
    """RENAME."""
    old, renamed = await session.ask(_rename, command.folder, command.to)
    _made(session, renamed.name)
    _did(session, "renamed", old)
    if session.machine.rev2 and old != INBOX:  # RFC 9051 §6.3.6: the inbox is there still, and is no old name
        session.say(list_line(renamed.name, attributes(renamed), utf8=session.machine.utf8, old_name=command.folder))
    return Answer("OK", "it has another name")


def _rename(mailbox: Mailbox, name: str, to: str) -> tuple[str, Folder]:
    """What the folder was called, and the folder."""
    folder = mailbox.folder(name)
    if folder is not None and folder.name == to:
        raise ImapRefused(IS_THERE)
    try:
        return folder.name if folder else name, mailbox.rename(name, to)
    except TooMany as problem:
        raise ImapRefused(TOO_MANY) from problem


async def subscribe(session: ImapSession, command: Subscribe) -> Answer:
    """SUBSCRIBE and UNSUBSCRIBE."""
    kept = await session.ask(_subscribe, command.folder, command.on)
    _did(session, "subscribed", kept)
    return Answer("OK", "it is subscribed" if command.on else "it is not subscribed any more")


def _subscribe(mailbox: Mailbox, name: str, on: bool) -> str:
    """The name, as it is kept. Raises `NoFolder`, and what cannot be a name."""
    folder = mailbox.folder(name)
    if on and folder is None and name not in mailbox.wanted():
        raise NoFolder(f"there is no folder {checked(name)}")
    mailbox.subscribe(name, on)
    return folder.name if folder else name


def attributes(folder: Folder) -> Sequence[str]:
    """What is said of a folder besides its name, unasked. RFC 9051 §6.3.4, §6.3.6"""
    return ("\\Subscribed",) if folder.subscribed else ()


def _made(session: ImapSession, name: str) -> None:
    """A folder was made, with those above it."""
    levels = name.split("/")
    for depth in range(1, len(levels) + 1):
        _did(session, "created", "/".join(levels[:depth]))
        _did(session, "subscribed", "/".join(levels[:depth]))


def _did(session: ImapSession, what: str, name: str) -> None:
    """What a client does itself it is not told (RFC 5465 §5)."""
    if session.notifying is not None:
        session.notifying.did(what, name)
