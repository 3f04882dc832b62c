"""The messages of one session, read some at a time in another thread.

Most clients fetch one message after the other. So who has asked for one, and then for the next, has the few behind that read with it, as
far as `AHEAD` octets go: a turn in another thread, and a question to a database, cost more than a message. A large one is read in pieces
of `PIECE`, and is never in memory as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem
from mailer.mailbox.api import StoredMail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mailbox.api import Mailbox
    from mailer.serving.boxes import BoxUse

PIECE: Final = 256 << 10  # octets of a message that are read at a time; one of no more than these is proved by its digest
TOP: Final = 32 << 10  # the same where only the top of a large message is wanted
AHEAD: Final = 256 << 10  # octets of messages that nobody has asked for yet
MOST_AHEAD: Final = 16  # and how many


class FirstPiece(NamedTuple):
    """A message that is there, and the first octets of it: all of them, if it is no larger than `PIECE`."""

    mail: StoredMail
    octets: bytes


class MessageReader:
    """The messages of a folder with these `uids`, in a mailbox that is held."""

    __slots__ = ("_ahead", "_box", "_folder", "_last", "_uids")

    def __init__(self, box: BoxUse, folder: int, uids: Sequence[int]) -> None:
        self._box = box
        self._folder = folder
        self._uids = uids
        self._last = -2  # where the one stood that was asked for last
        self._ahead: dict[int, FirstPiece] = {}

    async def first(self, place: int, *, top: bool) -> FirstPiece | None:
        """The message that stands at `place`; None where it is gone. Raises `BodyLost`, `NoKey`, `Problem`."""
        uid = self._uids[place]
        follows, self._last = place == self._last + 1, place
        if uid not in self._ahead:
            wanted = self._uids[place : place + (MOST_AHEAD if follows else 1)]
            self._ahead = await self._box.ask(firsts, self._folder, wanted, TOP if top else PIECE)
        return self._ahead.pop(uid, None)

    async def piece(self, mail: StoredMail, start: int, *, top: bool) -> bytes:
        """More of a large message. Raises `BodyLost`, `NoKey`, `Problem`."""
        return await self._box.ask(_piece, mail, start, TOP if top else PIECE)


def firsts(mailbox: Mailbox, folder: int, uids: Sequence[int], most: int) -> dict[int, FirstPiece]:
    """The first of these messages, where it is there, and of those behind it as many as are small. Raises `BodyLost`, `NoKey`, `Problem`
    as the first one does."""
    found: dict[int, FirstPiece] = {}
    spans = [(uids[0], uids[-1])] if len(uids) < 2 or uids[-1] - uids[0] < 2 * len(uids) else [(uid, uid) for uid in uids]
    rows = {row[0]: StoredMail(*row[1:]) for row in mailbox.fetched(folder, spans, ("mail", "size", "prefix", "key_number", "digest"))}
    room = AHEAD
    for uid in uids:
        mail = rows.get(uid)
        if mail is None:
            if uid == uids[0]:
                break
            continue
        if found and mail.size > room:
            break
        octets = _first_octets(mailbox, mail, most, wanted=not found)
        if octets is None:
            break
        found[uid] = FirstPiece(mail, octets)
        room -= mail.size
    return found


def _first_octets(mailbox: Mailbox, mail: StoredMail, most: int, *, wanted: bool) -> bytes | None:
    """None where it cannot be read and is not `wanted` now: who wants it hears why."""
    try:
        return mailbox.read(mail, 0, mail.size if mail.size <= PIECE else most)
    except Problem:
        if wanted:
            raise
        return None


def _piece(mailbox: Mailbox, mail: StoredMail, start: int, most: int) -> bytes:
    return mailbox.read(mail, start, min(most, mail.size - start))
