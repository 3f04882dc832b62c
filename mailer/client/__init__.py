"""The SMTP client for programs: send now, without a spool, and know what became of it.

::

    async with SmtpClient("smtp.example.com", credentials=("me", password)) as client:
        result = await client.send(Email(from_="me@example.com", to="you@example.org", subject="Hi", text="It works."))

What a send goes through, in this order ([002] §7.2):

    interceptors ─► rate limit ─► circuit breaker ─► attempts with backoff ─► a session of the pool ─► `mailer.net`

It returns a `SendResult` when the server has taken the message for at least one recipient, who is then not asked about
again; it raises an `SmtpError` when it has taken it for none. A message may arrive twice if the connection is lost
between its last octet and the answer, and is tried again: every sender of mail has that window (RFC 5321 §6.1), and
the Message-ID is the same both times. Whoever needs more than that, mail that survives the end of the program, puts it
into the spool with `mailer.submit`.

``smtp``       `SmtpClient`                          ``sync``        `SyncSmtpClient`, the same for code without an event loop
``settings``   of the pool, retries and limits       ``results``     what comes back
``errors``     the kinds of failure, one tree        ``codes``       replies as kinds, the table of [002] §6.3
``letter``     what is handed in as an envelope      ``email``       `Email` that can attach files
``batch``      many messages, some at a time         ``hooks``       interceptors
``carrier``    one message: breaker, attempts        ``errand``      who has it, who was refused, who waits
``breaker``    whether a server is worth calling     ``backoff``     what is tried again, and when
``limits``     how many in a window                  ``bucket``      … and how that is counted
``lender``     sessions: how many, who waits         ``lane``        the session that one sender keeps
``names``      the addresses of the server           ``translate``   what `net` reports as errors
``probe``      a look at a server                    ``certificate`` what its certificate says
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
