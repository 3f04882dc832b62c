"""STORE: flags of messages are changed, RFC 9051 §6.4.6; with UNCHANGEDSINCE of those alone that nobody else has changed, RFC 7162 §3.1.3.

All messages of a command are changed in one step. A number of a message that another session has taken out ends in EXPUNGEISSUED, when
the others are done; a UID that is not there is none (RFC 9051 §6.4.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.imap.answer import Answer
from mailer.imap.sets import written
from mailer.mail.problem import Problem

from .session import fetched
from .troubles import GONE, READ_ONLY, Refused

if TYPE_CHECKING:
    from mailer.imap.command import Store
    from mailer.imap.view import FolderView
    from mailer.mail.flags import Uids
    from mailer.mailbox.api import Flagged, Mailbox

    from .session import ImapSession


async def store(session: ImapSession, command: Store) -> Answer:
    """STORE and UID STORE."""
    view = session.view
    if view.readonly:
        return READ_ONLY
    uids = view.pairs(command.numbers, uid=command.uid)
    if not uids:
        return Answer("OK", "there is no such message")
    done = await session.ask(_flag, view.folder, uids, command)
    flags, modseq = not command.silent, session.machine.condstore
    session.took(done, told=flags)
    session.tell_keywords(done.entries)
    if flags or modseq:
        entries = {each.uid: each for each in done.entries}
        numbered = view.numbered([*entries])
        await session.say_all(fetched(number, entries[uid], modseq=modseq, flags=flags) for number, uid in numbered)
    gone = not command.uid and len(done.entries) + len(done.refused) < count(view, uids)
    refused = [number if not command.uid else uid for number, uid in view.numbered(done.refused)]
    modified = f"MODIFIED {written(refused).decode()}" if refused else ""
    if gone:
        return GONE._replace(code=modified or GONE.code)
    return Answer("OK", "some were changed meanwhile" if refused else "the flags are changed", modified)


def _flag(mailbox: Mailbox, folder: int, uids: Uids, command: Store) -> Flagged:
    try:
        return mailbox.flag(folder, uids, command.how, command.flags, command.keywords, unchanged_since=command.unchanged_since)
    except Problem as problem:
        if problem.kind == "usage":  # a keyword too many, or too long
            raise Refused(Answer("NO", "the folder has as many keywords as it can have, or that is none", "LIMIT")) from problem
        raise


def count(view: FolderView, uids: Uids) -> int:
    """How many messages of a view there are in pairs of its own."""
    return sum(view.number(last) - view.number(first) + 1 for first, last in uids or ())
