"""FETCH: what is asked for of messages is told portion by portion. RFC 9051 §6.4.5, RFC 7162 §3.1.4, §3.2.6.

A message whose octets are lost, or which somebody else has expunged, is left out; all others come, and the answer at the end says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.events import Alarm
from mailer.imap.answer import Answer
from mailer.imap.fetched import FetchPlan
from mailer.imap.sets import ordered, pairs, written_pairs

from .portions import FetchedFolder, FetchTerms
from .streaming import stream, take_note
from .troubles import GONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.imap.command import Fetch
    from mailer.imap.view import FolderView
    from mailer.mailbox.api import FolderChanges, Mailbox

    from .portions import Portion
    from .session import ImapSession

NAMED: Final = 10  # messages that are named where they are lost


async def fetch(session: ImapSession, command: Fetch) -> Answer:
    """FETCH and UID FETCH."""
    machine, view = session.machine, session.view
    uids: Sequence[tuple[int, int]] = view.pairs(command.numbers, uid=command.uid)
    if command.changed_since is not None:
        changes = await session.ask(_changes, view.folder, command.changed_since)
        if command.vanished and (gone := earlier(view, command, changes)):
            session.say(b"VANISHED (EARLIER) " + written_pairs(gone))
        uids = pairs(_within((entry.uid for entry in changes.entries if view.number(entry.uid)), uids))
    plan = FetchPlan(command.items, uid=command.uid, modseq=command.changed_since is not None)
    asked = FetchedFolder(plan, view, uids, FetchTerms(machine.condstore, view.readonly))
    while asked.left:
        portion = await session.ask(_portion, asked)
        take_note(session, asked)
        session.say_raw(portion.octets)
        await session.flow()
        if portion.large is not None:
            await stream(session, asked, portion.large)
    if asked.trouble is not None:
        who = session.user.address
        session.terms.tell(Alarm(session.terms.now(), "mailbox", f"{who}: {asked.trouble}", who))
    return _answer(asked, uid=command.uid)


def _portion(box: Mailbox, asked: FetchedFolder) -> Portion:
    return asked.portion(box)


def _changes(box: Mailbox, folder: int, since: int) -> FolderChanges:
    return box.changes(folder, since)


def earlier(view: FolderView, command: Fetch, changes: FolderChanges) -> list[tuple[int, int]]:
    """The UIDs of what was asked for that went since then; where it is not known any more which they are, all that are not there
    (RFC 7162 §3.2.6)."""
    last = changes.folder.uidnext - 1
    asked = view.saved or () if command.numbers.saved else ordered(command.numbers, max(last, 1))
    if not changes.whole:
        return pairs(_within(changes.vanished, asked))
    there = iter([*(entry.uid for entry in changes.entries), last + 1])
    return [*_gaps(asked, there, last)]


def _gaps(asked: Iterable[tuple[int, int]], there: Iterator[int], last: int) -> Iterator[tuple[int, int]]:
    """What of `asked` is not `there`, up to `last`; both ascend, and what is there ends behind that."""
    uid = next(there)
    for at, end in ((first, min(end, last)) for first, end in asked):
        while at <= end:
            while uid < at:
                uid = next(there)
            if at < uid:
                yield at, min(uid - 1, end)
            at = uid + 1  # noqa: PLW2901 - goes on within the span


def _within(uids: Iterable[int], spans: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Those that are in one of the spans; both ascend."""
    waiting = iter(spans)
    span = next(waiting, None)
    for uid in uids:
        while span is not None and span[1] < uid:
            span = next(waiting, None)
        if span is None:
            return
        if span[0] <= uid:
            yield uid


def _answer(asked: FetchedFolder, *, uid: bool) -> Answer:
    """What is said at the end; by UID a message that is not there is no trouble (RFC 9051 §6.4.9)."""
    if asked.lost:
        return Answer("NO", f"{_named(asked.lost)} cannot be read, all others came", "SERVERBUG")  # RFC 5530 §3
    if asked.undecoded:
        return Answer("NO", f"{_named(asked.undecoded)} have an encoding that is not known", "UNKNOWN-CTE")  # RFC 9051 §7.1
    if asked.missing and not uid:
        return GONE
    return Answer("OK", f"{'UID ' * uid}FETCH completed")


def _named(uids: Sequence[int]) -> str:
    more = f" and {len(uids) - NAMED} more" if len(uids) > NAMED else ""
    return f"messages with UID {', '.join(map(str, uids[:NAMED]))}{more}"
