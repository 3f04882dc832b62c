"""One SMTP session over the network, from the call to QUIT: all of it but the mail, which is `connection`'s.

What is said is decided by `handshake`, what may be said by `Client`; here bytes are carried to and fro, each answer has its
deadline, and what the network does is translated into a `SessionError`, which knows what was said until then.

A session that is abandoned in the middle of anything (an error, a cancelled task) is never used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import lru_cache, partial
from secrets import token_urlsafe
from time import monotonic
from typing import TYPE_CHECKING, Self

from mailer.mail.outcome import Cause, Hop
from mailer.mail.problem import Problem
from mailer.net import tls
from mailer.net.aside import aside
from mailer.net.happy_eyeballs import source
from mailer.net.stream import Hasty, Stream
from mailer.sasl.mechanism import server_end_point
from mailer.smtp.client import PHASE, Client
from mailer.smtp.command import CONNECT, NOOP, QUIT, Command
from mailer.smtp.extension import Extensions
from mailer.smtp.handshake import HANDSHAKE, SECURED, Wish, handshake
from mailer.smtp.reply import CommandError, ProtocolError, Reply, SessionRefused, Veil

from .errors import SessionError, broken, furthest, unreachable
from .route import Endpoint, Timeouts
from .transcript import Prologue, Transcript

if TYPE_CHECKING:
    from mailer.mail.outcome import Phase
    from mailer.smtp.reply import TroubleKind

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


@lru_cache
def _waits(timeouts: Timeouts) -> dict[str, float]:
    """Command → seconds until its answer must be complete."""
    return {verb: float(getattr(timeouts, name)) for verb, name in _TIMEOUT.items()}


REACHED = Command("REACHED", b"")
"""To a `Watch`: the TCP connection stands."""

Watch = Callable[["Session", Command, Reply], object]
"""Told each step from the connection to the last answer before MAIL, when it is done. What is said in AUTH holds secrets."""


class Session:
    """A session that is ready for mail, until it is not `usable` any more. `prologue` is what was said until then."""

    __slots__ = (
        "_client",
        "_connect_timeout",
        "_loop",
        "_stream",
        "_waits",
        "address",
        "endpoint",
        "greeting",
        "hop",
        "last_used",
        "opened_at",
        "prologue",
    )

    def __init__(self, stream: Stream, endpoint: Endpoint, address: str, timeouts: Timeouts) -> None:
        """Use `open`."""
        self._stream = stream
        self._client = self._new_client(endpoint)
        self._connect_timeout = timeouts.connect
        self._waits = _waits(timeouts)
        self._loop = asyncio.get_running_loop()
        self.endpoint = endpoint
        self.address = address
        self.hop = _hop(endpoint, address)
        self.greeting = Reply.own(220, "", "")
        self.opened_at = self.last_used = self._loop.time()
        self.prologue = Prologue(self.hop, monotonic(), stream.took)

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
            insecure = error
        try:
            return await cls._open(endpoint, address, timeouts, replace(wish, tls="none"), watch)
        except SessionError as error:
            plain = error
        raise furthest([insecure, plain])

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
                await aside(endpoint.login.refused)
            raise connection._trouble(refused.kind, refused.phase, refused.reply) from None
        except (OSError, ProtocolError) as error:
            connection.abandon()
            raise connection._trouble(*connection._explain(error)) from None
        except CommandError as error:  # our name for EHLO, which the configuration gave us
            connection._leave()
            raise connection._trouble("ours", "ehlo", Reply.own(451, "4.3.5", str(error), Cause.SETTING)) from None
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
    def phase(self) -> Phase:
        """The step of the session that is under way, or was last."""
        return PHASE.get(self._client.verb, "body")

    @property
    def usable(self) -> bool:
        """Whether something may be said: nobody hung up, and not a byte came unasked."""
        return not (self._client.over or self._stream.gone or self._stream.unread)

    @property
    def age(self) -> float:
        """The age of the session: seconds since it was opened."""
        return self._loop.time() - self.opened_at

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
        return await self.say(command)

    async def say(self, command: Command) -> Reply:
        """Say any command that has one reply: so MAIL and RCPT are tried, which RSET takes back. Raises `SessionError`."""
        if not (self.usable and self._client.may(command.verb)):
            raise SessionError("lost", PHASE[command.verb], Reply.own(451, "4.4.2", "the session is over", Cause.LOST), self.hop)
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
        """Do what `handshake` says, and note it."""
        if wish.tls == "implicit":
            await self._handshake()
            self._client = self._new_client(self.endpoint, secure=True, binding=self._binding)
            self.prologue.add(monotonic(), HANDSHAKE, SECURED)
            if watch:
                watch(self, HANDSHAKE, SECURED)
        self._client.veil = veil = Veil(wish.secret)
        talk = handshake(self._client, wish)
        step = next(talk)
        while True:
            if step is HANDSHAKE:
                await self._handshake()
                self._client.secured(self._binding)
                reply = SECURED
            else:
                if step.verb in ("AUTH", "RESPONSE"):
                    veil.add(step.line)
                reply = await self._ask(step)
            if step is CONNECT:
                self.greeting = reply
            self.prologue.add(monotonic(), step, reply)
            if watch:
                watch(self, step, reply)
            try:
                step = await _after(talk, reply)
            except StopAsyncIteration:
                return

    async def _ask(self, command: Command) -> Reply:
        """Say one thing, if it is not the greeting's turn, and wait for the answer."""
        if command.verb != "CONNECT":
            self._stream.write(self._client.send((command,)))
        self._stream.allow(self._waits[command.verb])
        try:
            while not (answered := self._client.feed(await self._stream.read())):
                pass
        except OSError:
            cut = self._client.break_off()
            if cut is None or cut.reply.positive:
                raise
            return cut.reply  # a refusal is one without its end
        if answered[0].reply.positive:
            self._client.check()
        return answered[0].reply

    async def _handshake(self) -> None:
        """Raises `SessionError`, for whatever goes wrong with it."""
        requirement = self.endpoint.requirement
        try:
            terms = tls.context(requirement)
        except OSError as error:
            cause = Cause.CREDENTIAL if isinstance(error, tls.OwnCertificate) else Cause.SETTING
            raise self._trouble("ours", "starttls", Reply.own(454, "4.3.5", str(error), cause)) from None
        try:
            name = tls.server_name(requirement, self.endpoint.host)
            await self._stream.start_tls(terms, name, self._connect_timeout)
            tls.check(requirement, self.peer_certificates)
        except OSError as error:
            plain = isinstance(error, Hasty) and requirement.mode == "implicit"  # its greeting, before we said a word
            text = f"TLS with {self.endpoint.host}: {tls.NO_TLS if plain else tls.reason(error)}"
            trouble = self._trouble("tls", "starttls", Reply.own(454, "4.7.5", text, Cause.TLS))
            trouble.met = error
            raise trouble from None
        self.prologue.hop = self.hop = self.hop._replace(tls=tls.achieved(self._stream.tls_version, requirement))
        self.prologue.resumed = self.resumed

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

    # -- its end

    def _trouble(self, kind: TroubleKind, phase: Phase, reply: Reply) -> SessionError:
        """It did not get as far as mail; what was said until then goes with the error."""
        transcript = Transcript(self.prologue, self.prologue.until)
        transcript.end(monotonic(), phase, str(reply), self._client.unanswered)
        return SessionError(kind, phase, reply, self.hop, transcript)

    def _explain(self, error: Exception) -> tuple[TroubleKind, Phase, Reply]:
        """Kind, phase and reply for what ended the session."""
        verb = self._client.verb
        return broken(error, verb, self._waits[verb])


