"""Mail over an SMTP session: a pump between `mailer.smtp.transaction` and a `Session`.

What is said is decided by `Transaction`, what may be said by `Client`; here bytes are carried to and fro, each answer has its
deadline, and what the network does is translated into answers. Nothing that a peer does raises out of `deliver`.

A connection that is abandoned in the middle of anything (an error, a cancelled task) is never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.message import is_mixed
from mailer.mail.outcome import Cause
from mailer.net.aside import LARGE, aside
from mailer.net.stream import Stream
from mailer.smtp.client import ClientState
from mailer.smtp.reply import ProtocolError, Reply
from mailer.smtp.transaction import RecipientAnswer, Transaction

from .route import Endpoint, Timeouts
from .session import Session, Watch
from .transcript import Transcript

if TYPE_CHECKING:
    from mailer.mail.outcome import Phase
    from mailer.smtp.handshake import Wish
    from mailer.smtp.reply import TroubleKind

IN_A_ROW = 8
"""Blocks of a message that go out while nobody else has a turn, to a peer that takes them as fast as they come."""

_CLOSED, _CONTENT = ClientState.CLOSED, ClientState.CONTENT  # each look into an enumeration takes a call

ANNOUNCED = 4096
"""Octets of an envelope that goes out early, at most. Haraka hangs up on 8192, and what became of the message before is lost."""


class Parcel(NamedTuple):
    """What `Connection.deliver` takes: the envelope of one message, its normalised `content`, and what its sender asks for besides.

    `eight_bit` is whether the content holds octets above 127; None: look.
    """

    sender: str
    recipients: Sequence[str]
    content: bytes
    eight_bit: bool | None = None
    request: Request = NOTHING


class Connection(Session):
    """A session that takes mail, until it is not `usable` any more. `transcript` is how the last delivery went."""

    __slots__ = ("_expected", "_in_turn", "_most", "deliveries", "transcript")

    def __init__(self, stream: Stream, endpoint: Endpoint, address: str, timeouts: Timeouts) -> None:
        """Use `open`."""
        super().__init__(stream, endpoint, address, timeouts)
        self._expected: tuple[Parcel, Transaction] | None = None
        self._in_turn = False  # the host hears an envelope only when it has answered the message before
        self._most = inf  # messages: what its host said itself (RFC 9422 §4), or a limit of ours
        self.deliveries = 0  # how many messages were tried in it; what breaks before the first is no stale session
        self.transcript = Transcript(self.prologue, self.prologue.began)

    # -- what is known of it

    @property
    def usable(self) -> bool:
        """Whether another message may be delivered: nobody hung up, and not a byte came unasked."""
        return self._client.state is not _CLOSED and (self._stream.quiet or (self._expected is not None and not self._stream.gone))

    def takes_more(self, lifetime: float) -> bool:
        """Whether another message may begin in it: it is usable, younger than `lifetime` seconds, and not full."""
        return self.deliveries < self._most and self._loop.time() - self.opened_at < lifetime and self.usable

    async def _begin(self, wish: Wish, watch: Watch | None) -> None:
        await super()._begin(wish, watch)
        limits = self._client.extensions.max_mails, self.endpoint.messages
        self._most = min([limit for limit in limits if limit > 0], default=self._most)

    @property
    def expecting(self) -> bool:
        """Whether the envelope of the next mail is out already: only that mail may come next."""
        return self._expected is not None

    # -- mail

    async def deliver(self, mail: Parcel, ahead: Callable[[], Parcel | None] | None = None) -> list[RecipientAnswer]:
        """Send one message; an answer for each recipient, in their order.

        Nothing is raised for what the peer does. A task that is cancelled within abandons the connection.

        `ahead` is asked, when the message goes out, what comes next: its envelope goes out with the end of this
        message (RFC 2920 §3.1 lets it), which saves a round trip. Whoever names a `Parcel` delivers it next, here, or
        abandons the connection; see `expecting`. A host that refuses such an envelope is asked again in its turn.
        """
        size, expected = len(mail.content), self._expected
        if expected is not None and expected[0] is mail:
            transaction = expected[1]
        else:
            transaction = self._begun(mail) if size <= LARGE or expected is not None else await self._begun_aside(mail)
        # the packet that ended the message before may have brought answers to an envelope that went out with it
        heard = self.transcript.heard[-1:] if expected is not None else None
        self.transcript = Transcript(
            self.prologue, monotonic(), reused=self.deliveries > 0, heard=heard, size=size, mixed=is_mixed(mail.content)
        )
        if not self.usable:
            self._broken(transaction, "lost", "mail", Reply.own(451, "4.4.2", "the host closed the session before MAIL", Cause.LOST))
            return transaction.answers()
        self._expected = None
        try:
            await self._carry_out(transaction, ahead)
            if expected is not None and transaction.unwelcome and self._client.state is not _CLOSED:
                self._in_turn = True
                transaction = self._transaction(mail)
                await self._carry_out(transaction, ahead)
        except (OSError, ProtocolError) as error:
            trouble = self._explain(error)
            self._hear_rest(transaction)
            self._broken(transaction, *trouble)
        except BaseException:
            self.abandon()
            raise
        self.deliveries += 1
        self.last_used = self._loop.time()
        return transaction.answers()

    def _broken(self, transaction: Transaction, kind: TroubleKind, phase: Phase, reply: Reply) -> None:
        """The session is over before the transaction is."""
        transaction.broken(kind, phase, reply, self._client.unanswered)
        self.transcript.end(monotonic(), phase, str(reply), self._client.unanswered)
        self.abandon()

    def _begun(self, mail: Parcel) -> Transaction:
        """The transaction of `mail`: the one whose envelope went out before, or a new one."""
        if self._expected is None:
            return self._transaction(mail)
        expected, transaction = self._expected
        if expected != mail:
            self.abandon()
            raise RuntimeError("another message was to be delivered next")
        return transaction

    async def _begun_aside(self, mail: Parcel) -> Transaction:
        """That of a large message, through which somebody has to look."""
        try:
            return await aside(partial(self._transaction, mail))
        except BaseException:
            self.abandon()
            raise

    def _transaction(self, mail: Parcel) -> Transaction:
        return Transaction(
            mail.sender,
            mail.recipients,
            mail.content,
            self._client.extensions,
            eight_bit=mail.eight_bit,
            request=mail.request,
            protected=self._client.secure and self.endpoint.requirement.verified,
            chunking=self.endpoint.chunking,
        )

    async def _carry_out(self, transaction: Transaction, ahead: Callable[[], Parcel | None] | None) -> None:
        client = self._client
        if client.unanswered:  # its envelope went out with the message before
            await self._hear(transaction)
        while commands := transaction.envelope(client):
            self._stream.write(client.send(commands))
            await self._hear(transaction)
        if client.state is _CONTENT:
            await self._send(transaction, ahead)
            await self._hear(transaction)

    async def _send(self, transaction: Transaction, ahead: Callable[[], Parcel | None] | None) -> None:
        """The message, block by block, as fast as the peer takes it; it may refuse before the end.

        No envelope goes out with the end of it to a host that has CHUNKING: it needs no such help, and Dovecot's submission service (2.3)
        is one that dies of it with the message taken and no answer given. Haraka (3.3) refuses every command that comes so early; see
        `deliver`.
        """
        client, stream = self._client, self._stream
        offered = client.extensions
        if self._in_turn or offered.chunking or not offered.pipelining or self.deliveries + 1 >= self._most:
            ahead = None
        for serial, command in enumerate(transaction.content(), 1):
            if stream.full:
                stream.allow(self._waits["BLOCK"])
                await stream.drain()
            elif serial % IN_A_ROW == 0:
                await asyncio.sleep(0)
            if not stream.quiet:
                self._tell(transaction, await stream.read())
                if client.state is _CLOSED:
                    return
            data = client.send((command,))
            if ahead is not None and command.verb == "CONTENT":
                data += self._announce(ahead())
            stream.write(data)

    def _announce(self, mail: Parcel | None) -> bytes:
        """The envelope of the mail that comes next, if it is a short one. For a large message there is no time now."""
        if mail is None or len(mail.content) > LARGE:
            return b""
        transaction = self._transaction(mail)
        commands = transaction.envelope(self._client)
        size = 0
        for command in commands:  # each generator takes a call for each of them
            size += len(command.line)
        if size > ANNOUNCED:
            return b""
        self._expected = mail, transaction
        return self._client.send(commands)

    async def _hear(self, transaction: Transaction) -> None:
        """Wait until all that `transaction` said is answered."""
        client, stream = self._client, self._stream
        awaited = None
        while client.unanswered:
            oldest = client.unanswered[0]
            if oldest is not awaited:
                if awaited is not None and awaited.verb == "CONTENT":
                    return  # what is pending is the next one's
                awaited = oldest
                stream.allow(self._waits[oldest.verb])
            self._tell(transaction, await stream.read())

    def _hear_rest(self, transaction: Transaction) -> None:
        """The session broke within a reply: what it had said by then is an answer."""
        if (answered := self._client.break_off()) is not None:
            self.transcript.heard.append((monotonic(), [answered]))
            transaction.hear(*answered)

    def _tell(self, transaction: Transaction, data: bytes) -> None:
        answered = self._client.feed(data)
        self.transcript.heard.append((monotonic(), answered))
        for command, reply in answered:
            transaction.hear(command, reply)
            if command.verb == "CONTENT" and self._expected is not None:
                transaction = self._expected[1]  # the replies behind it are to the next envelope
        self._client.check()
