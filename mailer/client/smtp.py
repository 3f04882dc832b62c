"""`SmtpClient`: send now, and know what became of it. `mailer.client` tells the way that a message takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from mailer.config.kinds import check_numbers, check_port, refuse_port
from mailer.config.sections.relay import PORTS
from mailer.config.values import own_hostname
from mailer.mail.delivery_options import NOTHING, Request
from mailer.net.happy_eyeballs import FAMILIES
from mailer.smtp.command import ehlo
from mailer.tlspolicy.requirement import Requirement
from mailer.transport.connection import Endpoint, Login, SessionError
from mailer.transport.pool import Pool

from .batch import Batch
from .breaker import Breaker
from .carrier import Carrier
from .errors import SmtpError
from .hooks import Hooks
from .lane import Lane
from .lender import Lender
from .letter import letter
from .limits import Limits
from .names import Names
from .results import BatchResult, ConnectionInfo, PoolStatus, SendResult
from .settings import TIMEOUTS, BreakerSettings, PoolSettings, RetrySettings
from .translate import from_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.smtp.command import Command
    from mailer.smtp.reply import Reply
    from mailer.transport.connection import Connection, Timeouts

    from .hooks import Interceptor
    from .letter import Letter, Mail
    from .settings import RateLimitSettings

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
    ) -> None:
        """Nothing is connected yet.

        `port` 0 is the one that goes with `tls`: 587, 465 (``implicit``) or 25 (``none``). `tls` is ``starttls`` (the
        default; no mail without it), ``implicit``, ``opportunistic`` or ``none``, or a `Requirement` with more to say: an own
        CA, another name, a pin. In the first two the certificate has to be good. `credentials` are a user name with a
        password or with a function that fetches it, or a `Login` with more to say: a token, one mechanism. `hello` is our
        name in EHLO, this machine's by default; `source` and `source6` are the addresses of ours to call from, and `family` says
        which of the server's to call: ``any``, ``prefer4``, ``prefer6``, ``only4`` or ``only6``. `protocol` is ``smtp``, or ``lmtp``
        (RFC 2033). `timeouts` are in seconds for each step. Raises `ValueError` for what cannot be meant.
        """
        check_port(port)
        check_numbers(timeouts)
        if protocol not in ("smtp", "lmtp") or family not in FAMILIES:
            raise ValueError(f"protocol {protocol!r} or family {family!r} is none")
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
        self._endpoint = Endpoint(host, port, requirement, _login(credentials), source, self._hello, protocol, source6)
        self._hooks = Hooks(interceptors)
        self._limits = Limits(rate_limit, host, self._sleep)
        settings = pool or PoolSettings()
        self._connections = settings.max_connections
        sessions = Pool(timeouts, idle=settings.idle_timeout, lifetime=settings.max_lifetime)
        self._lender = Lender(sessions, self._endpoint, Names(host, port, family), settings, self._limits.connection)
        self._carrier = Carrier(Breaker(breaker or BreakerSettings()), retry or RetrySettings(), host, self._sleep)
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
        return await self._send(mail, Lane(self._lender), None, sender, recipients, request)

    async def send_batch(self, mails: Iterable[Mail]) -> BatchResult:
        """Send many messages, as many at a time as there may be connections. One that fails stops no other.

        The result has an entry for each message in its place: the `SendResult`, or the `SmtpError`. What `send` would raise
        besides, for something that is no message, is such an error too, of kind `MESSAGE`.
        """
        began = asyncio.get_running_loop().time()
        batch = Batch(mails, self._lender, self._send, self._ready)
        await batch.run(self._connections)
        results = tuple(batch.results[number] for number in sorted(batch.results))
        return BatchResult(results, asyncio.get_running_loop().time() - began)

    async def _send(
        self,
        mail: Mail,
        lane: Lane,
        ready: Letter | None,
        sender: str | None = None,
        recipients: Sequence[str] | str | None = None,
        request: Request = NOTHING,
    ) -> SendResult:
        """Everything from the interceptors on; what is `ready` has passed them and the limits."""
        original, began = mail, asyncio.get_running_loop().time()
        try:
            if ready is None:
                mail = await self._hooks.before(mail)
                ready = letter(mail, sender, recipients, self._hello, request)
                await self._limits.message()
            errand = await self._carrier.carry(ready, lane)
        except SmtpError as error:
            await self._hooks.failed(original, error)
            raise
        result = errand.result(asyncio.get_running_loop().time() - began)
        await self._hooks.after(mail, result)
        return result

    def _ready(self, mail: Mail) -> Letter | None:
        """The letter that `mail` makes, if nobody has to be asked and nothing to be waited for before it goes."""
        if self._hooks:
            return None
        made = letter(mail, None, None, self._hello)
        return made if self._limits.now() else None

    async def test_connection(self) -> ConnectionInfo:
        """Get as far as mail could be sent, and send none; the session stays in the pool. Raises `SmtpError`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        connection = await self._lender.lend(check=True)
        try:
            return self._info(connection, loop.time() - began)
        finally:
            self._lender.give_back(connection)

    async def ask(self, command: Command) -> Reply:
        """Say VRFY, EXPN, HELP, NOOP or RSET (`mailer.smtp.command` makes them); the reply, whatever it is. Raises `SmtpError`.

        Many servers answer VRFY with 252: they take mail for the address and see then (RFC 5321 §3.5.3).
        """
        connection = await self._lender.lend()
        try:
            return await connection.ask(command)
        except SessionError as error:
            raise from_session(error) from error
        finally:
            self._lender.give_back(connection)

    def _info(self, connection: Connection, seconds: float) -> ConnectionInfo:
        login = self._endpoint.login
        hop = connection.hop
        who = login.username if login else ""
        return ConnectionInfo(hop.host, hop.port, hop.ip, hop.tls, connection.greeting.text, connection.extensions, who, seconds)

    def pool_status(self) -> PoolStatus:
        """How many connections there are, and how many sends wait for one."""
        return self._lender.status()

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
