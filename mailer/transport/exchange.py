"""One message over sessions: what holds for whoever sends mail, the daemon as well as a program with the library.

A session that was used before may be gone without our knowing: what it loses before it has taken anything of the message (it is lost, or
421 answers what we said first, RFC 5321 §3.8) is said once more on another one, and is no failure of the host. Recipients that a host
calls too many for one transaction go at once in another (RFC 5321 §4.5.3.1.10), as long as it takes some of them.

`transact` is one transaction, which is all that the daemon needs: its queue knows when what is tried again. A program has no queue: its
`Exchange` is one message with those who have it, were refused, and are asked about again; its `Pipeline` the session that it keeps
from one message to the next.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mailer.limits.rate import RateExceeded

from .errors import NoSession, SessionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mailer.mail.outcome import Hop
    from mailer.smtp.transaction import RecipientAnswer

    from .connection import Connection, Parcel
    from .lender import Lender

MOST_FOLLOWED = 100  # recipients of a message that another one may follow at once; more may need several transactions, RFC 5321 §4.5.3.1.8


async def transact(
    mail: Parcel, lend: Callable[[], Awaitable[Connection]], ahead: Callable[[], Parcel | None] | None = None
) -> tuple[list[RecipientAnswer], Connection]:
    """The answers to one transaction, and the session that gave them; `lend` gives a session, another one where the last is over.

    `ahead` is as for `Connection.deliver`. Raises what `lend` raises.
    """
    while True:
        connection = await lend()
        fresh = connection.deliveries == 0
        answers = await connection.deliver(mail, ahead)
        if fresh or answers[0].phase == "body" or not all(map(_never_began, answers)):
            return answers, connection


def too_many(answers: Sequence[RecipientAnswer]) -> dict[int, None]:
    """The recipients that go at once in another transaction; none where not one was taken: then it is no limit but a refusal."""
    again = {answer.to: None for answer in answers if answer.kind == "again"}
    return again if len(again) < len(answers) else {}


def _never_began(answer: RecipientAnswer) -> bool:
    """Whether the session was over before this transaction: it was lost, or 421 answered what we said first."""
    lost = answer.kind == "lost" and answer.phase in ("mail", "rcpt")
    return lost or (answer.kind == "reply" and answer.phase == "mail" and answer.reply.code == 421)


class Heard(NamedTuple):
    """The answer for a recipient, and the host that gave it."""

    answer: RecipientAnswer
    hop: Hop


Trouble = Heard | SessionError | NoSession | RateExceeded
"""Why a recipient does not have the message; an answer that was heard is a refusal."""


class Exchange:
    """One message under way: who has it, who was refused, and who is asked about again. Recipients are numbers in the parcel.

    `again` says of a recipient's trouble whether it is worth another attempt.
    """

    __slots__ = ("_again", "_parcel", "attempts", "response", "taken", "troubles", "waiting")

    def __init__(self, parcel: Parcel, again: Callable[[int, Trouble], bool]) -> None:
        self.waiting = list(range(len(parcel.recipients)))
        self.taken: set[int] = set()
        self.troubles: dict[int, Trouble] = {}
        """Of all that are not taken, the last one."""
        self.attempts = 0
        self.response: Heard | None = None
        """The last answer by which the message was taken, and where."""
        self._parcel = parcel
        self._again = again

    async def attempt(self, pipeline: Pipeline) -> None:
        """Ask about all who wait, in as many transactions as the server's limit on recipients makes necessary."""
        self.attempts += 1
        left = [*self.waiting]
        while left:
            parcel = self._parcel
            if len(left) < len(parcel.recipients):
                parcel = parcel._replace(recipients=tuple(parcel.recipients[to] for to in left))
            try:
                answers, connection = await transact(parcel, partial(pipeline.lend, parcel), pipeline.ahead(parcel))
            except (SessionError, NoSession, RateExceeded) as error:
                for to in left:
                    self._fail(to, error)
                return
            finally:
                pipeline.settle()
            left = self._hear(left, answers, connection.hop)

    def _hear(self, asked: Sequence[int], answers: Sequence[RecipientAnswer], hop: Hop) -> list[int]:
        """What a transaction with the recipients `asked` said; returns those who were too many for it and go at once."""
        crowded = too_many(answers)
        for answer in answers:
            to = asked[answer.to]
            if answer.phase == "body" and answer.kind == "reply" and answer.reply.positive:
                self.taken.add(to)
                self.troubles.pop(to, None)
                self.waiting.remove(to)
                self.response = Heard(answer, hop)
            elif answer.to not in crowded:
                self._fail(to, Heard(answer, hop))
        return [asked[to] for to in crowded]

    def _fail(self, to: int, trouble: Trouble) -> None:
        """Recipient `to` has it not; who is not worth another attempt waits no longer."""
        self.troubles[to] = trouble
        if to in self.waiting and not self._again(to, trouble):
            self.waiting.remove(to)


class Pipeline:
    """Messages of one sender, one after the other. `follow` tells what comes next, if something does and is ready.

    Where a sender goes on, the envelope of the next message goes out with the end of the one before (RFC 2920 §3.1), which
    saves a round trip a message. That binds the session: it takes that message next, or is dropped. So it is done only while
    nobody else waits for a session, and a promise that comes to nothing costs a connection and no message.
    """

    __slots__ = ("_connection", "_follow", "_lender", "_promised")

    def __init__(self, lender: Lender, follow: Callable[[], Parcel | None] | None = None) -> None:
        self._lender = lender
        self._follow = follow
        self._connection: Connection | None = None
        self._promised: Parcel | None = None

    async def lend(self, parcel: Parcel) -> Connection:
        """A session for `parcel`: the one that expects it, or any. Raises what `Lender.lend` raises."""
        promised, self._promised = self._promised, None
        if self._connection is None or promised is not parcel:
            self.drop()
            self._connection = await self._lender.lend()
        return self._connection

    def ahead(self, parcel: Parcel) -> Callable[[], Parcel | None] | None:
        """A function that says what follows, for when `parcel` is nearly out; None if nothing may."""
        return None if self._follow is None or len(parcel.recipients) > MOST_FOLLOWED else self._promise

    def _promise(self) -> Parcel | None:
        assert self._follow
        assert self._connection
        if self._promised is None and self._lender.may_hold(self._connection):
            self._promised = self._follow()
            return self._promised
        return None

    def settle(self) -> None:
        """End a transaction: the session is kept if it expects the next message, else it is anybody's."""
        if self._connection is not None and not (self._connection.expecting and self._connection.usable):
            self.drop()

    def drop(self) -> None:
        """Give the session back, and nothing comes of what was promised; the pool does not keep a session that still expects it."""
        connection, self._connection, self._promised = self._connection, None, None
        if connection is not None:
            self._lender.give_back(connection)
