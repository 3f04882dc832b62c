"""What kind of server a `PopServer` is, and who may say what to it, and when: RFC 1939 §3 as tables, which `PopServer` walks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from mailer.sasl.exchange import NOTHING

if TYPE_CHECKING:
    from mailer.sasl.exchange import Known


class PopState(Enum):
    """The states of a session, as the server sees it."""

    CONNECTED = "the greeting is not decided yet"
    AUTHORIZATION = "nobody is logged in"
    EXCHANGE = "within AUTH"
    HANDSHAKE = "waiting for `secured`"
    TRANSACTION = "a user has his messages before him"
    SENDING = "one of them is on its way"
    CLOSED = "over; the driver closes"


WHEN: Final[dict[PopState, frozenset[str]]] = {
    PopState.AUTHORIZATION: frozenset({"CAPA", "STLS", "USER", "PASS", "AUTH", "QUIT"}),
    PopState.TRANSACTION: frozenset({"CAPA", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET", "QUIT"}),
}
"""Which command in which state; what is asked for in the wrong one is refused with `WHY`."""

WHY: Final = {
    PopState.AUTHORIZATION: "log in first",
    PopState.TRANSACTION: "you are logged in already",
}
"""What that refusal says, so that a person at the other end knows how to go on."""

VERBS: Final = frozenset().union(*WHEN.values())

NEEDS: Final = {"TOP": "TOP", "UIDL": "UIDL", "USER": "USER", "PASS": "USER", "AUTH": "SASL", "STLS": "STLS"}
"""The capability that a command is of: one that CAPA does not tell is not obeyed either. The others are in every server, RFC 1939 §3."""


@dataclass(frozen=True, slots=True)
class PopSettings:
    """Settings of a server of POP3, the same for all its sessions. Zero means no limit."""

    name: str = "localhost"
    implementation: str = ""  # what is told of the program, to who is logged in, RFC 2449 §6.9
    starttls: bool = False  # the driver can make a handshake
    mechanisms: tuple[str, ...] = ()  # of AUTH, by preference
    known: Known = NOTHING  # what those of them need in which no password travels
    clear: bool = False  # logins without TLS too
    max_mistakes: int = 20  # then the session is over: whoever makes so many understands nothing of what we say
    max_guesses: int = 3  # wrong passwords
    max_before: int = 60  # commands of one who is not logged in

    def told(self, *, tls: bool, user: bool) -> dict[str, str]:
        """Capability → its arguments: what CAPA tells to a client with TLS, or who is logged in, and what is obeyed. RFC 2449 §6

        STLS is not told where TLS is spoken already (RFC 2595 §4), nor a way to log in where the password could be read.
        """
        words = {"TOP": "", "UIDL": "", "RESP-CODES": "", "AUTH-RESP-CODE": "", "PIPELINING": "", "EXPIRE": "NEVER"}
        if self.starttls and not tls and not user:
            words["STLS"] = ""
        if mechanisms := self.usable(tls=tls):
            words |= {"USER": "", "SASL": " ".join(mechanisms)}
        elif self.clear or tls:
            words["USER"] = ""
        if user and self.implementation:
            words["IMPLEMENTATION"] = self.implementation
        return words

    def usable(self, *, tls: bool) -> tuple[str, ...]:
        """The `mechanisms` that a client can use now; one that binds to a certificate wants TLS, and that we know which."""
        if not tls and not self.clear:
            return ()
        bound = tls and self.known.binding
        return tuple(name for name in self.mechanisms if bound or not name.endswith("-PLUS"))