async def reach(endpoint: Endpoint, address: str, timeouts: Timeouts) -> Stream:
    """A connection to one address of the host, or by its dialer. Raises `SessionError`."""
    began = monotonic()
    try:
        if endpoint.dialer is not None:
            return await Stream.dialled(endpoint.dialer, endpoint.host, endpoint.port, timeouts.connect)
        own = source((endpoint.source, endpoint.source6), address)
        return await Stream.connect(address, endpoint.port, seconds=timeouts.connect, source=own)
    except Problem as problem:  # of the secret that a proxy wants
        raise SessionError("ours", "connect", Reply.own(454, "4.7.0", str(problem), Cause.CREDENTIAL), _hop(endpoint, address)) from None
    except OSError as error:
        trouble = unreachable(error, timeouts.connect, _hop(endpoint, address))
        trouble.transcript = Transcript(Prologue(trouble.hop, began, 0.0, stands=False), began)
        trouble.transcript.end(monotonic(), "connect", str(trouble.reply))
        raise trouble from None


async def _after(talk: Generator[Command, Reply], reply: Reply) -> Command:
    """What `talk` says next. Raises `StopAsyncIteration` at its end.

    A challenge is answered in a thread: how many iterations SCRAM computes is the server's to say, see `mailer.sasl.scram.MOST`.
    """
    if reply.code == 334:
        return await aside(partial(talk.send, reply))
    try:
        return talk.send(reply)
    except StopIteration:
        raise StopAsyncIteration from None


def _hop(endpoint: Endpoint, address: str) -> Hop:
    return Hop(endpoint.host, address, endpoint.port, endpoint.requirement.mode)


async def _wish(endpoint: Endpoint, address: str) -> Wish:
    """What `handshake` shall reach. The secret is fetched in a thread, since a command may have to tell it."""
    requirement, login = endpoint.requirement, endpoint.login
    if login is None:
        return Wish(endpoint.hello, requirement.mode, requirement.verified)
    try:
        secret = await aside(login.secret)
    except Problem as problem:
        reply = Reply.own(454, "4.7.0", str(problem), Cause.CREDENTIAL)
        raise SessionError("ours", "auth", reply, _hop(endpoint, address)) from None
    wanted = login.username, secret, login.allow_plain, login.mechanism, token_urlsafe(18), login.authorization
    return Wish(endpoint.hello, requirement.mode, requirement.verified, *wanted)
