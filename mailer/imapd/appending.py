"""APPEND and REPLACE: a client puts messages, RFC 9051 §6.3.12, several at once by RFC 3502, in the place of another by RFC 8508.

All of them are there, or none is; octet by octet as they were sent. The quota is that of the user, as delivery has it, and its notices too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.imap.answer import Answer
from mailer.imap.command import STAR
from mailer.imap.listed import list_line
from mailer.imap.response import append_uid
from mailer.mail.problem import Problem
from mailer.mailbox.api import UNBOUNDED, NewMail, OverQuota, Usage
from mailer.transport.local import quota_of

from .copying import FULL, NO_TARGET, highest
from .folders import attributes
from .troubles import GONE, READ_ONLY, ImapRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.accounts.users.api import User
    from mailer.imap.command import Append, AppendedMessage, Replace
    from mailer.imap.questions import ImapAnnounced
    from mailer.mailbox.api import Mailbox, PutMail, Quota
    from mailer.mailbox.notices import QuotaNotices

    from .session import ImapSession

EMPTY = Answer("NO", "a message without an octet is none, nothing was put")
TOO_BIG = Answer("NO", "the message is too large", "TOOBIG")  # RFC 7889 §4


async def look_ahead(session: ImapSession, announced: ImapAnnounced) -> Answer:
    """Whether a message that a client announces would be taken, as it has not sent it yet: there has to be the folder, and room."""
    if announced.size > session.machine.settings.max_size:
        return TOO_BIG
    await session.ask(_refuse_early, announced, quota_of(session.user))
    return Answer("OK", "send it")


def _refuse_early(mailbox: Mailbox, announced: ImapAnnounced, quota: Quota) -> None:
    if mailbox.folder(announced.folder) is None:
        raise ImapRefused(NO_TARGET)
    used = Usage(0, 0) if announced.replaces else mailbox.usage()  # RFC 8508 §3.4: what is used then is known when it is there
    if quota != UNBOUNDED and used.over(quota, announced.size, 1):
        raise OverQuota("the mailbox has no room for that; delete something, and empty the trash")


async def append(session: ImapSession, command: Append) -> Answer:
    """APPEND."""
    if not all(message.content for message in command.messages):
        return EMPTY  # RFC 3502 §6.3.11: so a client gives up what it has begun
    if any(len(message.content) > session.machine.settings.max_size for message in command.messages):
        return TOO_BIG
    await _tell_name(session, command.folder)
    puts = await _put(session, command.folder, command.messages, None)
    return Answer("OK", "it is there", _appenduid(puts))


async def _tell_name(session: ImapSession, asked: str) -> None:
    """Say what the folder is called, where that is composed of other letters than were said; first, for what was put cannot fail any more.
    RFC 9051 §6.3.12"""
    if session.machine.rev2 and not asked.isascii():
        folder = await session.ask(lambda mailbox: mailbox.folder(asked))
        if folder is not None and folder.name != asked:
            session.say(list_line(folder.name, attributes(folder), utf8=session.machine.utf8, old_name=asked))


async def replace(session: ImapSession, command: Replace) -> Answer:
    """REPLACE and UID REPLACE."""
    view = session.view
    if view.readonly:
        return READ_ONLY
    if not command.message.content:
        return EMPTY
    if len(command.message.content) > session.machine.settings.max_size:
        return TOO_BIG
    if command.number == STAR or not command.uid:
        found = view.uid(command.number or len(view))
    else:
        found = command.number
    if not view.number(found):
        return GONE._replace(code="NONEXISTENT") if command.uid else GONE
    await _tell_name(session, command.folder)
    puts = await _put(session, command.folder, [command.message], (view.folder, found))
    session.say(b"OK [%b] it is there" % _appenduid(puts).encode())  # RFC 8508 §3.3
    session.hear(view.folder, puts[0].modseq)
    await session.catch_up(expunges=True)
    return Answer("OK", "it has taken the place of the other", highest(session))  # RFC 8508 §4.5: as UID EXPUNGE


async def _put(
    session: ImapSession, folder: str, messages: Sequence[AppendedMessage], instead: tuple[int, int] | None
) -> Sequence[PutMail]:
    """Put them, and see how full the mailbox is then. Raises `Problem`, `ImapRefused`."""
    now = session.terms.now()
    news = [NewMail(folder, each.content, b"", each.flags, each.keywords, each.received or now) for each in messages]
    puts, trouble = await session.ask(_put_all, news, session.user, session.terms.notices, instead)
    if trouble is not None:
        session.terms.tell(Alarm.of(now, trouble))
    session.hear_own(puts[0].folder, [each.uid for each in puts], puts[0].modseq)
    return puts


def _put_all(
    mailbox: Mailbox, news: Sequence[NewMail], user: User, notices: QuotaNotices, instead: tuple[int, int] | None
) -> tuple[Sequence[PutMail], Exception | None]:
    """In a thread: put them; and what kept the notice from being given, if something did."""
    if mailbox.folder(news[0].folder) is None:
        raise ImapRefused(NO_TARGET)
    quota = quota_of(user)
    try:
        puts = mailbox.put(news, quota, instead=instead)
    except Problem as problem:
        if problem.kind == "usage":
            raise ImapRefused(FULL) from problem
        if problem.kind == "no-such" and instead is not None:
            raise ImapRefused(GONE) from problem
        raise
    try:
        notices.after(mailbox, quota, puts, sum(len(new.content) for new in news))
    except Exception as error:
        return puts, error
    return puts, None


def _appenduid(puts: Sequence[PutMail]) -> str:
    return append_uid(puts[0].uidvalidity, [each.uid for each in puts])
