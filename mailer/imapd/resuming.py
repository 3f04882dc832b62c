"""What a client missed that knows the folder from a session before: first what went, then what changed. RFC 7162 §3.2.5.2

Where it is not known any more what went since then, all UIDs that are not there may have: as far as the client does not prove by pairs of
numbers and UIDs that up to there nothing has.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from mailer.imap.sets import ordered, pairs, written_pairs

from .session import fetched
from .spans import common, gaps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.imap.command import KnownState, NumberSet
    from mailer.mailbox.api import OpenedFolder

    from .session import ImapSession

PAIRS: Final = 1000  # that are compared


async def resume(session: ImapSession, found: OpenedFolder, known: KnownState) -> None:
    """Say what happened in a folder that was just opened. Raises `OSError`."""
    changes, view, most = found.changes, session.view, found.folder.uidnext - 1
    if changes is None or known.uidvalidity != view.uidvalidity:
        return
    spans = ((1, most),) if known.known is None else ordered(known.known, most)
    gone = gaps(pairs(view.uids()), _last_match(session, known), most) if changes.whole else pairs(changes.vanished)
    if vanished := written_pairs(common([*gone], spans)):
        session.say(b"VANISHED (EARLIER) " + vanished)
    new = {each.uid: each for each in changes.entries if each.modseq > known.modseq}
    uids = [uid for first, last in common(pairs(new), spans) for uid in range(first, last + 1)]
    await session.say_all(fetched(view, view.number(uid), new[uid], modseq=True) for uid in uids)


def _last_match(session: ImapSession, known: KnownState) -> int:
    """The last UID up to which nothing went: it has the number that it had."""
    if known.numbers is None or known.uids is None:
        return 0
    pairs = islice(zip(_each(known.numbers), _each(known.uids), strict=False), PAIRS)
    return max((uid for number, uid in pairs if session.view.number(uid) == number), default=0)


def _each(numbers: NumberSet) -> Iterator[int]:
    return (number for first, last in numbers.ranges for number in range(min(first, last), max(first, last) + 1))
