"""An SMTP server for development and tests: it keeps what it gets, and misbehaves on order.

``mailer sink`` is its face on the command line; tests use it from Python::

    async with Sink(Moods(greylist=0.2, refuse={"nobody@example.net": "550 5.1.1 no such user"})) as sink:
        ...  # deliver to 127.0.0.1, sink.port
        assert sink.messages[0].recipients == ("ann@example.net",)

    with SinkThread() as sink:  # the same in a thread of its own, for code without an event loop
        sink.received(1)

What it can do: take mail as any server does (`mailer.smtp.server`, with STARTTLS, AUTH and pipelining);
answer any code at any phase, late or never; drop the connection; hide and offer extensions; greylist.

=============  ===================================================================================
`server`       `Sink`, the whole, on the accept loop of `mailer.net.server`; `SinkThread`
`session`      one connection
`faults`       `Moods` says what goes wrong, `Temper` decides when
`certificate`  a certificate of its own making, or of files
`page`         what came, on a page of this machine (extra ``web``): `SinkPage` serves `web`
`web`          what is asked and answered there
`box`          the messages of the Maildir, as it shows them
`reading`      one message, as it shows it
=============  ===================================================================================

What comes in goes to a list in memory, a Maildir, or nowhere but into a count. Nothing is sent on, ever.
"""

from __future__ import annotations

from .faults import Moods
from .server import Received, Sink, SinkThread

__all__ = ["Moods", "Received", "Sink", "SinkThread"]
