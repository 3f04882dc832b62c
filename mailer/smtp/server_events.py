"""What a receiving server asks before it answers: one value per decision of an SMTP session.

`Server` puts a question for each thing that is not decided by the grammar: may this client come in,
is this sender welcome, is there such a recipient, is the message kept. Whoever drives it (the sink with
its moods, later a real policy) answers with a `Reply`, or with nothing, which means the usual one.

`phase` is the word that `Outcome` uses for the same moment, seen from the other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from mailer.sasl.exchange import Credentials

from .reply import Reply


@dataclass(slots=True)
class Question:
    """A question of the machine that has to be decided now; the session stands still until it is answered."""

    phase: ClassVar[str] = ""


@dataclass(slots=True)
class Greeting(Question):
    """A connection that was opened. A refusal (554) leaves it QUIT and nothing else, RFC 5321 §3.1."""

    phase: ClassVar[str] = "greeting"


@dataclass(slots=True)
class Hello(Question):
    """EHLO, or LHLO: the client says that it is `name`. RFC 5321 §4.1.1.1"""

    phase: ClassVar[str] = "ehlo"
    name: str


@dataclass(slots=True)
class OldHello(Hello):
    """HELO: a client of RFC 821, or one that found EHLO refused; nothing is offered to it."""

    phase: ClassVar[str] = "helo"


@dataclass(slots=True)
class StartTls(Question):
    """STARTTLS; after a 220 the driver makes the handshake and tells `Server.secured`."""

    phase: ClassVar[str] = "starttls"


@dataclass(slots=True)
class Auth(Question):
    """Credentials, complete, which no repr shows. 235 lets the client in as their `username`."""

    phase: ClassVar[str] = "auth"
    credentials: Credentials = field(repr=False)


@dataclass(slots=True)
class MailFrom(Question):
    """MAIL FROM: a reverse-path (``""`` is the null one) and its parameters, checked and decoded."""

    phase: ClassVar[str] = "mail"
    sender: str
    parameters: Mapping[str, str]


@dataclass(slots=True)
class Rcpt(Question):
    """RCPT TO: one recipient and its parameters, checked and decoded. RFC 5321 §4.1.1.3"""

    phase: ClassVar[str] = "rcpt"
    address: str
    parameters: Mapping[str, str]


@dataclass(slots=True)
class Data(Question):
    """DATA; 354 asks for the message."""

    phase: ClassVar[str] = "data"


@dataclass(slots=True)
class Body(Question):
    """A whole message with its envelope. A 2xx takes responsibility for it, RFC 5321 §4.2.5.

    `content` has no dots that were put in for the way. It has CRLF line ends only, and no NUL, unless the service said that it wants the
    message as it came; then `normal` says whether that is so all the same.
    """

    phase: ClassVar[str] = "body"
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    parameters: Mapping[str, str]  # those of MAIL
    normal: bool = True


@dataclass(slots=True)
class Reset(Question):
    """RSET: the transaction is over without a message. RFC 5321 §4.1.1.5"""

    phase: ClassVar[str] = "rset"


@dataclass(slots=True)
class Noop(Question):
    """NOOP: nothing but an answer is wanted. RFC 5321 §4.1.1.9"""

    phase: ClassVar[str] = "noop"


@dataclass(slots=True)
class Verify(Question):
    """VRFY. The usual answer tells nothing, as RFC 5321 §7.3 allows."""

    phase: ClassVar[str] = "vrfy"
    text: str


@dataclass(slots=True)
class Help(Question):
    """HELP. RFC 5321 §4.1.1.8"""

    phase: ClassVar[str] = "help"


@dataclass(slots=True)
class Quit(Question):
    """QUIT: the session is to end. RFC 5321 §4.1.1.10"""

    phase: ClassVar[str] = "quit"


@dataclass(slots=True)
class Violation(Question):
    """The client broke a rule or a limit, and `reply` is what the machine would say; nothing else is to decide.

    `during` is the verb, or ``body`` where a message itself was at fault.
    """

    phase: ClassVar[str] = "mistake"
    during: str
    reply: Reply


PHASES: tuple[str, ...] = tuple(
    kind.phase for kind in (Greeting, Hello, OldHello, StartTls, Auth, MailFrom, Rcpt, Data, Body, Reset, Noop, Verify, Help, Quit)
)
"""Every phase, in the order in which a session meets them."""
