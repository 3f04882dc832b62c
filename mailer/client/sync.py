"""`SyncSmtpClient`: the client for code without an event loop. The asynchronous one runs in a thread of its own.

Its methods may be called from any number of threads at once, of the process that made it: a thread does not survive
fork(2), so a server that forks makes one client in each worker. A call that is interrupted (Ctrl-C) cancels its send.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mailer.mail.delivery_options import NOTHING

from .settings import TIMEOUTS
from .smtp import SmtpClient

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from mailer.mail.delivery_options import Request
    from mailer.net.dialer import Dialer
    from mailer.smtp.command import Command
    from mailer.smtp.reply import Reply
    from mailer.tlspolicy import Requirement
    from mailer.transport.route import Timeouts

    from .errors import BatchResult, ConnectionInfo, PoolStatus, SendResult
    from .hooks import Interceptor
    from .prepare import Mail
    from .settings import BreakerSettings, PoolSettings, RateLimitSettings, RetrySettings
    from .smtp import Credentials

T = TypeVar("T")


class SyncSmtpClient:
    """Takes what `SmtpClient` takes, and its methods raise and return what that one's do. Use it with ``with``."""

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
        """See `SmtpClient`. Nothing is connected yet."""
        self._client = SmtpClient(
            host,
            port,
            tls=tls,
            credentials=credentials,
            hello=hello,
            source=source,
            source6=source6,
            family=family,
            protocol=protocol,
            timeouts=timeouts,
            pool=pool,
            retry=retry,
            breaker=breaker,
            rate_limit=rate_limit,
            interceptors=interceptors,
            dialer=dialer,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailer-client", daemon=True)
        self._lock = threading.Lock()
        self._over = False
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return repr(self._client).replace("SmtpClient", "SyncSmtpClient", 1)

    def send(
        self,
        mail: Mail,
        *,
        sender: str | None = None,
        recipients: Sequence[str] | str | None = None,
        request: Request = NOTHING,
    ) -> SendResult:
        """Send one message; see `SmtpClient.send`."""
        return self._wait(self._client.send(mail, sender=sender, recipients=recipients, request=request))

    def send_batch(self, mails: Iterable[Mail]) -> BatchResult:
        """Send many messages; see `SmtpClient.send_batch`. They are taken from `mails` in the other thread."""
        return self._wait(self._client.send_batch(mails))

    def test_connection(self) -> ConnectionInfo:
        """Get as far as mail could be sent; see `SmtpClient.test_connection`."""
        return self._wait(self._client.test_connection())

    def ask(self, command: Command) -> Reply:
        """Say VRFY, EXPN, HELP, NOOP or RSET; see `SmtpClient.ask`."""
        return self._wait(self._client.ask(command))

    def pool_status(self) -> PoolStatus:
        """How many connections there are, and how many sends wait for one."""
        return self._client.pool_status()

    def shutdown(self, grace: float | None = None) -> None:
        """See `SmtpClient.shutdown`; the thread ends."""
        with self._lock:
            if self._over:
                return
            self._over = True
        try:
            self._wait(self._client.shutdown(grace))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _wait(self, what: Coroutine[Any, Any, T]) -> T:
        try:
            future = asyncio.run_coroutine_threadsafe(what, self._loop)
        except RuntimeError:
            what.close()
            raise RuntimeError("the client was shut down") from None
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
