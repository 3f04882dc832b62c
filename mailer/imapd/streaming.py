"""A message that is too large to be held: its sections are sent in pieces, as fast as the client takes them.

What a literal has is said before its first octet, and cannot be taken back. So the last octet that is needed is read before anything is
sent; if the message goes away in the middle all the same, the connection ends there, and no client takes half of it for a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.imap.fetched import literal
from mailer.imap.sections import HEADER, NOWHERE, SectionPlace, UnknownEncoding
from mailer.mail.problem import Problem
from mailer.mime.transfer import TransferDecoding

from .portions import FetchedFolder, stored, written

if TYPE_CHECKING:
    from mailer.imap.command import FetchItem
    from mailer.imap.fetched import Row
    from mailer.mailbox.api import Mailbox, StoredMail

    from .session import ImapSession

PIECE: Final = 256 << 10  # octets


class LargeMail(NamedTuple):
    """A message that is about to be sent: what it is read by, where its sections are, and what stands around them."""

    mail: StoredMail
    places: list[SectionPlace]
    around: list[bytes]


class CutOff(OSError):
    """A message went away in the middle of a literal: there is nothing more to say on this connection."""


async def stream(session: ImapSession, fetch: FetchedFolder, row: Row) -> None:
    """Send what is fetched of one message. Raises `Problem`, and `CutOff` where it went away in the middle."""
    large = await session.ask(_begun, fetch, row)
    take_note(session, fetch)
    if large is None:
        return
    session.within = True
    try:
        for nth, where in enumerate(large.places):
            session.say_raw(large.around[nth])
            await _section(session, fetch, nth, large.mail, where)
    except Problem as problem:
        raise CutOff(f"a message could not be read to its end: {problem}") from None
    session.say_raw(large.around[-1])
    session.within = False
    await session.flow()


def take_note(session: ImapSession, fetch: FetchedFolder) -> None:
    """Let the session know what has become \\Seen, of which the client hears in what is sent next."""
    for done in fetch.flagged:
        session.took(done, told=True)
        session.tell_keywords(word for entry in done.entries for word in entry.keywords)
    fetch.flagged.clear()


def _begun(box: Mailbox, fetch: FetchedFolder, row: Row) -> LargeMail | None:
    """Have what is to be sent ready; None where the message cannot be answered. Raises `Problem`."""
    mail = stored(fetch.plan, row)
    try:
        places = fetch.places(row)
        box.read(mail, max(max(where.end for where in places) - 1, 0), 1)
    except UnknownEncoding:
        fetch.undecoded.append(row[0])
        return None
    except Problem as problem:
        fetch.lose(row, problem)
        return None
    ((row, more),) = fetch.seen(box, [row])
    (values,) = fetch.plan.values(fetch.numbers([row]), [row])
    *around, last = fetch.plan.pieces(values)
    return LargeMail(mail, places, [*around, last + more + b")\r\n"])


async def _section(session: ImapSession, fetch: FetchedFolder, nth: int, mail: StoredMail, where: SectionPlace) -> None:
    item = fetch.plan.sections[nth]
    if where == NOWHERE:
        session.say_raw(b"0" if item.name == "BINARY.SIZE" else b"NIL")
    elif item.fields:
        header = await session.ask(_read, mail, where.start, min(where.end, where.start + HEADER))
        session.say_raw(b"".join(written(item, fetch.made(nth, header, where))))
    elif item.name.startswith("BINARY"):
        await _decoded(session, item, mail, where)
    else:
        await _octets(session, item, mail, where)


async def _octets(session: ImapSession, item: FetchItem, mail: StoredMail, where: SectionPlace) -> None:
    start, end = _cut(item, where.start, where.end)
    session.say_raw(literal(end - start))
    for at in range(start, end, PIECE):
        session.say_raw(await session.ask(_read, mail, at, min(at + PIECE, end)))
        await session.flow()


async def _decoded(session: ImapSession, item: FetchItem, mail: StoredMail, where: SectionPlace) -> None:
    """What is decoded is gone through twice, for how much it is has to be said first."""
    size, binary = await session.ask(_measured, item, mail, where)
    if item.name == "BINARY.SIZE":
        session.say_raw(b"%d" % size)
        return
    start, end = _cut(item, 0, size)
    session.say_raw(literal(end - start, binary=binary))
    decoding, at = TransferDecoding(where.encoding), 0
    for first in range(where.start, where.end, PIECE):
        if at >= end:
            return
        octets = await session.ask(_next, decoding, mail, first, where.end)
        session.say_raw(octets[max(start - at, 0) : max(end - at, 0)])
        at += len(octets)
        await session.flow()


def _measured(box: Mailbox, item: FetchItem, mail: StoredMail, where: SectionPlace) -> tuple[int, bool]:
    """How many octets a part has without its encoding, and whether a NUL is among those that are asked for."""
    decoding, size, binary = TransferDecoding(where.encoding), 0, False
    for first in range(where.start, where.end, PIECE):
        octets = _next(box, decoding, mail, first, where.end)
        start, end = _cut(item, 0, size + len(octets))
        binary = binary or b"\0" in octets[max(start - size, 0) : max(end - size, 0)]
        size += len(octets)
    return size, binary


def _next(box: Mailbox, decoding: TransferDecoding, mail: StoredMail, first: int, end: int) -> bytes:
    """What comes out of the next piece, and behind the last one of what is left."""
    last = min(first + PIECE, end)
    octets = decoding.fed(_read(box, mail, first, last))
    return octets + decoding.end() if last == end else octets


def _read(box: Mailbox, mail: StoredMail, first: int, last: int) -> bytes:
    return box.read(mail, first, last - first)


def _cut(item: FetchItem, start: int, end: int) -> tuple[int, int]:
    """The first octet, and the one behind the last, of what is asked for between two."""
    if item.partial is None:
        return start, end
    first = min(start + item.partial[0], end)
    return first, min(first + item.partial[1], end)
