"""What kind of server a `Server` is, and who may say what to it, and when: RFC 5321 §4.1.4 as tables, which `Server` walks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mailer.sasl.exchange import NOTHING, Known

from .reply import Reply


class ServerState(Enum):
    """The states of a session, as the server sees it."""

    CONNECTED = "the greeting is not decided yet"
    UNWELCOME = "greeted with a refusal"
    STRANGER = "has to say EHLO"
    READY = "no transaction is open"
    SENDER = "a transaction without recipients"
    RECIPIENTS = "a transaction with at least one"
    CHUNKS = "part of a message has come, with BDAT"
    BODY = "the message is arriving"
    CHUNK = "a chunk of it is arriving"
    EXCHANGE = "within AUTH"
    HANDSHAKE = "waiting for `secured`"
    CLOSED = "over; the driver closes"


# RFC 5321 §4.1.4. BDAT is among them because its octets follow wherever it stands; `Server` refuses it behind them, RFC 3030 §2.
_ALWAYS = frozenset({"EHLO", "LHLO", "HELO", "BDAT", "RSET", "NOOP", "VRFY", "HELP", "QUIT"})

WHEN: dict[ServerState, frozenset[str]] = {
    ServerState.UNWELCOME: frozenset({"QUIT"}),  # RFC 5321 §3.1
    ServerState.STRANGER: _ALWAYS,
    ServerState.READY: _ALWAYS | {"MAIL", "STARTTLS", "AUTH"},
    ServerState.SENDER: _ALWAYS | {"RCPT"},
    ServerState.RECIPIENTS: _ALWAYS | {"RCPT", "DATA"},
    ServerState.CHUNKS: _ALWAYS,
}
"""Which command in which state. A missing cell is a 503."""

THEN: dict[tuple[str, int], ServerState] = {
    ("greeting", 2): ServerState.STRANGER,
    ("greeting", 4): ServerState.UNWELCOME,
    ("greeting", 5): ServerState.UNWELCOME,
    ("ehlo", 2): ServerState.READY,
    ("helo", 2): ServerState.READY,
    ("starttls", 2): ServerState.HANDSHAKE,
    ("mail", 2): ServerState.SENDER,
    ("rcpt", 2): ServerState.RECIPIENTS,
    ("data", 3): ServerState.BODY,
    ("quit", 2): ServerState.CLOSED,
}
"""(phase, first digit of the answer) → the state that follows. A missing cell leaves it as it is.

The transaction is over before a message is put as a question, so no answer to that changes the state.
"""

WHY = {
    ServerState.UNWELCOME: "no mail is taken from you",
    ServerState.STRANGER: "EHLO comes first",
    ServerState.READY: "MAIL comes first",
    ServerState.SENDER: "a transaction is open, so far without a recipient",
    ServerState.RECIPIENTS: "a transaction is open",
    ServerState.CHUNKS: "the message goes on with BDAT",
}
"""What a 503 adds, so that a person at the other end knows how to go on."""

USUAL: dict[str, Reply] = {
    "starttls": Reply.own(220, "2.0.0", "go ahead"),
    "auth": Reply.own(535, "5.7.8", "authentication failed"),  # a policy that forgets to answer lets nobody in
    "mail": Reply.own(250, "2.1.0", "sender ok"),
    "rcpt": Reply.own(250, "2.1.5", "recipient ok"),
    "data": Reply.own(354, "", "go ahead, end with <CRLF>.<CRLF>"),
    "body": Reply.own(250, "2.0.0", "message taken"),
    "rset": Reply.own(250, "2.0.0", "ok"),
    "noop": Reply.own(250, "2.0.0", "ok"),
    "vrfy": Reply.own(252, "2.5.0", "send some mail, and see"),  # RFC 5321 §3.5.3
    "help": Reply.own(214, "2.0.0", " ".join(sorted(frozenset().union(*WHEN.values())))),
    "quit": Reply.own(221, "2.0.0", "bye"),
}
"""Phase → what is said where nobody objects. The greeting and EHLO depend on the service."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of a receiving server, the same for all its sessions. Sizes are octets; zero means no limit."""

    name: str = "localhost"
    lmtp: bool = False  # LMTP is spoken: LHLO, and an answer for each recipient, RFC 2033
    max_size: int = 0
    max_recipients: int = 1000  # RFC 5321 §4.5.3.1.8 wants at least 100
    max_mistakes: int = 20  # then 421: whoever makes so many understands nothing of what we say
    max_idle: int = 200  # commands in a row that get no message further, then 421
    max_guesses: int = 3  # wrong passwords, then 421
    max_messages: int = 0  # transactions of a session, then 421
    limits: bool = False  # LIMITS is offered, and says `max_recipients` and `max_messages`, RFC 9422
    starttls: bool = False  # the driver can make a handshake
    mechanisms: tuple[str, ...] = ()  # of AUTH, by preference
    known: Known = NOTHING  # what those of them need in which no password travels
    clear_auth: bool = False  # AUTH is offered without TLS too
    require: frozenset[str] = frozenset()  # what MAIL needs first: "tls", "auth"
    verbatim: bool = False  # hand a message on as it came: for a service that puts right itself what has to be
    hide: frozenset[str] = frozenset()  # keywords of extensions that are not offered
    offer: tuple[str, ...] = ()  # "KEYWORD parameters": offered besides, or instead of ours with this keyword

    def offered(self, tls: bool, user: bool) -> dict[str, str]:
        """Keyword → parameters of what EHLO shows to a client that has TLS, or has authenticated.

        STARTTLS and AUTH are not offered where they would be refused (RFC 3207 §4.2, RFC 4954 §4), nor is REQUIRETLS without TLS
        (RFC 8689 §2).
        """
        lines = {"PIPELINING": "", "SIZE": str(self.max_size), "8BITMIME": "", "SMTPUTF8": "", "ENHANCEDSTATUSCODES": ""}
        if self.starttls and not tls:
            lines["STARTTLS"] = ""
        if not user and (mechanisms := self.usable(tls)):
            lines["AUTH"] = " ".join(mechanisms)
        if self.limits and (limits := self._limits()):
            lines["LIMITS"] = limits
        for line in self.offer:
            keyword, _, parameters = line.partition(" ")
            if tls or keyword.upper() != "REQUIRETLS":
                lines[keyword.upper()] = parameters
        return {keyword: parameters for keyword, parameters in lines.items() if keyword not in self.hide}

    def usable(self, tls: bool) -> tuple[str, ...]:
        """The `mechanisms` that a client can use now; one that binds to a certificate wants TLS, and that we know which."""
        if not tls and not self.clear_auth:
            return ()
        bound = tls and self.known.binding
        return tuple(name for name in self.mechanisms if bound or not name.endswith("-PLUS"))

    def _limits(self) -> str:
        """RFC 9422 §4"""
        most = {"MAILMAX": self.max_messages, "RCPTMAX": self.max_recipients}
        return " ".join(f"{name}={count}" for name, count in most.items() if count)
