"""An SMTP server for development and tests: it keeps what it gets, and misbehaves on order.

``mailer sink`` is its face on the command line; tests use it from Python::

    async with Sink(Moods(greylist=0.2, refuse={"nobody@example.net": "550 5.1.1 no such user"})) as sink:
        ...  # deliver to 127.0.0.1, sink.port
        assert sink.messages[0].recipients == ("ann@example.net",)

    with SinkThread() as sink:  # the same in a thread of its own, for code without an event loop
        sink.received(1)

What it can do: take mail as any server does (`mailer.smtp.server`, with STARTTLS, AUTH and pipelining);
answer any code at any phase, late or never; drop the connection; hide and offer extensions; greylist.
`Moods` says what, `Temper` decides, `SinkSession` carries it out on one connection, `Sink` is the whole. Connections come from the
accept loop of `mailer.net.server`.

What comes in goes to a list in memory, a Maildir, or nowhere but into a count. Nothing is sent on, ever.
"""

from __future__ import annotations

from .faults import Moods
from .maildir import Received
from .server import Sink
from .thread import SinkThread

__all__ = ["Moods", "Received", "Sink", "SinkThread"]
