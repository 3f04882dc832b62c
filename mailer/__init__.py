"""mailer: takes mail, delivers it, and says what became of it.

The package has floors: a room imports from lower floors and from itself only. ``tests/test_floors.py`` holds that, and
`mailer-hacking(7)` draws the picture.

A message enters by `submit` only, lies in the `spool` until every recipient has a final outcome, leaves
by a courier of `transport`, and everybody who wants to know is told by `events`.

For programs there are two ways, and the names of both are here. `queue` puts a message into the spool, and `outcome` says what became of
it; `SmtpClient` sends now, without a spool::

    from mailer import Email, SmtpClient, outcome, queue

Where neither name nor text says another unit, times are seconds since the epoch, durations and waits are seconds, and sizes are bytes.

`mailer.testing` has a server for tests. Importing `mailer` alone imports none of it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.client.email import Email as Email
    from mailer.client.errors import BatchResult as BatchResult
    from mailer.client.errors import ConnectionInfo as ConnectionInfo
    from mailer.client.errors import ErrorKind as ErrorKind
    from mailer.client.errors import PoolStatus as PoolStatus
    from mailer.client.errors import Rejected as Rejected
    from mailer.client.errors import SendResult as SendResult
    from mailer.client.errors import SmtpAuthenticationError as SmtpAuthenticationError
    from mailer.client.errors import SmtpCancelledError as SmtpCancelledError
    from mailer.client.errors import SmtpCircuitOpenError as SmtpCircuitOpenError
    from mailer.client.errors import SmtpConnectionError as SmtpConnectionError
    from mailer.client.errors import SmtpError as SmtpError
    from mailer.client.errors import SmtpMessageError as SmtpMessageError
    from mailer.client.errors import SmtpPoolError as SmtpPoolError
    from mailer.client.errors import SmtpProtocolError as SmtpProtocolError
    from mailer.client.errors import SmtpRateLimitError as SmtpRateLimitError
    from mailer.client.errors import SmtpTimeoutError as SmtpTimeoutError
    from mailer.client.errors import SmtpTlsError as SmtpTlsError
    from mailer.client.hooks import Interceptor as Interceptor
    from mailer.client.prepare import Mail as Mail
    from mailer.client.settings import BreakerSettings as BreakerSettings
    from mailer.client.settings import PoolSettings as PoolSettings
    from mailer.client.settings import RateLimitSettings as RateLimitSettings
    from mailer.client.settings import RetrySettings as RetrySettings
    from mailer.client.smtp import SmtpClient as SmtpClient
    from mailer.client.sync import SyncSmtpClient as SyncSmtpClient
    from mailer.compose import Attachment as Attachment
    from mailer.compose import EmailError as EmailError
    from mailer.compose import Link as Link
    from mailer.mail.delivery_options import Request as Request
    from mailer.mail.delivery_options import Wanted as Wanted
    from mailer.mail.problem import Problem as Problem
    from mailer.net.dialer import Dialer as Dialer
    from mailer.net.dialer import UnixSocket as UnixSocket
    from mailer.net.oauth import OAuth as OAuth
    from mailer.net.proxy import Proxy as Proxy
    from mailer.postbox import QueuedMessage as QueuedMessage
    from mailer.postbox import outcome as outcome
    from mailer.postbox import outcome_async as outcome_async
    from mailer.postbox import queue as queue
    from mailer.postbox import queue_async as queue_async
    from mailer.sasl.mechanism import Channel as Channel
    from mailer.sasl.mechanism import Mechanism as Mechanism
    from mailer.status.record import RecipientRecord as RecipientRecord
    from mailer.status.record import Record as Record
    from mailer.tlspolicy import Requirement as Requirement
    from mailer.transport.route import Login as Login
    from mailer.transport.route import Timeouts as Timeouts

__version__ = "0.1.0"

_HOMES = {
    "client.email": "Email",
    "client.errors": "BatchResult ConnectionInfo ErrorKind PoolStatus Rejected SendResult"
    " SmtpAuthenticationError SmtpCancelledError SmtpCircuitOpenError SmtpConnectionError SmtpError"
    " SmtpMessageError SmtpPoolError SmtpProtocolError SmtpRateLimitError SmtpTimeoutError SmtpTlsError",
    "client.hooks": "Interceptor",
    "client.prepare": "Mail",
    "client.settings": "BreakerSettings PoolSettings RateLimitSettings RetrySettings",
    "client.smtp": "SmtpClient",
    "client.sync": "SyncSmtpClient",
    "compose": "Attachment EmailError Link",
    "mail.delivery_options": "Request Wanted",
    "mail.problem": "Problem",
    "postbox": "QueuedMessage outcome outcome_async queue queue_async",
    "status.record": "RecipientRecord Record",
    "transport.route": "Login Timeouts",
    "net.dialer": "Dialer UnixSocket",
    "net.oauth": "OAuth",
    "net.proxy": "Proxy",
    "sasl.mechanism": "Channel Mechanism",
    "tlspolicy": "Requirement",
}
"""Module → the public names that live there; each is imported when somebody asks for one of them."""


def __getattr__(name: str) -> object:
    """A public name, imported now; PEP 562."""
    for home, names in _HOMES.items():
        if name in names.split():
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All there is, imported or not."""
    return sorted({*globals(), *" ".join(_HOMES.values()).split()})
