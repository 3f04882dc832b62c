"""The section about users: where they are, how they log in, and how much each may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kinds import SECRET_PATH, choice, several
from . import COUNT, OPTIONAL_PATH, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

DATABASE, FILE, DOVECOT = "database", "file", "dovecot"
SCRAM = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
MECHANISMS = (*SCRAM, "PLAIN", "LOGIN")


class AccountSection(Section, header="[accounts]", member="accounts"):
    """The users whose mail lives here: where they are kept, how they log in, and how much each may send. See mailer-user(1)."""

    source = Setting(
        choice(DATABASE, FILE, DOVECOT),
        "Where users are: in the database that mailer user writes; in users_file, which others write; or with a Dovecot, whose sockets are "
        "asked.",
        DATABASE,
    )
    path = Setting(
        OPTIONAL_PATH, "The file of the database.", "", shown="accounts.sqlite3 in the spool", example="/srv/mailer/accounts.sqlite3"
    )
    users_file = Setting(
        SECRET_PATH,
        "A file of users, one a line as a passwd-file of Dovecot has them: ADDRESS:{SCHEME}HASH, and what follows behind a third colon is "
        "not read. Schemes are SCRYPT, ARGON2ID, PBKDF2, SSHA512, SSHA256, SHA512-CRYPT, SHA256-CRYPT and SCRAM-SHA-256. A change is seen "
        "within seconds; a file that cannot be read leaves the users as they were.",
        "",
        example="/etc/mailer/users",
    )
    dovecot_auth = Setting(
        OPTIONAL_PATH,
        "The socket where Dovecot checks passwords, as its service auth has it for Postfix.",
        "",
        example="/run/dovecot/auth-client",
    )
    dovecot_users = Setting(
        OPTIONAL_PATH,
        "The socket where Dovecot says which users there are. Without it only passwords are asked of it.",
        "",
        example="/run/dovecot/auth-userdb",
    )
    mechanisms = Setting(
        several(choice(*MECHANISMS, name="mechanism"), least=1),
        "How users may prove who they are, the first being offered first: SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, LOGIN. All of them are "
        "offered over TLS, and without it at doors of this machine alone. SCRAM is for users of the database, and for those of the file "
        "whose hash is of that scheme.",
        [*MECHANISMS],
    )
    messages_per_day = Setting(COUNT, "The most messages that one user may send in a day.", 1000)
    new_recipients_per_day = Setting(
        COUNT,
        "The most recipients that he may write to in a day and never has before: who has stolen a password gets no further with it.",
        200,
    )
    failures_per_minute = Setting(
        COUNT,
        "The most logins that may fail in a minute from one address (of IPv6, one /64); three times as many from its /24 or /48. Whoever "
        "has logged in from there within 30 days may go on as the user whom he was.",
        10,
    )
    failures_per_day = Setting(COUNT, "The same for a day.", 50)
    max_recipients = Setting(COUNT, "The most recipients of one message that a user hands in.", 200)

    def problems(self) -> Iterable[tuple[str, str]]:
        """A source of which the place is missing, or that cannot prove what is offered."""
        if self.source == FILE and not self.users_file:
            yield "source", 'write where the file is: users_file = "/etc/mailer/users"'
        if self.source == DOVECOT and not self.dovecot_auth:
            yield "source", 'write where Dovecot checks passwords: dovecot_auth = "/run/dovecot/auth-client"'
        if self.source == DOVECOT and set(self.mechanisms) <= {*SCRAM}:
            yield "mechanisms", "Dovecot checks passwords that come as PLAIN or LOGIN"

    @property
    def offered(self) -> tuple[str, ...]:
        """The mechanisms that can be offered with this source, by preference."""
        return tuple(each for each in self.mechanisms if self.source != DOVECOT or each not in SCRAM)

    @property
    def keeps_keys(self) -> bool:
        """Whether the keys of SCRAM are kept for a new password."""
        return any(each in SCRAM for each in self.mechanisms)
