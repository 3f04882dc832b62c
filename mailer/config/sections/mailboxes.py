"""The sections about mailboxes: where they are, whether they are encrypted, how long what was deleted is kept; and other places."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .. import values
from ..kinds import COMMAND, NAME, SECRET_PATH, choice
from ..secret import Secret
from . import DURATION, OPTIONAL_PATH, Kind, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..places import Path
    from . import Validated

HOME = "home"  # what the place of [mailboxes] is called
SCHEMES = ("postgresql", "postgres")


def _database(value: object) -> str:
    """A URL of PostgreSQL as libpq has it, several hosts and all; what is wrong is not shown, for it may be a password."""
    text = values.text(value)
    if not text:
        return ""
    scheme, is_url, rest = text.partition("://")
    if not is_url or scheme not in SCHEMES or not rest.isprintable() or " " in rest:
        raise ValueError("a database is named as postgresql://user@host/name")
    login = rest.partition("/")[0].rpartition("@")[0]
    if ":" in login or parse_qs(rest.partition("?")[2], keep_blank_values=True).keys() & {"password", "passfile", "sslpassword"}:
        raise ValueError("a password does not stand in the configuration; put it in a file and name that with database_password_file")
    return text


DATABASE = Kind("postgresql://…", _database)


def _password_file() -> Setting[str]:
    return Setting(
        SECRET_PATH, "A file with the password for the database, which nobody but its owner may read.", "", example="/etc/mailer/db.secret"
    )


def _secret(file: str) -> Secret | None:
    return Secret("file", (file,)) if file else None


class MailboxSection(Section, header="[mailboxes]", member="mailboxes"):
    """The mailboxes of this machine, which [[domain]] leads to with via = "local".

    A user of `mailer user` has one from his first mail on. See mailer-receiving(7).
    """

    path = Setting(
        OPTIONAL_PATH,
        "The directory of the mailboxes. What is in it is written by this program alone.",
        "",
        shown="mailboxes in the spool; /var/lib/mailer/mailboxes for /var/spool/mailer",
        example=values.SYSTEM_MAILBOXES,
    )
    deleted_kept = Setting(DURATION, "How long the file of a message is kept after it was deleted.", "7d")
    removed_kept = Setting(DURATION, "How long the mailbox of a user who was removed is kept.", "30d")
    full_grace = Setting(
        DURATION,
        "How long mail waits for somebody whose mailbox has used up its quota, and no longer than any other (retry.expire); then its "
        "sender hears that it could not be delivered.",
        "3d",
    )
    database = Setting(
        DATABASE,
        "The database of PostgreSQL that has the owners of mailboxes and all but the messages themselves, for several machines that have "
        "the same mailboxes. It takes the extra cluster.",
        "",
        shown="each mailbox has a file of its own below path",
        example="postgresql://mailer@db.example.net/mailer",
    )
    database_password_file = _password_file()
    encryption = Setting(
        choice("off", "age"),
        "Whether what is kept is encrypted: with age, messages are age files and all that is known of them is encrypted as well, by keys "
        "that each mailbox has and the master key opens. `mailer mailbox key make` makes that first. See mailer-mailboxes(7).",
        "off",
    )
    key_file = Setting(
        SECRET_PATH,
        "A file with the master keys, which nobody but its owner may read: NUMBER:BASE64 for each.",
        "",
        shown="files in the directory keys of the mailboxes",
        example="/etc/mailer/mailboxes.keys",
    )
    key_command = Setting(
        COMMAND,
        "A command that prints the master keys in one line. No shell runs it; a word that begins with ~/ is a path in the home directory.",
        (),
        example="vault-print mailboxes",
        private=True,
    )

    @property
    def secret(self) -> Secret | None:
        """Where the password for the database is; None where there is none."""
        return _secret(self.database_password_file)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the keys mean together and must not."""
        if self.key_file and self.key_command:
            yield "key_command", "there is key_file already; keep one of them"


class MailboxStoreSection(Section, header="[[mailbox_store]]", member="mailbox_stores", plural="mailbox_stores"):
    """A place for mailboxes besides that of [mailboxes], which `mailer mailbox move` moves some to, or away from. Who has one where is
    known in [mailboxes] alone.
    """

    name = Setting(NAME, "What the place is called.", example="archive")
    path = Setting(
        OPTIONAL_PATH, "The directory of its mailboxes.", "", shown="messages are where [mailboxes] has them", example="/srv/mailboxes"
    )
    database = Setting(
        DATABASE,
        "The database of PostgreSQL that has all but the messages themselves.",
        "",
        shown="each mailbox has a file of its own below path",
        example="postgresql://mailer@db2.example.net/mailer",
    )
    database_password_file = _password_file()

    @property
    def secret(self) -> Secret | None:
        """Where the password for the database is; None where there is none."""
        return _secret(self.database_password_file)

    def problems(self) -> Iterable[tuple[str, str]]:
        """A place that is none."""
        if self.name == HOME:
            yield "name", f"{HOME} is what the place of [mailboxes] is called; choose another name"
        if not self.path and not self.database:
            yield "name", f"{self.name} is no place: set path, or database"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two places of one name."""
        seen: set[str] = set()
        for at, section in enumerate(validated.listed["mailbox_store"]):
            if section is not None and section.name in seen:
                yield ("mailbox_store", at, "name"), f"there is a place {section.name} already"
            if section is not None:
                seen.add(section.name)
