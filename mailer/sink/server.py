"""The sink as a whole: where it listens, the moods, and what was received; and one in a thread of its own (`SinkThread`).

Start it with ``async with``, or `start` and `close`. It listens on the loopback interface unless it is told
otherwise; the command line refuses to tell it otherwise without ``--public``.

Above a message in a Maildir, which is kept byte by byte (CRLF and all), stand the lines that tell its envelope: ``Return-Path: <sender>``
and one ``Delivered-To: recipient`` for each. Nothing is synced to disk: what a sink keeps is worth no more than the test that sent it.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any, NamedTuple, Self, TypeVar

from mailer.config.kinds import check_port
from mailer.io.maildir import make_maildir, write_message
from mailer.mail.problem import from_os
from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop, streams
from mailer.sasl.exchange import Credentials, Known
from mailer.smtp.reply import Reply
from mailer.smtp.server_events import Auth, Body, Greeting, MailFrom, Question, Rcpt, StartTls, Violation
from mailer.smtp.server_state import ServerSettings

from .faults import Fault, Moods, Temper
from .session import HANDSHAKE_SECONDS, SinkSession

T = TypeVar("T")

IDLE_SECONDS = 300.0  # RFC 5321 §4.5.3.2.7

_TOO_MANY = Reply.own(421, "4.7.0", "too many connections")
_NOT_KEPT = Reply.own(452, "4.3.1", "the message cannot be kept")
_NO_TLS = Reply.own(454, "4.7.0", "TLS is not available")  # RFC 3207 §4
_LET_IN = Reply.own(235, "2.7.0", "welcome")
_WRONG = Reply.own(535, "5.7.8", "wrong user name or password")


class Received(NamedTuple):
    """One message that was taken. `content` is what was meant: CRLF line ends, no dots doubled for the way."""

    sender: str  # "" is the null reverse-path
    recipients: tuple[str, ...]
    content: bytes
    peer: str  # the client's IP address
    tls: str = ""  # the version, e.g. "TLSv1.3", "" without
    user: str = ""  # who authenticated, "" if nobody did
    hello: str = ""  # what the client called itself
    at: float = 0.0  # seconds since the epoch
    parameters: Mapping[str, str] = {}  # of MAIL: SIZE, BODY, …
    path: str = ""  # the file, where messages are kept in a Maildir


class Refusal(NamedTuple):
    """One command or message that was not taken, for the sink's own log."""

    phase: str
    code: int  # 0 where the connection was dropped instead of an answer
    enhanced: str
    text: str
    peer: str
    sender: str = ""
    recipient: str = ""
    at: float = 0.0


