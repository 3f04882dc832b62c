"""The SMTP client for programs: send now, without a spool, and know what became of it.

::

    async with SmtpClient("smtp.example.com", credentials=("me", password)) as client:
        result = await client.send(Email(from_="me@example.com", to="you@example.org", subject="Hi", text="It works."))

What a send goes through, in this order ([002] §7.2):

    interceptors ─► rate limit ─► circuit breaker ─► attempts with backoff ─► a session of the pool ─► `mailer.transport`

It returns a `SendResult` when the server has taken the message for at least one recipient, who is then not asked about
again; it raises an `SmtpError` when it has taken it for none. A message may arrive twice if the connection is lost
between its last octet and the answer, and is tried again: every sender of mail has that window (RFC 5321 §6.1), and
the Message-ID is the same both times. Whoever needs more than that, mail that survives the end of the program, puts it
into the spool with `mailer.submit`.

The room is a façade: sessions, the exchange of one message and the limits are those of `mailer.transport` and `mailer.limits`, which
know nothing of [002]; its settings, results, kinds of failure and order of things are here.

=============  ====================================================================
`smtp`         `SmtpClient`: one message or a batch, on the way above
`sync`         `SyncSmtpClient`, the same for code without an event loop
`prepare`      what is handed in, as a message that is ready, with its envelope
`email`        `Email`, which can attach files
`settings`     of the pool, the retries, the breaker and the limits
`hooks`        interceptors
`batch`        many messages, some at a time
`errors`       what comes back: results, and the kinds of failure as one tree
`translate`    what `mailer.transport` reports, as errors by [002] §6.3
`probe`        a look at a server and its certificate
=============  ====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .smtp import SmtpClient
    from .sync import SyncSmtpClient

__all__ = ["SmtpClient", "SyncSmtpClient"]


def __getattr__(name: str) -> object:
    """The two clients, imported when one is asked for: an `Email` alone needs no network."""
    if name == "SmtpClient":
        from .smtp import SmtpClient

        return SmtpClient
    if name == "SyncSmtpClient":
        from .sync import SyncSmtpClient

        return SyncSmtpClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
