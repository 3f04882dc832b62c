"""What the server can do, when it says so, and which commands exist because of it: one table, which tells and which is obeyed.

A command whose capability is not told at that moment does not exist (RFC 9051 §6.1.1): whoever hides a word from clients has switched it
off. Words of extensions stand here once they are whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mailer.sasl.exchange import NOTHING, Known

When = Literal["always", "after"]

TOLD: Final[Mapping[str, When]] = {
    "IMAP4rev1": "always",  # RFC 3501
    "IMAP4rev2": "always",  # RFC 9051
    "LITERAL-": "always",  # RFC 7888
    "SASL-IR": "always",  # RFC 4959
    "ID": "always",  # RFC 2971
    "ENABLE": "always",  # RFC 5161
    "IDLE": "always",  # RFC 2177
    "NAMESPACE": "after",  # RFC 2342
    "UIDPLUS": "after",  # RFC 4315
    "UNSELECT": "after",  # RFC 3691
    "MOVE": "after",  # RFC 6851
    "MULTIAPPEND": "after",  # RFC 3502
    "BINARY": "after",  # RFC 3516
    "UTF8=ACCEPT": "after",  # RFC 6855, but for a refusal of §4 (`appending`)
    "CONDSTORE": "after",  # RFC 7162
    "QRESYNC": "after",  # RFC 7162
    "REPLACE": "after",  # RFC 8508
    "ESEARCH": "after",  # RFC 4731
    "SEARCHRES": "after",  # RFC 5182
    "WITHIN": "after",  # RFC 5032
    "SORT": "after",  # RFC 5256
    "SORT=DISPLAY": "after",  # RFC 5957
    "ESORT": "after",  # RFC 5267
    "THREAD=ORDEREDSUBJECT": "after",  # RFC 5256
    "THREAD=REFERENCES": "after",  # RFC 5256
    "SAVEDATE": "after",  # RFC 8514
    "PREVIEW": "after",  # RFC 8970
    "OBJECTID": "after",  # RFC 8474
    "CHILDREN": "after",  # RFC 3348
    "SPECIAL-USE": "after",  # RFC 6154
    "CREATE-SPECIAL-USE": "after",  # RFC 6154
    "LIST-EXTENDED": "after",  # RFC 5258
    "LIST-STATUS": "after",  # RFC 5819
    "LIST-METADATA": "after",  # RFC 9590
    "STATUS=SIZE": "after",  # RFC 8438
    "QUOTA": "after",  # RFC 2087, RFC 9208
    "QUOTA=RES-STORAGE": "after",  # RFC 9208
    "QUOTA=RES-MESSAGE": "after",  # RFC 9208
    "METADATA": "after",  # RFC 5464
    "NOTIFY": "after",  # RFC 5465
}
"""Capability → when it is told: to whoever is connected, or after login. Those of the connection itself (STARTTLS, LOGINDISABLED, AUTH=)
and APPENDLIMIT, which has a value, `ImapSettings.told` adds."""

NEEDED: Final[Mapping[str, str]] = {
    "STARTTLS": "STARTTLS",
    "ENABLE": "ENABLE",
    "ID": "ID",
    "IDLE": "IDLE",
    "NAMESPACE": "NAMESPACE",
    "UNSELECT": "UNSELECT",
    "UID EXPUNGE": "UIDPLUS",
    "MOVE": "MOVE",
    "REPLACE": "REPLACE",
    "SORT": "SORT",
    "THREAD": "THREAD=REFERENCES",
    "GETQUOTA": "QUOTA",
    "GETQUOTAROOT": "QUOTA",
    "SETQUOTA": "QUOTA",
    "GETMETADATA": "METADATA",
    "SETMETADATA": "METADATA",
    "NOTIFY": "NOTIFY",
}
"""Command → the capability that it exists by; those that are not here are of IMAP4rev1."""

ENABLED: Final = {word.upper(): word for word in ("CONDSTORE", "QRESYNC", "UTF8=ACCEPT", "IMAP4rev2")}
"""What ENABLE can enable, and how it is written (RFC 5161 §3.1)."""


@dataclass(frozen=True, slots=True)
class ImapSettings:
    """Settings of an IMAP server, the same for all its sessions. Sizes are octets."""

    name: str = "localhost"
    max_size: int = 50 * 2**20  # of a message that is appended
    starttls: bool = False  # the driver can make a handshake
    mechanisms: tuple[str, ...] = ("PLAIN",)  # of AUTHENTICATE, by preference
    known: Known = NOTHING  # what those of them need in which no password travels
    clear_auth: bool = False  # passwords may come without TLS
    max_mistakes: int = 20  # in a row, then BYE
    max_idle: int = 50  # commands of somebody who does not log in, then BYE
    max_guesses: int = 3  # wrong passwords, then BYE
    hide: frozenset[str] = frozenset()  # capabilities that are not told, in capitals
    identity: Mapping[str, str] = field(default_factory=dict)  # what ID says of us, RFC 2971 §3.3
    _words: dict[tuple[bool, bool], tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def told(self, *, tls: bool, user: bool) -> tuple[str, ...]:
        """The capabilities of a client that has TLS, or has logged in, as they are told; the same object each time."""
        if (tls, user) not in self._words:
            found = (*self._always(user), *(() if user else self._connection(tls)))
            self._words[tls, user] = tuple(word for word in found if word.upper() not in self.hide)
        return self._words[tls, user]

    def _always(self, user: bool) -> list[str]:
        found = [word for word, when in TOLD.items() if user or when == "always"]
        return [*found, f"APPENDLIMIT={self.max_size}"] if user else found  # RFC 7889 §3

    def _connection(self, tls: bool) -> list[str]:
        found = ["STARTTLS"] if self.starttls and not tls else []
        if not tls and not self.clear_auth:
            found.append("LOGINDISABLED")  # RFC 9051 §6.2.3
        return [*found, *(f"AUTH={mechanism}" for mechanism in self.usable(tls))]

    def usable(self, tls: bool) -> tuple[str, ...]:
        """The `mechanisms` that a client can use now; one that binds to a certificate wants TLS, and that we know which."""
        if not tls and not self.clear_auth:
            return ()
        bound = tls and self.known.binding
        return tuple(name for name in self.mechanisms if bound or not name.endswith("-PLUS"))
