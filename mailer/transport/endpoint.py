"""Where a session leads and on what terms: what makes two sessions interchangeable, and how long we wait in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mailer.tlspolicy.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Login:
    """A login at a relay. Equal are two of the same name whose secret comes from the same source.

    `secret` may take its time (a command, a file) and may raise `Problem`. `allow_plain` permits to send
    it where no certificate was verified. `mechanism` is the name of one in capitals; empty, the strongest that takes a
    password; ``OAUTH``, the strongest that takes a token. ``EXTERNAL``, our certificate. `authorization` is whom to act as.
    `refused` is told when the secret was not accepted.
    """

    username: str
    secret: Callable[[], str] = field(repr=False)
    allow_plain: bool = False
    mechanism: str = ""
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