class Sink:
    """A server that keeps what it gets. See `mailer.sink` for what it can do."""

    def __init__(
        self,
        moods: Moods | None = None,
        *,
        maildir: str | None = None,
        keep: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "sink.localhost",
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        binding: bytes = b"",
        lmtp: bool = False,
        idle: float = IDLE_SECONDS,
        told: Callable[[Received | Refusal], None] | None = None,
    ) -> None:
        """Messages go to the Maildir, or where there is none to the list `messages`, or with `keep` False nowhere.

        `port` 0 picks a free one. `tls` makes STARTTLS possible, or with `implicit_tls` comes first. With
        `users` (name → password) a client has to authenticate, with one of `mechanisms`; AUTH is then offered over TLS
        only, or in the clear where there is no TLS. `binding` is that of the certificate in `tls`, for SCRAM-SHA-256-PLUS.
        With `lmtp` it speaks LMTP, and keeps a message once for each recipient. `idle` is how many seconds a client may be
        silent. `told` hears of each message and each refusal at once. Raises `Problem` where the Maildir cannot be made, and
        `ValueError` for a port that is none.
        """
        check_port(port)
        self.messages: list[Received] = []
        self.count = 0  # messages taken
        self.octets = 0  # of their content
        self.sessions: set[SinkSession] = set()
        self.tls = tls
        self.idle = idle
        self.implicit_tls = implicit_tls
        self._keep = keep
        self._maildir = maildir
        if maildir:
            try:
                os.makedirs(maildir, mode=0o700, exist_ok=True)
                make_maildir(maildir)
            except OSError as error:
                raise from_os("the messages cannot be kept", maildir, error) from None
        self.address = host, port  # as asked for; the port that it got is `port`
        self._name = name
        self._mechanisms = tuple(mechanisms)
        self._lmtp = lmtp
        self._known = Known(users or {}, lambda: token_urlsafe(18), binding)
        self._users = {user.encode(): password.encode() for user, password in (users or {}).items()}
        self._told = told
        self._accepting: AcceptLoop | None = None
        self._news = asyncio.Event()
        self.moods = moods or Moods()

    @property
    def moods(self) -> Moods:
        """How it behaves. Setting this takes effect with the next question; extensions and limits with the next connection."""
        return self.temper.moods

    @moods.setter
    def moods(self, moods: Moods) -> None:
        self.temper = Temper(moods)
        self.service = ServerSettings(
            name=self._name,
            lmtp=self._lmtp,
            max_size=moods.max_size,
            max_recipients=moods.max_recipients,
            max_mistakes=0,  # a test may make as many as it likes
            max_idle=0,
            max_guesses=0,
            starttls=self.tls is not None,
            mechanisms=self._mechanisms if self._users else (),
            known=self._known,
            clear_auth=self.tls is None,
            require=frozenset({"auth"}) if self._users else frozenset(),
            hide=frozenset(keyword.upper() for keyword in moods.hide),
            offer=tuple(moods.offer),
        )

    # -- its life

    async def start(self) -> None:
        """Listen. Raises `OSError` where it cannot."""
        sockets = await tcp_sockets(*self.address)
        self._accepting = AcceptLoop(self.serve)
        self._accepting.listen(*sockets)

    async def close(self) -> None:
        """Stop listening, drop the clients that are connected, and wait until they are gone."""
        accepting, self._accepting = self._accepting, None
        if accepting is not None:
            await accepting.close()

    @property
    def listening(self) -> bool:
        """Whether it has been started, and not closed."""
        return self._accepting is not None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The port that it listens on. Raises `RuntimeError` before the start."""
        if self._accepting is None:
            raise RuntimeError("the sink has not been started")
        return self._accepting.port

    async def received(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until `count` messages have been taken; returns `messages`. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while self.count < count:
                self._news.clear()
                await self._news.wait()
        return self.messages

    async def serve(self, caller: socket.socket, peer: Peer) -> None:
        """One connection, however it came about. Its session is one of `sessions` until nothing is left of it."""
        task = asyncio.current_task()
        assert task is not None
        session = SinkSession(self, peer, task)
        self.sessions.add(session)
        task.add_done_callback(lambda _: self.sessions.discard(session))
        try:
            await streams(session.talk, self.tls if self.implicit_tls else None, HANDSHAKE_SECONDS)(caller, peer)
        except OSError:
            if not session.begun:  # the client left, or does not like our certificate
                self.dropped("handshake", session)

    # -- what sessions ask it

    def decide(self, question: Question, session: SinkSession) -> Fault:
        """What the moods make of `question`."""
        machine = session.machine
        limit = self.temper.moods.max_connections
        if limit and isinstance(question, Greeting) and len(self.sessions) > limit:
            return Fault(_TOO_MANY)
        recipients = question.recipients if isinstance(question, Body) else machine.recipients
        sender = question.sender if isinstance(question, Body) else machine.sender
        return self.temper.act(question, sender, recipients, asyncio.get_running_loop().time())

    def settle(self, question: Question, fault: Fault, session: SinkSession) -> Reply | None:
        """The answer to `question`, and what follows from it on our side: a message is kept before it is acknowledged."""
        reply = fault.reply
        if isinstance(question, Body) and (reply is None or reply.code // 100 == 2):
            reply = self._take(question, session) or reply
        elif isinstance(question, Auth) and reply is None:
            reply = _LET_IN if self._knows(question.credentials) else _WRONG
        elif isinstance(question, StartTls) and reply is None and self.tls is None:  # offered on order, and not there
            reply = _NO_TLS
        if self._told:
            self._tell_refusal(self._told, question, reply, session)
        return reply

    def dropped(self, phase: str, session: SinkSession) -> None:
        """A connection is being dropped on order, or was lost in the handshake."""
        if self._told:
            self._told(Refusal(phase, 0, "", "connection dropped", session.peer, session.machine.sender, "", time.time()))

    def _knows(self, said: Credentials) -> bool:
        expected = self._users.get(said.username.encode(), b"")
        return hmac.compare_digest(expected, said.password.encode()) and bool(expected)

    def _take(self, body: Body, session: SinkSession) -> Reply | None:
        """Keep a message; returns a refusal where that fails."""
        machine = session.machine
        received = Received(
            body.sender, body.recipients, body.content, session.peer, machine.tls, machine.user, machine.hello, time.time(), body.parameters
        )
        if self._maildir:
            try:
                parts = envelope_lines(received), received.content
                received = received._replace(path=write_message(self._maildir, parts, received.at, synced=False))
            except OSError:
                return _NOT_KEPT
        elif self._keep:
            self.messages.append(received)
        self.count += 1
        self.octets += len(body.content)
        self._news.set()
        if self._told:
            self._told(received)
        return None

    def _tell_refusal(self, told: Callable[[Refusal], object], question: Question, reply: Reply | None, session: SinkSession) -> None:
        reply = reply or session.machine.usual(question)
        if reply.code < 400:
            return
        phase = question.during.lower() if isinstance(question, Violation) else question.phase
        sender = question.sender if isinstance(question, (MailFrom, Body)) else session.machine.sender
        recipient = question.address if isinstance(question, Rcpt) else ""
        told(Refusal(phase, reply.code, reply.enhanced, reply.text, session.peer, sender, recipient, time.time()))


def envelope_lines(received: Received) -> bytes:
    """The envelope as header fields. Addresses were checked on their way in and hold no line end."""
    lines = [f"Return-Path: <{received.sender}>", *(f"Delivered-To: {address}" for address in received.recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode()


class LoopThread:
    """An event loop in a thread of its own, called `name`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """The result of `what`, which is waited for. Raises what it raises."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def close(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SinkThread:
    """Takes what `Sink` takes; use it with ``with``, where there is no event loop. Its methods wait, where those of `Sink` are awaited."""

    def __init__(self, moods: Moods | None = None, **settings: Any) -> None:
        self._sink = Sink(moods, **settings)
        self._loop: LoopThread

    def __enter__(self) -> Self:
        self._loop = LoopThread("mailer-sink")
        try:
            self._loop.run(self._sink.start())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._sink.close())
        self._loop.close()

    @property
    def port(self) -> int:
        """The TCP port on which it listens."""
        return self._sink.port

    @property
    def messages(self) -> list[Received]:
        """What has been received so far."""
        return list(self._sink.messages)

    @property
    def count(self) -> int:
        """How many messages have been taken."""
        return self._sink.count

    @property
    def moods(self) -> Moods:
        """How the sink behaves; see `Sink.moods`."""
        return self._sink.moods

    @moods.setter
    def moods(self, moods: Moods) -> None:
        async def change() -> None:
            self._sink.moods = moods

        self._loop.run(change())

    def received(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until `count` messages have been taken; returns all of them. Raises `TimeoutError`."""
        return list(self._loop.run(self._sink.received(count, seconds)))
