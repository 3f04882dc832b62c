"""One SMTP session over the network: a pump between `mailer.smtp` and a `Stream`.

What is said is decided by `opening` and `Transaction`, what may be said by `Client`; here bytes are carried to
and fro, each answer has its deadline, and what the network does is translated: before the session stands into
a `SessionError`, afterwards into answers. Nothing that a peer does raises out of `deliver`.

A connection that is abandoned in the middle of anything (an error, a cancelled task) is never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from secrets import token_urlsafe
from typing import NamedTuple, Self

from mailer.mail.failure import Failure
from mailer.mail.outcome import Hop
from mailer.mail.request import NOTHING, Request
from mailer.smtp.client import PHASE, Client, State
from mailer.smtp.command import CONNECT, NOOP, QUIT, Command
from mailer.smtp.errors import CommandError, ProtocolError, SessionRefused
from mailer.smtp.extension import Extensions
from mailer.smtp.opening import HANDSHAKE, SECURED, Wish, opening
from mailer.smtp.reply import Reply
from mailer.smtp.transaction import Answer, Transaction
from mailer.trust.binding import server_end_point

from . import tls
from .endpoint import Endpoint, Login, Timeouts
from .errors import SessionError, broken, unreachable
from .family import source
from .stream import Stream

__all__ = ["Answer", "Connection", "Endpoint", "Login", "Mail", "SessionError", "Timeouts"]

QUESTIONS = ("VRFY", "EXPN", "HELP")
"""What can be asked besides NOOP; a server may have to look far for the answer."""

_TIMEOUT = {
    **PHASE,
    "BLOCK": "block",
    "STARTTLS": "ehlo",
    "AUTH": "ehlo",
    "RESPONSE": "ehlo",
    "NOOP": "quit",
    **dict.fromkeys(QUESTIONS, "rcpt"),
}
"""Command → the field of `Timeouts` that holds for its answer."""

REACHED = Command("REACHED", b"")
"""To a `Watch`: the TCP connection stands."""

ANNOUNCED = 4096
"""Octets of an envelope that goes out early, at most. Haraka hangs up on 8192, and what became of the message before is lost."""

Watch = Callable[["Connection", Command, Reply], object]
"""Told each step from the connection to the last answer before MAIL, when it is done. What is said in AUTH holds secrets."""


class Mail(NamedTuple):
    """What `Connection.deliver` takes: envelope and content of one message, and what else is asked for it."""

    sender: str
    recipients: Sequence[str]
    content: bytes
    eight_bit: bool | None = None
    request: Request = NOTHING


class Connection:
    """A session that is ready for mail, until it is not `usable` any more."""

    __slots__ = (
        "_client",
        "_expected",
        "_in_turn",
        "_loop",
        "_stream",
        "_timeouts",
        "address",
        "deliveries",
        "endpoint",
        "greeting",
        "hop",
        "last_used",
        "opened_at",
    )

    def __init__(self, stream: Stream, endpoint: Endpoint, address: str, timeouts: Timeouts) -> None:
        """Use `open`."""
        self._stream = stream
        self._client = self._new_client(endpoint)
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self.endpoint = endpoint
        self.address = address
        self.hop = _hop(endpoint, address)
        self.greeting = Reply.own(220, "", "")
        self._expected: tuple[Mail, Transaction] | None = None
        self._in_turn = False  # the host hears an envelope only when it has answered the message before
        self.deliveries = 0  # how many messages were tried in it; what breaks before the first is no stale session
        self.opened_at = self.last_used = self._loop.time()

    @staticmethod
    def _new_client(endpoint: Endpoint, *, secure: bool = False, binding: bytes = b"") -> Client:
        return Client(secure=secure, lmtp=endpoint.protocol == "lmtp", binding=binding)

    @classmethod
    async def open(
        cls, endpoint: Endpoint, address: str, timeouts: Timeouts | None = None, *, watch: Watch | None = None, stream: Stream | None = None
    ) -> Self:
        """Connect to an IP address, or take the `stream` that is connected to it, and get as far as MAIL. Raises `SessionError`.

        Opportunistic TLS that fails is followed by one more try without TLS, here and now; the next session tries
        TLS again (RFC 7435).
        """
        timeouts = timeouts or Timeouts()
        try:
            wish = await _wish(endpoint, address)
        except BaseException:
            if stream is not None:
                stream.abort()
            raise
        try:
            return await cls._open(endpoint, address, timeouts, wish, watch, stream)
        except SessionError as error:
            if error.kind != "tls" or wish.tls != "opportunistic":
                raise
        return await cls._open(endpoint, address, timeouts, replace(wish, tls="none"), watch)

    @classmethod
    async def _open(
        cls, endpoint: Endpoint, address: str, timeouts: Timeouts, wish: Wish, watch: Watch | None, stream: Stream | None = None
    ) -> Self:
        stream = stream or await reach(endpoint, address, timeouts)
        connection = cls(stream, endpoint, address, timeouts)
        if watch:
            watch(connection, REACHED, Reply.own(220, "", f"connected to {address} port {endpoint.port}"))
        try:
            await connection._begin(wish, watch)
            tls.remember(connection._stream.tls)
        except SessionRefused as refused:
            connection._leave()
            if refused.kind == "auth" and endpoint.login and endpoint.login.refused:
                endpoint.login.refused()
            raise SessionError(refused.kind, refused.phase, refused.reply, connection.hop) from None
        except (OSError, ProtocolError) as error:
            connection.abandon()
            raise SessionError(*connection._explain(error), connection.hop) from None
        except CommandError as error:  # our name for EHLO, which the configuration gave us
            connection._leave()
            raise SessionError("refused", "ehlo", Reply.own(451, "4.3.5", str(error)), connection.hop) from None
        except BaseException:
            connection.abandon()
            raise
        return connection

    # -- what is known of it

    @property
    def extensions(self) -> Extensions:
        """What the server offers."""
        return self._client.extensions

    @property
    def usable(self) -> bool:
        """Whether another message may be delivered: nobody hung up, and not a byte came unasked."""
        stream = self._stream
        return not (self._client.over or stream.gone or (stream.unread and self._expected is None))

    @property
    def spent(self) -> bool:
        """Whether the host takes no more messages in this session, as it said itself, RFC 9422 §4."""
        return self._is_last(0)

    def _is_last(self, more: int) -> bool:
        return 0 < self.extensions.max_mails <= self.deliveries + more

    @property
    def _announces(self) -> bool:
        """Whether the envelope of the next mail goes out with the end of a message.

        Not to a host that has CHUNKING: it needs no such help, and Dovecot's submission service (2.3) is one that dies of it with the
        message taken and no answer given. Haraka (3.3) refuses every command that comes so early; see `deliver`.
        """
        offered = self.extensions
        return offered.pipelining and not offered.chunking and not self._in_turn and not self._is_last(1)

    @property
    def expecting(self) -> bool:
        """Whether the envelope of the next mail is out already: only that mail may come next."""
        return self._expected is not None

    @property
    def peer_certificates(self) -> list[bytes]:
        """See `Stream.peer_certificates`."""
        return self._stream.peer_certificates

    @property
    def resumed(self) -> bool:
        """Whether TLS went on from an earlier session with this host."""
        made = self._stream.tls
        return bool(made and made.session_reused)

    @property
    def _binding(self) -> bytes:
        """What binds a mechanism of AUTH to this TLS."""
        return server_end_point(self.peer_certificates[0]) if self.peer_certificates else b""

    # -- mail

    async def deliver(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        eight_bit: bool | None = None,
        request: Request = NOTHING,
        ahead: Callable[[], Mail | None] | None = None,
    ) -> list[Answer]:
        """Send one message; an answer for each recipient, in their order.

        `content` is a normalised message, `eight_bit` whether it holds octets above 127 (None: look), `request` what its
        sender asks for besides. Raises nothing for what the peer does. A task that is cancelled within abandons the connection.

        `ahead` is asked, when the message goes out, what comes next: its envelope goes out with the end of this
        message (RFC 2920 §3.1 lets it), which saves a round trip. Whoever names a `Mail` delivers it next, here, or
        abandons the connection; see `expecting`. A host that refuses such an envelope is asked again in its turn.
        """
        mail = Mail(sender, recipients, content, eight_bit, request)
        transaction = self._begun(mail)
        if not self.usable:
            transaction.broken("lost", "mail", Reply.own(451, "4.4.2", "the host closed the session before MAIL"))
            self.abandon()
            return transaction.answers()
        announced, self._expected = self._expected, None
        try:
            await self._carry_out(transaction, ahead)
            if announced and transaction.unwelcome and not self._client.over:
                self._in_turn = True
                transaction = self._transaction(mail)
                await self._carry_out(transaction, ahead)
        except (OSError, ProtocolError) as error:
            transaction.broken(*self._explain(error))
            self.abandon()
        except BaseException:
            self.abandon()
            raise
        self.deliveries += 1
        self.last_used = self._loop.time()
        return transaction.answers()

    def _begun(self, mail: Mail) -> Transaction:
        """The transaction of `mail`: the one whose envelope went out before, or a new one."""
        if self._expected is None:
            return self._transaction(mail)
        expected, transaction = self._expected
        if expected is not mail and expected != mail:
            self.abandon()
            raise RuntimeError("another message was to be delivered next")
        return transaction

    def _transaction(self, mail: Mail) -> Transaction:
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

    async def _carry_out(self, transaction: Transaction, ahead: Callable[[], Mail | None] | None) -> None:
        client = self._client
        if client.pending:  # its envelope went out with the message before
            await self._hear(transaction)
        while commands := transaction.envelope(client):
            self._stream.write(client.send(commands))
            await self._hear(transaction)
        if client.state is State.CONTENT:
            await self._send(transaction, ahead)
            await self._hear(transaction)

    async def _send(self, transaction: Transaction, ahead: Callable[[], Mail | None] | None) -> None:
        """The message, block by block, as fast as the peer takes it; it may refuse before the end."""
        client, stream = self._client, self._stream
        for command in transaction.content():
            if stream.full:
                self._allow("BLOCK")
                await stream.drain()
            if stream.unread:
                self._tell(transaction, await stream.read())
                if client.over:
                    return
            data = client.send((command,))
            if command.verb == "CONTENT" and ahead is not None and self._announces:
                data += self._announce(ahead())
            stream.write(data)

    def _announce(self, mail: Mail | None) -> bytes:
        """The envelope of the mail that comes next, if it is a short one."""
        if mail is None:
            return b""
        transaction = self._transaction(mail)
        commands = transaction.envelope(self._client)
        if sum(len(command.line) for command in commands) > ANNOUNCED:
            return b""
        self._expected = mail, transaction
        return self._client.send(commands)

    async def _hear(self, transaction: Transaction) -> None:
        """Wait until all that `transaction` said is answered."""
        client, stream = self._client, self._stream
        awaited = None
        while (oldest := client.pending) is not None:
            if oldest is not awaited:
                if awaited is not None and awaited.verb == "CONTENT":
                    return  # what is pending is the next one's
                awaited = oldest
                self._allow(oldest.verb)
            self._tell(transaction, await stream.read())

    def _tell(self, transaction: Transaction, data: bytes) -> None:
        for command, reply in self._client.feed(data):
            transaction.hear(command, reply)
            if command.verb == "CONTENT" and self._expected is not None:
                transaction = self._expected[1]  # the replies behind it are to the next envelope
        self._client.check()

    async def check(self) -> bool:
        """Ask whether the host still listens (NOOP), at most `Timeouts.quit` seconds long. Raises nothing.

        A session that does not answer is abandoned.
        """
        if self.usable and self._client.may("NOOP"):
            try:
                await self._ask(NOOP)
            except (OSError, ProtocolError):
                self.abandon()
            except BaseException:
                self.abandon()
                raise
            self.last_used = self._loop.time()
        return self.usable

    async def ask(self, command: Command) -> Reply:
        """Say VRFY, EXPN, HELP, NOOP or RSET between two messages; the reply, whatever it is. Raises `SessionError`.

        The session is abandoned if the reply does not come.
        """
        if command.verb not in (*QUESTIONS, "NOOP", "RSET"):
            raise ValueError(f"{command.verb} is nothing to ask")
        if not (self.usable and self._client.may(command.verb)):
            raise SessionError("lost", PHASE[command.verb], Reply.own(451, "4.4.2", "the session is over"), self.hop)
        try:
            reply = await self._ask(command)
        except (OSError, ProtocolError) as error:
            self.abandon()
            raise SessionError(*self._explain(error), self.hop) from None
        except BaseException:
            self.abandon()
            raise
        self.last_used = self._loop.time()
        return reply

    # -- before and after mail

    async def _begin(self, wish: Wish, watch: Watch | None) -> None:
        """Do what `opening` says."""
        if wish.tls == "implicit":
            await self._handshake()
            self._client = self._new_client(self.endpoint, secure=True, binding=self._binding)
            if watch:
                watch(self, HANDSHAKE, SECURED)
        talk = opening(self._client, wish)
        step = next(talk)
        while True:
            if step is HANDSHAKE:
                await self._handshake()
                self._client.secured(self._binding)
                reply = SECURED
            else:
                reply = await self._ask(step)
            if step is CONNECT:
                self.greeting = reply
            if watch:
                watch(self, step, reply)
            try:
                step = talk.send(reply)
            except StopIteration:
                return

    async def _ask(self, command: Command) -> Reply:
        """Say one thing, if it is not the greeting's turn, and wait for the answer."""
        if command.verb != "CONNECT":
            self._stream.write(self._client.send((command,)))
        self._allow(command.verb)
        while not (answered := self._client.feed(await self._stream.read())):
            pass
        self._client.check()
        return answered[0].reply

    async def _handshake(self) -> None:
        """Raises `SessionError`, for whatever goes wrong with it."""
        requirement = self.endpoint.requirement
        try:
            name = tls.server_name(requirement, self.endpoint.host)
            await self._stream.start_tls(tls.context(requirement), name, self._timeouts.connect)
            tls.check(requirement, self.peer_certificates)
        except OSError as error:
            text = f"TLS with {self.endpoint.host}: {tls.reason(error)}"
            raise SessionError("tls", "starttls", Reply.own(454, "4.7.5", text), self.hop) from None
        self.hop = self.hop._replace(tls=tls.achieved(self._stream.tls_version, requirement))

    async def close(self) -> None:
        """Take leave: QUIT, wait for the answer at most `Timeouts.quit`, close, and wait until the socket is. Raises nothing."""
        try:
            if self.usable and self._client.may("QUIT"):
                await self._ask(QUIT)
        except (OSError, ProtocolError):
            pass
        finally:
            self._stream.close()
        await self._stream.released()

    def _leave(self) -> None:
        """QUIT without a wait, also for the end of TLS, for a session in which there will be no mail."""
        if self.usable and self._client.may("QUIT"):
            self._stream.write(self._client.send((QUIT,)))
        self._stream.abort()

    def abandon(self) -> None:
        """Drop the connection at once."""
        self._stream.abort()

    # -- waiting and its end

    def _allow(self, verb: str) -> None:
        self._stream.allow(self._seconds(verb))

    def _seconds(self, verb: str) -> float:
        return float(getattr(self._timeouts, _TIMEOUT[verb]))

    def _explain(self, error: Exception) -> tuple[str, str, Reply]:
        """Kind, phase and reply for what ended the session."""
        verb = self._client.verb
        return broken(error, verb, self._seconds(verb))


