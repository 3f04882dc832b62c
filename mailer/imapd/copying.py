"""COPY, MOVE and EXPUNGE: messages come into another folder, and go from this one. RFC 9051 §6.4.3, §6.4.7 to §6.4.9, RFC 4315, RFC 6851.

Each is one step: what was copied or moved is all of it in the other folder, or none is, and a message that is moved is never in both or in
neither. Where a message that is named by its number is gone, nothing is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.imap.answer import Answer
from mailer.imap.response import copy_uid
from mailer.mail.problem import Problem

from .storing import count
from .troubles import GONE, READ_ONLY, ImapRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.imap.command import Copy, Expunge
    from mailer.mail.flags import Uids
    from mailer.mailbox.api import Copied, Mailbox

    from .session import ImapSession

NO_TARGET = Answer("NO", "there is no such folder", "TRYCREATE")
FULL = Answer("NO", "the folder has no room for that", "LIMIT")


async def copy(session: ImapSession, command: Copy) -> Answer:
    """COPY and UID COPY, MOVE and UID MOVE."""
    view = session.view
    if command.move and view.readonly:
        return READ_ONLY
    uids = view.pairs(command.numbers, uid=command.uid)
    least = 0 if command.uid else count(view, uids)
    done = await session.ask(_copy, view.folder, uids, command, least)
    if not done.pairs:
        return Answer("OK", "there is no such message")
    session.hear_own(done.folder, [uid for _, uid in done.pairs], done.modseq)
    code = copy_uid(done.uidvalidity, done.pairs)
    if not command.move:
        return Answer("OK", "they are there", code)
    session.say(b"OK [%b] they are there" % code.encode())  # RFC 6851 §4.3: before they go from here
    session.hear(view.folder, done.modseq)
    await session.catch_up(expunges=True)
    return Answer("OK", "they have moved", highest(session))


def _copy(mailbox: Mailbox, folder: int, uids: Uids, command: Copy, least: int) -> Copied:
    """In a thread: copy or move, if so many are there at least."""
    target = mailbox.folder(command.to)
    if target is None:
        raise ImapRefused(NO_TARGET)
    if least and len(mailbox.entries(folder, uids)) < least:
        raise ImapRefused(GONE)
    try:
        return (mailbox.move if command.move else mailbox.copy)(folder, uids, command.to)
    except Problem as problem:
        raise ImapRefused(FULL) if problem.kind == "usage" else problem from problem


async def expunge(session: ImapSession, command: Expunge) -> Answer:
    """EXPUNGE and UID EXPUNGE."""
    view = session.view
    if view.readonly:
        return READ_ONLY
    uids: Sequence[tuple[int, int]] | None = None
    if command.uids is not None and not (uids := view.pairs(command.uids, uid=True)):
        return Answer("OK", "there is no such message")
    modseq, _ = await session.ask(lambda mailbox: mailbox.expunge(view.folder, uids))
    session.hear(view.folder, modseq)
    await session.catch_up(expunges=True)
    return Answer("OK", "what was marked as deleted is gone", highest(session))


def highest(session: ImapSession) -> str:
    """What the client knows all of, who resynchronizes himself later. RFC 7162 §3.2.7, §3.2.9"""
    return f"HIGHESTMODSEQ {session.view.modseq}" if session.machine.qresync else ""
