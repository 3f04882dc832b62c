"""Messages one after the other: the session that a sender holds while it has more to send.

Where a batch goes on, the envelope of the next message goes out with the end of the one before (RFC 2920 §3.1), which
saves a round trip a message. That binds the session: it takes that message next, or is dropped. So it is done only while
nobody else waits for a session, and a promise that comes to nothing costs a connection and no message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.transport.connection import Mail as Parcel

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.transport.connection import Connection

    from .lender import Lender
    from .letter import Letter

MOST = 100  # recipients of a message that another one may follow at once; more may need several transactions, RFC 5321 §4.5.3.1.8


class Lane:
    """For one sender at a time. `follow` tells the letter that comes next, if one does and is ready."""

    __slots__ = ("_follow", "_held", "_lender", "_promised")

    def __init__(self, lender: Lender, follow: Callable[[], Letter | None] | None = None) -> None:
        self._lender = lender
        self._follow = follow
        self._held: Connection | None = None
        self._promised: Letter | None = None

    async def lend(self, letter: Letter) -> Connection:
        """A session for `letter`: the one that expects it, or any. Raises `SmtpError`."""
        if self._promised is not letter:
            self.drop()
        connection, self._held, self._promised = self._held, None, None
        return connection or await self._lender.lend()

    def ahead(self, connection: Connection, letter: Letter) -> Callable[[], Parcel | None] | None:
        """What to ask when `letter` is nearly out."""
        if self._follow is None or len(letter.recipients) > MOST:
            return None
        return lambda: self._promise(connection)

    def _promise(self, connection: Connection) -> Parcel | None:
        assert self._follow
        if self._promised or not self._lender.may_hold(connection):
            return None
        letter = self._promised = self._follow()
        return Parcel(letter.sender, letter.recipients, letter.content, None, letter.request) if letter else None

    def give_back(self, connection: Connection) -> None:
        """The session is held if it expects the next letter, else it is anybody's."""
        if connection.expecting and connection.usable:
            self._held = connection
        else:
            self._promised = None
            self._lender.give_back(connection)

    def drop(self) -> None:
        """Nothing comes of what was promised; the pool does not keep a session that still expects it."""
        connection, self._held, self._promised = self._held, None, None
        if connection:
            self._lender.give_back(connection)
