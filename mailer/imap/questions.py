"""What an IMAP server asks before it answers: one value for each decision of a session.

`ImapServer` puts a question for what the grammar does not decide. Whoever drives it answers with an `Answer`, or with None, which means the
usual one: it is told at each question.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.sasl.exchange import Credentials

    from .command import Command


@dataclass(slots=True)
class ImapQuestion:
    """A question of the machine that has to be decided now; the session stands still until it is answered. `tag` is of its command."""

    tag: str


@dataclass(slots=True)
class ImapGreeting(ImapQuestion):
    """A connection that was opened. Usually it is welcome; NO or BAD says BYE and closes it."""

    tag: str = ""


@dataclass(slots=True)
class ImapAuth(ImapQuestion):
    """Credentials, complete, of LOGIN or AUTHENTICATE. OK lets the client in as their username. Usually nobody is let in: NO."""

    credentials: Credentials = field(repr=False)


@dataclass(slots=True)
class ImapStartTls(ImapQuestion):
    """STARTTLS; after OK, the usual answer, the driver makes the handshake and tells `ImapServer.secured`."""


@dataclass(slots=True)
class ImapAnnounced(ImapQuestion):
    """A message of `size` octets is to be appended to `folder`, and the client waits to hear whether it may send it. Usually it may, as
    with OK; NO is the end of the command (RFC 9051 §6.3.12), such as one with TRYCREATE or OVERQUOTA. `replaces`: it takes the
    place of another (RFC 8508)."""

    folder: str
    size: int
    replaces: bool = False


@dataclass(slots=True)
class ImapDone(ImapQuestion):
    """The client has ended IDLE; OK, as usual, says so."""


@dataclass(slots=True)
class ImapAsked(ImapQuestion):
    """A command, understood, and legal in the state of the session. The answer ends it; usually it is OK.

    The answer to IDLE is its beginning: OK asks the client to go on, and the end is a question of its own, `ImapDone`. `Identify` is asked
    in any state, for whoever wants to know what the client says of itself; the machine answers for itself what it is.
    """

    command: Command
