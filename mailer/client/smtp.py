"""`SmtpClient`: send now, and know what became of it. `mailer.client` tells the way that a message takes."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from mailer.config.kinds import check_numbers, check_port, refuse_port
from mailer.config.sections.relay import PORTS
from mailer.config.values import own_hostname
from mailer.limits.backoff import pause
from mailer.limits.breaker import CircuitBreaker
from mailer.limits.rate import RateExceeded, TokenBucket
from mailer.mail.delivery_options import NOTHING, Request
from mailer.net.happy_eyeballs import FAMILIES
from mailer.smtp.command import ehlo
from mailer.tlspolicy import Requirement
from mailer.transport.errors import NoSession, SessionError
from mailer.transport.exchange import Exchange, Pipeline
from mailer.transport.lender import Lender
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, Login

from .batch import Batch
from .errors import (
    BatchResult,
    ConnectionInfo,
    ErrorKind,
    PoolStatus,
    Rejected,
    SendResult,
    SmtpAuthenticationError,
    SmtpCancelledError,
    SmtpConnectionError,
    SmtpError,
    SmtpPoolError,
    SmtpRateLimitError,
    SmtpTimeoutError,
    SmtpTlsError,
)
from .hooks import Hooks
from .prepare import prepared
from .settings import BREAKER, POOL, RETRY, TIMEOUTS
from .translate import from_session, from_trouble, where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from mailer.net.dialer import Dialer
    from mailer.smtp.command import Command
    from mailer.smtp.reply import Reply
    from mailer.transport.connection import Connection, Parcel
    from mailer.transport.route import Timeouts

    from .hooks import Interceptor
    from .prepare import Mail, PreparedMail
    from .settings import BreakerSettings, PoolSettings, RateLimitSettings, RetrySettings

THE_SERVERS = (SmtpConnectionError, SmtpTlsError, SmtpAuthenticationError, SmtpTimeoutError)
GARBLED = frozenset({ErrorKind.INVALID_RESPONSE, ErrorKind.UNEXPECTED_RESPONSE, ErrorKind.SERVER_SHUTDOWN})
OURS = (SmtpPoolError, SmtpRateLimitError, SmtpCancelledError)

Credentials = Login | tuple[str, "str | Callable[[], str]"]
"""A `Login`, or a user name with a password or with a function that fetches it each time one is needed."""


class SmtpClient:
    """Sends through one server, in one event loop. Use it with ``async with``, or call `shutdown` at the end."""

    def __init__(
        self,
        host: str,
        port: int = 0,
        *,
        tls: str | Requirement = "starttls",
        credentials: Credentials | None = None,
        hello: str = "",
        source: str = "",
        source6: str = "",
        family: str = "any",
        protocol: str = "smtp",
        timeouts: Timeouts = TIMEOUTS,
        pool: PoolSettings | None = None,
        retry: RetrySettings | None = None,
        breaker: BreakerSettings | None = None,
        rate_limit: RateLimitSettings | None = None,
        interceptors: Sequence[Interceptor] = (),
        dialer: Dialer | None = None,
    ) -> None:
        """Nothing is connected yet.

        `port` 0 is the one that goes with `tls`: 587, 465 (``implicit``) or 25 (``none``). `tls` is ``starttls`` (the
        default; no mail without it), ``implicit``, ``opportunistic`` or ``none``, or a `Requirement` with more to say: an own
        CA, another name, a pin. In the first two the certificate has to be good. `credentials` are a user name with a
        password or with a function that fetches it, or a `Login` with more to say: a token, one mechanism. `hello` is our
        name in EHLO, this machine's by default; `source` and `source6` are the addresses of ours to call from, and `family` says
        which of the server's to call: ``any``, ``prefer4``, ``prefer6``, ``only4`` or ``only6``. `protocol` is ``smtp``, or ``lmtp``
        (RFC 2033). `timeouts` are in seconds for each step. `dialer` makes the connections in place of plain TCP: a `Proxy`, a
        `UnixSocket`, or one of your own (`mailer.net.dialer.Dialer`). Raises `ValueError` for what cannot be meant.
        """
        check_port(port)
        if timeouts is not TIMEOUTS:
            check_numbers(timeouts)
        if protocol not in ("smtp", "lmtp") or family not in FAMILIES:
            raise ValueError(f"protocol {protocol!r} or family {family!r} is none")
        if dialer is not None and (source or source6 or family != "any"):
            raise ValueError("source and family are for plain TCP, and a dialer chooses by itself")
        if not isinstance(host, str):
            raise ValueError(f"{host!r} is no host")
        host = host.removesuffix(".")  # it says that the name is whole; no certificate has it
        if not host or not host.isprintable() or " " in host:
            raise ValueError(f"{host!r} is no host")
        refuse_port(host)
        requirement = tls if isinstance(tls, Requirement) else Requirement(tls, tls in ("starttls", "implicit"))
        self._hello = hello or own_hostname()
        ehlo(self._hello)  # what cannot be said cannot be meant
        port = port or PORTS[requirement.mode]
        self._endpoint = Endpoint(host, port, requirement, _login(credentials), source, self._hello, protocol, source6, dialer=dialer)
        self._hooks = Hooks(interceptors)
        limit = rate_limit
        self._patience = limit.patience if limit else 0.0
        self._messages = TokenBucket(limit.max_emails, limit.window, "messages") if limit else None
        self._calls = TokenBucket(limit.max_connections, limit.window, "connections") if limit and limit.max_connections else None
        self._retry = retry or RETRY
        asked = breaker or BREAKER
        self._breaker = CircuitBreaker(
            asked.failure_threshold, asked.failure_window, asked.recovery_timeout, asked.success_threshold, enabled=asked.enabled
        )
        settings = pool or POOL
        sessions = Pool(timeouts, idle=settings.idle_timeout, lifetime=settings.max_lifetime)
        self._lender = Lender(
            sessions,
            self._endpoint,
            family,
            lambda: self._turn(self._calls),
            most=settings.max_connections,
            kept_open=settings.min_idle,
            patience=settings.acquire_timeout,
            interval=settings.health_check_interval,
            checks=settings.health_check,
        )
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    def __repr__(self) -> str:
        return f"<SmtpClient {self._endpoint.host}:{self._endpoint.port} {self._endpoint.requirement.mode}>"

    # -- what it is for

    async def send(
        self,
        mail: Mail,
        *,
        sender: str | None = None,
        recipients: Sequence[str] | str | None = None,
        request: Request = NOTHING,
    ) -> SendResult:
        """Send one message: an `Email`, an `email.message.Message`, or bytes.

        `sender` (the reverse-path; ``""`` for none) and `recipients` are the envelope; without them the message's own
        fields say it. `request` is what else is wanted, such as reports (`mailer.mail.delivery_options`). Returns when the server
        has taken it for at least one recipient; the others, if any, are in `SendResult.rejected`. Raises `SmtpError` when it
        was taken for none.
        """
        return await self._send(mail, Pipeline(self._lender), None, sender, recipients, request)

    async def send_batch(self, mails: Iterable[Mail]) -> BatchResult:
        """Send many messages, as many at a time as there may be connections. One that fails stops no other.

        The result has an entry for each message in its place: the `SendResult`, or the `SmtpError`. What `send` would raise
        besides, for something that is no message, is such an error too, of kind `MESSAGE`.
        """
        began = asyncio.get_running_loop().time()
        batch = Batch(mails, self._lender, self._send, self._ready)
        await batch.run(self._lender.most)
        results = tuple(batch.results[number] for number in sorted(batch.results))
        return BatchResult(results, asyncio.get_running_loop().time() - began)

    async def _send(
        self,
        mail: Mail,
        pipeline: Pipeline,
        ready: PreparedMail | None,
        sender: str | None = None,
        recipients: Sequence[str] | str | None = None,
        request: Request = NOTHING,
    ) -> SendResult:
        """Everything from the interceptors on; what is `ready` has passed them and the limits."""
        original, began = mail, asyncio.get_running_loop().time()
        try:
            if ready is None:
                mail = await self._hooks.before(mail)
                ready = prepared(mail, sender, recipients, self._hello, request)
                await self._message()
            exchange, rejected = await self._carry(ready.parcel, pipeline)
        except SmtpError as error:
            await self._hooks.failed(original, error)
            raise
        assert exchange.response
        hop, people = exchange.response.hop, ready.parcel.recipients
        result = SendResult(
            ready.message_id,
            tuple(people[to] for to in sorted(exchange.taken)),
            rejected,
            str(exchange.response.answer.reply),
            where(hop),
            hop.tls_wanted,
            hop.tls,
            exchange.attempts,
            asyncio.get_running_loop().time() - began,
        )
        await self._hooks.after(mail, result)
        return result

    def _ready(self, mail: Mail) -> PreparedMail | None:
        """What `mail` makes, if nobody has to be asked and nothing to be waited for before it goes."""
        if self._hooks:
            return None
        made = prepared(mail, None, None, self._hello)
        if self._messages is not None:
            now = asyncio.get_running_loop().time()
            if self._messages.wait(now):
                return None
            self._messages.reserve(now)
        return made

    async def _message(self) -> None:
        """Wait for the turn of a message, as long as the settings allow. Raises `SmtpRateLimitError`."""
        try:
            await self._turn(self._messages)
        except (RateExceeded, NoSession) as trouble:
            raise from_trouble(trouble, self._endpoint.host) from None

    async def _turn(self, bucket: TokenBucket | None) -> None:
        """Raises `RateExceeded`, and `NoSession` if the client is shut down meanwhile."""
        if bucket is not None and not await bucket.turn(asyncio.get_running_loop().time(), self._patience, self._sleep):
            raise NoSession("closed", "the client was shut down")

    async def _carry(self, parcel: Parcel, pipeline: Pipeline) -> tuple[Exchange, tuple[Rejected, ...]]:
        """One message to its server, from the breaker on; [002] §7.2. Raises `SmtpError` where nobody has it in the end."""
        loop, breaker, host = asyncio.get_running_loop(), self._breaker, self._endpoint.host
        if blocked := breaker.blocked(loop.time()):
            text = f"the server failed too often and is left alone for {blocked:.1f} s"
            raise SmtpError(ErrorKind.CIRCUIT_OPEN, text, host=host, retry_after=blocked)
        people = parcel.recipients
        exchange = Exchange(parcel, lambda to, trouble: self._retry.wants(from_trouble(trouble, host, people[to])))
        ticket = breaker.enter()
        try:
            await self._attempts(exchange, pipeline)
        except BaseException:
            breaker.left(ticket)
            raise
        errors = {to: from_trouble(trouble, host, people[to]) for to, trouble in sorted(exchange.troubles.items())}
        error = next(iter(errors.values()), None)  # of the first recipient in order
        self._learn(ticket, None if exchange.taken else error)
        rejected = tuple(Rejected(people[to], each.code, each.enhanced_code, each.reply) for to, each in errors.items())
        if error and not exchange.taken:
            error.rejected = rejected
            raise error
        return exchange, rejected

    async def _attempts(self, exchange: Exchange, pipeline: Pipeline) -> None:
        """One after the other, until nobody waits or there is no point; where the client is shut down the last error stands."""
        retry, chance = self._retry, random.random if self._retry.jitter else None
        while True:
            await exchange.attempt(pipeline)
            if not exchange.waiting or exchange.attempts >= retry.max_attempts:
                return
            if not await self._sleep(pause(exchange.attempts, retry.initial_delay, retry.multiplier, retry.max_delay, chance)):
                return

    def _learn(self, ticket: int, error: SmtpError | None) -> None:
        """What the breaker learns: whether the server did its part. A refused message or recipient is no fault of it."""
        if isinstance(error, OURS):
            self._breaker.left(ticket)
        elif error and (isinstance(error, THE_SERVERS) or error.kind in GARBLED or (error.temporary and error.phase != "rcpt")):
            self._breaker.failed(ticket, asyncio.get_running_loop().time())
        else:
            self._breaker.succeeded(ticket)

    async def test_connection(self) -> ConnectionInfo:
        """Get as far as mail could be sent, and send none; the session stays in the pool. Raises `SmtpError`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._session(check=True) as connection:
            hop, login = connection.hop, self._endpoint.login
            who, seconds = login.username if login else "", loop.time() - began
            return ConnectionInfo(hop.host, hop.port, hop.ip, hop.tls, connection.greeting.text, connection.extensions, who, seconds)

    async def ask(self, command: Command) -> Reply:
        """Say VRFY, EXPN, HELP, NOOP or RSET (`mailer.smtp.command` makes them); the reply, whatever it is. Raises `SmtpError`.

        Many servers answer VRFY with 252: they take mail for the address and see then (RFC 5321 §3.5.3).
        """
        async with self._session() as connection:
            try:
                return await connection.ask(command)
            except SessionError as error:
                raise from_session(error) from error

    @asynccontextmanager
    async def _session(self, *, check: bool = False) -> AsyncIterator[Connection]:
        """One of the pool, for a moment. Raises `SmtpError`."""
        try:
            connection = await self._lender.lend(check=check)
        except (SessionError, NoSession, RateExceeded) as trouble:
            raise from_trouble(trouble, self._endpoint.host) from trouble
        try:
            yield connection
        finally:
            self._lender.give_back(connection)

    def pool_status(self) -> PoolStatus:
        """How many connections there are, and how many sends wait for one."""
        lender = self._lender
        return PoolStatus(lender.idle, lender.in_use, lender.pending, lender.most)

    async def shutdown(self, grace: float | None = None) -> None:
        """Take no more mail, let what is under way finish, say QUIT. More than once does no harm.

        `grace` is how many seconds a send may take to finish; then its connection is dropped. Sends that wait, for a
        connection, for the rate limit or for another attempt, are over at once with their error.
        """
        self._closing.set()
        await self._lender.close(grace)

    async def _sleep(self, seconds: float) -> bool:
        """Wait; False if the client is shut down meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return True
        return False


def _login(credentials: Credentials | None) -> Login | None:
    if credentials is None or isinstance(credentials, Login):
        return credentials
    username, secret = credentials
    return Login(username, secret if callable(secret) else _kept(secret))


def _kept(secret: str) -> Callable[[], str]:
    return lambda: secret
