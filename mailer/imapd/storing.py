"""STORE: flags of messages are changed, RFC 9051 §6.4.6; with UNCHANGEDSINCE of those alone that nobody else has changed, RFC 7162 §3.1.3.

All messages of a command are changed in one step. A number of a message that another session has taken out ends in EXPUNGEISSUED, when
the others are done; a UID that is not there is none (RFC 9051 §6.4.9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.imap.answer import Answer
from mailer.imap.sets import written
from mailer.mail.problem import Problem

from .session import fetched, keywords_of
from .troubles import GONE, READ_ONLY, ImapRefused

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
    flags, modseq = not command.silent, session.machine.condstore
    done, words = await session.ask(_flag, session, uids, command)
    session.tell_keywords(words)
    if flags or modseq:
        numbers = (number for number, _ in view.numbered(each.uid for each in done.entries))
        told = zip(numbers, done.entries, strict=True)
        await session.say_all(fetched(view, number, each, modseq=modseq, flags=flags) for number, each in told)
    gone = not command.uid and len(done.entries) + len(done.refused) < count(view, uids)
    refused = [number if not command.uid else uid for number, uid in view.numbered(done.refused)]
    modified = f"MODIFIED {written(refused).decode()}" if refused else ""
    if gone:
        return GONE._replace(code=modified or GONE.code)
    return Answer("OK", "some were changed meanwhile" if refused else "the flags are changed", modified)


def _flag(mailbox: Mailbox, session: ImapSession, uids: Uids, command: Store) -> tuple[Flagged, set[str]]:
    """In a thread: change them, and let the view know; what became of it, and which keywords the messages have."""
    folder, since = session.view.folder, command.unchanged_since
    try:
        done = mailbox.flag(folder, uids, command.how, command.flags, command.keywords, unchanged_since=since)
    except Problem as problem:
        if problem.kind == "usage":  # a keyword too many, or too long
            raise ImapRefused(Answer("NO", "the folder has as many keywords as it can have, or that is none", "LIMIT")) from problem
        raise
    session.took(done, told=not command.silent)
    return done, keywords_of(done.entries)


def count(view: FolderView, uids: Uids) -> int:
    """How many messages of a view there are in pairs of its own."""
    return sum(view.number(last) - view.number(first) + 1 for first, last in uids or ())
