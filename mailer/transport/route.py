"""Where mail goes: a route, the hosts on it, what makes two sessions with one interchangeable, and how long we wait there.

`mailer.routing` finds routes, the queue keeps mail apart by them, and what carries the mail is chosen by the name of their `transport`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.outcome import Cause
from mailer.tlspolicy import Requirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Phase, Verdict
    from mailer.net.dialer import Dialer
    from mailer.sasl.mechanism import Mechanism


@dataclass(frozen=True, slots=True)
class Login:
    """A login at a relay. Equal are two of the same name whose secret comes from the same source.

    `secret` may take its time (a command, a file) and may raise `Problem`. `allow_plain` permits to send
    it where no certificate was verified. `mechanism` is the name of one in capitals; empty, the strongest that takes a
    password; ``OAUTH``, the strongest that takes a token. ``EXTERNAL``, our certificate. A class is one of your own, a
    `mailer.sasl.mechanism.Mechanism`. `authorization` is whom to act as.
    `refused` is told when the secret was not accepted.
    """

    username: str
    secret: Callable[[], str] = field(repr=False)
    allow_plain: bool = False
    mechanism: str | type[Mechanism] = ""
    authorization: str = ""
    refused: Callable[[], object] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and all that must be equal for a session with it to be shared."""

    host: str  # the name that was looked up, and that its certificate must bear
    port: int
    requirement: Requirement
    login: Login | None = None
    source: str = ""  # the address of ours to call from, for hosts of its family; empty: the system chooses
    hello: str = "localhost"  # our name in EHLO
    protocol: str = "smtp"  # or "lmtp", RFC 2033
    source6: str = ""  # the one of the other family, where there are two
    chunking: bool = True  # BDAT where it is offered and saves a round trip, RFC 3030
    messages: int = 0  # after how many a session is replaced; 0: no limit of ours
    dialer: Dialer | None = None  # who makes the connection, a proxy for one; its name stands in place of the address


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until an answer must be complete. Those of RFC 5321 §4.5.3.2 are least values, and ours by default."""

    connect: float = 30.0  # TCP; and the TLS handshake
    greeting: float = 300.0  # §4.5.3.2.1
    ehlo: float = 300.0  # EHLO, STARTTLS, each step of AUTH
    mail: float = 300.0  # §4.5.3.2.2
    rcpt: float = 300.0  # §4.5.3.2.3
    data: float = 120.0  # §4.5.3.2.4
    block: float = 180.0  # §4.5.3.2.5: until the host takes more of the message
    body: float = 600.0  # §4.5.3.2.6: the answer to the dot; too short a wait means mail that comes twice
    quit: float = 5.0  # nobody's mail depends on it


class NextHop(NamedTuple):
    """One host to try: the `endpoint` that a session needs and the `addresses` that it may dial, in order; whether it is a `relay`."""

    endpoint: Endpoint
    addresses: Sequence[str]
    relay: bool


@dataclass(frozen=True, slots=True)
class Route:
    """How mail travels: the `hops` in order; `key` names the destination that shares limits, `relay` whether it is one.

    `author` is the only one that the relay takes, if it does. `transport` is the name of what carries the mail: ``smtp``, ``lmtp``, or
    ``trap``, which keeps it in `place`, a directory, if there is one, or ``maildir``, for which `place` says where mailboxes are, or
    ``local``, our own mailboxes. `instead` is who gets it in place of all its recipients, and `verp` whether the
    sender may be one with a token (`mailer.transport.return_path`).
    `resolved` is when (time.monotonic) it was looked up, and how many seconds that took.
    """

    key: str
    hops: tuple[NextHop, ...]
    relay: bool
    author: str = ""
    transport: str = "smtp"
    instead: str = ""
    place: str = ""
    verp: bool = True
    resolved: tuple[float, float] | None = field(default=None, compare=False)


class Unroutable(Exception):
    """No way leads there, for now or for good, because of `cause`: a reply that we write ourselves, with a code of RFC 3463."""

    def __init__(self, code: int, enhanced: str, text: str, verdict: Verdict, cause: Cause, phase: Phase = "dns") -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.verdict = verdict
        self.cause = cause
        self.phase = phase

    @property
    def offline(self) -> bool:
        """Whether it is because this machine has no network, and so was no attempt."""
        return self.cause is Cause.OFFLINE