async def reach(endpoint: Endpoint, address: str, timeouts: Timeouts) -> Stream:
    """A TCP connection to one address of the host. Raises `SessionError`."""
    own = source((endpoint.source, endpoint.source6), address)
    try:
        return await Stream.connect(address, endpoint.port, seconds=timeouts.connect, source=own)
    except OSError as error:
        raise unreachable(error, timeouts.connect, _hop(endpoint, address)) from None


def _hop(endpoint: Endpoint, address: str) -> Hop:
    return Hop(endpoint.host, address, endpoint.port, endpoint.requirement.mode)


async def _wish(endpoint: Endpoint, address: str) -> Wish:
    """What `opening` shall reach. The secret is fetched in a thread, since a command may have to tell it."""
    requirement, login = endpoint.requirement, endpoint.login
    if login is None:
        return Wish(endpoint.hello, requirement.mode, requirement.verified)
    try:
        secret = await asyncio.to_thread(login.secret)
    except Failure as failure:
        raise SessionError("auth", "auth", Reply.own(454, "4.7.0", str(failure)), _hop(endpoint, address)) from None
    wanted = login.username, secret, login.allow_plain, login.mechanism, token_urlsafe(18)
    return Wish(endpoint.hello, requirement.mode, requirement.verified, *wanted)
