"""SELECT, EXAMINE, CLOSE, UNSELECT, CHECK and NOOP: a folder is opened and closed, and what is new in it is told.

All that a client is told when it opens a folder was true at one moment, and so is what it missed since a session before (QRESYNC).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.imap import response
from mailer.imap.answer import Answer, BadCommand
from mailer.imap.listed import list_line, mailbox_id
from mailer.imap.view import FolderView

from . import recent
from .resuming import resume

if TYPE_CHECKING:
    from mailer.imap.command import Check, Close, NoOperation, Select, Unselect
    from mailer.mailbox.api import Mailbox, OpenedFolder

    from .session import ImapSession


async def select(session: ImapSession, command: Select) -> Answer:
    """RFC 9051 §6.3.2, §6.3.3, RFC 7162 §3.1.8, §3.2.5. The folder that was open is left, also where the other cannot be opened.

    Raises `BadCommand`."""
    known = command.qresync
    if known is not None and not session.machine.qresync:
        raise BadCommand("QRESYNC has to be enabled first")  # RFC 7162 §3.2.5
    if session.machine.view is not None:
        session.leave_folder()
        session.say(response.closed())  # RFC 7162 §3.2.11

    def look(mailbox: Mailbox) -> tuple[OpenedFolder, FolderView]:
        found = mailbox.opened(command.folder, known.modseq if known is not None else None)
        folder = found.folder
        view = FolderView(folder.id, folder.name, folder.uidvalidity, found.uids, folder.modseq, command.readonly)
        if not session.machine.rev2 and found.uids:
            recent.look(mailbox, view, folder, found.uids[-1])
        return found, view

    found, view = await session.ask(look)
    session.open_folder(view, found.keywords)
    _tell(session, found, command.folder)
    if known is not None:
        await resume(session, found, known)
    return Answer("OK", "the folder is open", "READ-ONLY" if command.readonly else "READ-WRITE")


def _tell(session: ImapSession, found: OpenedFolder, asked: str) -> None:
    """Say what there is to know of the folder that was `asked` for. RFC 9051 §6.3.2, RFC 3501 §6.3.1, RFC 7162 §3.1.2.1, RFC 8474 §4.2"""
    folder, view = found.folder, session.view
    session.say_flags()
    session.say(response.exists(len(view)))
    if not session.machine.rev2:
        session.say(response.recent(view.recent_count()))
        if found.unseen:
            session.say(response.code("UNSEEN", view.number(found.unseen), "the first message that is unseen"))
    session.say(response.code("UIDVALIDITY", folder.uidvalidity))
    session.say(response.code("UIDNEXT", folder.uidnext))
    session.say(response.code("HIGHESTMODSEQ", folder.modseq))
    session.say(response.status("OK", "its ID", f"MAILBOXID ({mailbox_id(folder.id)})"))
    if session.machine.rev2:
        session.say(list_line(folder.name, (), utf8=session.machine.utf8, old_name="" if folder.name == asked else asked))


async def close(session: ImapSession, _: Close) -> Answer:
    """RFC 9051 §6.4.1: what is marked as deleted goes, and nobody is told."""
    view = session.view
    if not view.readonly:
        await session.ask(lambda mailbox: mailbox.expunge(view.folder))
    session.leave_folder()
    return Answer("OK", "the folder is closed")


async def unselect(session: ImapSession, _: Unselect) -> Answer:
    """RFC 9051 §6.4.2."""
    session.leave_folder()
    return Answer("OK", "the folder is closed, and nothing went")


async def look(session: ImapSession, _: NoOperation | Check) -> Answer:
    """RFC 9051 §6.1.2, RFC 3501 §6.4.1: what is new is told."""
    await session.catch_up(expunges=True, look=True, unasked=True)
    return Answer("OK", "that is all")
