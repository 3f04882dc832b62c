"""What an operator asks about mailboxes, and has done with them: which there are, what is in one, whether it is whole; in and out.

Everything here waits for the disk. Quotas are those of the users, where `accounts` has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.config.secret import Secret
from mailer.mail.dates import rfc3339
from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mail.query import Contains
from mailer.mailbox.api import INBOX, UNBOUNDED
from mailer.mailbox.exports.maildir import export_maildir
from mailer.mailbox.exports.mbox import export_mbox
from mailer.mailbox.imports.imap import ImapImport
from mailer.mailbox.imports.maildir import MaildirImport
from mailer.mailbox.imports.mbox import MboxImport
from mailer.mailbox.imports.mboxes import MboxesImport, has_mboxes
from mailer.mailbox.imports.taking import Taking
from mailer.reports.sources import MailboxLogin, MailboxServer
from mailer.tlspolicy import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailer.config import Config
    from mailer.mailbox.api import BoxFlaw, Folder, FolderEntry, Mail, Mailbox, Quota, Usage
    from mailer.mailbox.exports.api import Exported, ExportTellers
    from mailer.mailbox.imports.api import ImportSource, PassedOver
    from mailer.mailbox.imports.taking import ImportStep, MailImported
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner

PORTS: Final = {"implicit": 993, "starttls": 143, "none": 143}
NEWEST: Final = 50
"""Messages of a folder that are shown where nobody says how many."""
WORDS: Final = {Flag.SEEN: "seen", Flag.ANSWERED: "answered", Flag.FLAGGED: "flagged", Flag.DELETED: "deleted", Flag.DRAFT: "draft"}


class MailboxLine(NamedTuple):
    """A mailbox as a list has it; `usage` is None where it cannot be looked into, and `trouble` says why."""

    owner: Owner
    usage: Usage | None
    quota: Quota = UNBOUNDED
    trouble: str = ""

    def as_json(self) -> dict[str, object]:
        """As commands print it with ``--json``."""
        return {
            "address": self.owner.address,
            "id": self.owner.id,
            "messages": self.usage.messages if self.usage else None,
            "octets": self.usage.octets if self.usage else None,
            "quota": self.quota.octets or None,
            "quota_messages": self.quota.messages or None,
            "created_at": rfc3339(self.owner.created),
            "state": self.owner.state,
            "trouble": self.trouble or None,
        }


class MessageLine(NamedTuple):
    """A message of the folder of that name as a list has it."""

    entry: FolderEntry
    mail: Mail
    folder: str

    @property
    def flags(self) -> list[str]:
        """Flags as words, and keywords."""
        return [*(word for flag, word in WORDS.items() if self.entry.flags & flag), *self.entry.keywords]

    def as_json(self) -> dict[str, object]:
        """As commands print it with ``--json``."""
        return {
            "folder": self.folder,
            "uid": self.entry.uid,
            "id": self.mail.id,
            "received_at": rfc3339(self.mail.received),
            "octets": self.mail.size,
            "from": self.mail.sender,
            "to": self.mail.recipients,
            "subject": self.mail.subject,
            "message_id": self.mail.message_id or None,
            "flags": self.flags,
        }


class ServerTerms(NamedTuple):
    """How another server is asked: the name there, where the password is, and what TLS there has to be: implicit, starttls, none."""

    user: str
    secret: Callable[[], str]
    tls: str = "implicit"


class ImportTerms(NamedTuple):
    """What is imported: the `folder` that an mbox goes to, only some folders of a server, or without some."""

    folder: str = INBOX
    only: Sequence[str] = ()
    leave: Sequence[str] = ()
    server: ServerTerms | None = None


def listing(mailboxes: Mailboxes, quotas: Mapping[str, Quota], *, removed: bool = False) -> Iterator[MailboxLine]:
    """All mailboxes, by their addresses; of the `removed` ones, which are kept for a while, if asked. `quotas` are by address."""
    found: list[Owner] = []
    while owners := mailboxes.owners.listing(after=found[-1].id if found else "", removed=removed):
        found += owners
    for owner in sorted(found, key=lambda owner: (owner.address, owner.id)):
        quota = quotas.get(owner.address, UNBOUNDED)
        try:
            with mailboxes.opened(owner) as mailbox:
                yield MailboxLine(owner, mailbox.usage(), quota)
        except Problem as problem:
            yield MailboxLine(owner, None, quota, str(problem))


def folder_json(folder: Folder) -> dict[str, object]:
    """A folder as commands print it with ``--json``."""
    return {
        "folder": folder.name,
        "role": folder.role or None,
        "messages": folder.messages,
        "unseen": folder.unseen,
        "octets": folder.octets,
        "uidvalidity": folder.uidvalidity,
        "uidnext": folder.uidnext,
        "modseq": folder.modseq,
        "subscribed": folder.subscribed,
    }


def newest(mailbox: Mailbox, name: str, count: int = NEWEST) -> Sequence[MessageLine]:
    """The messages of a folder that came last, the newest first. Raises `Problem` (no-such)."""
    folder = folder_of(mailbox, name)
    return _lines(mailbox, mailbox.entries(folder.id)[-count:][::-1], [folder])


def _lines(mailbox: Mailbox, entries: Sequence[FolderEntry], folders: Sequence[Folder]) -> Sequence[MessageLine]:
    names = {folder.id: folder.name for folder in folders}
    mails = mailbox.mails([entry.mail for entry in entries])
    return [MessageLine(entry, mail, names.get(entry.folder, "")) for entry, mail in zip(entries, mails, strict=True) if mail is not None]


def with_words(mailbox: Mailbox, name: str, words: str, most: int = NEWEST) -> Sequence[MessageLine]:
    """The messages that have all `words`, the best first, of the folder of that name, or of all if it is empty. Raises `Problem`."""
    folders, where = _searched(mailbox, name)
    return _lines(mailbox, mailbox.ranked(words, where, most), folders)


def with_text(mailbox: Mailbox, name: str, text: str, most: int = NEWEST) -> Sequence[MessageLine]:
    """The messages that have `text` anywhere, the newest first, of the folder of that name, or of all if it is empty. Raises `Problem`."""
    folders, where = _searched(mailbox, name)
    entries = sorted(mailbox.search(Contains("text", text), where), key=lambda entry: entry.mail, reverse=True)
    return _lines(mailbox, entries[:most], folders)


def _searched(mailbox: Mailbox, name: str) -> tuple[Sequence[Folder], int | None]:
    if not name:
        return mailbox.folders(), None
    folder = folder_of(mailbox, name)
    return [folder], folder.id


def message(mailbox: Mailbox, name: str, uid: int) -> bytes:
    """A message as a reader gets it. Raises `Problem`."""
    entries = mailbox.entries(folder_of(mailbox, name).id, ((uid, uid),))
    mail = mailbox.mails([entries[0].mail])[0] if entries else None
    if mail is None:
        raise Problem(f"there is no message with the UID {uid} in {name}", "no-such")
    return mailbox.read(mail)


def folder_of(mailbox: Mailbox, name: str) -> Folder:
    """The folder of that name. Raises `Problem` (no-such)."""
    folder = mailbox.folder(name)
    if folder is None:
        raise Problem(f"{mailbox.owner.address} has no folder {name!r}", "no-such")
    return folder


def verified(mailbox: Mailbox, *, bodies: bool, repair: bool) -> Sequence[BoxFlaw]:
    """What is not as it has to be in a mailbox."""
    return mailbox.check(bodies=bodies, repair=repair)


def source_of(place: str, terms: ImportTerms, config: Config) -> ImportSource:
    """What `place` says: a directory is a Maildir, a file an mbox, and ``imap://HOST[:PORT]`` a server. Raises `Problem`."""
    import os

    if place.startswith(("imap://", "imaps://")):
        return ImapImport(_server(place, terms, config), only=terms.only, leave=terms.leave)
    if terms.server is not None or terms.only or terms.leave:
        raise Problem(f"{place} is no server, and so has no --user, --only or --leave", "usage")
    if has_mboxes(place):
        return MboxesImport(place)
    return MaildirImport(place) if os.path.isdir(place) else MboxImport(place, terms.folder)


def _server(place: str, terms: ImportTerms, config: Config) -> MailboxServer:
    scheme, _, rest = place.partition("://")
    if terms.server is None or not terms.server.user:
        raise Problem(f"{place}: say with --user who you are there", "usage")
    mode = "implicit" if scheme == "imaps" else terms.server.tls
    name, colon, port = rest.rstrip("/").rpartition(":") if rest.rstrip("/").rpartition(":")[2].isdigit() else (rest.rstrip("/"), "", "")
    if not name or "@" in name or "/" in name or (colon and not 0 < int(port) < 65536):
        raise Problem(f"{place} is no server; write imaps://HOST, or imaps://HOST:PORT, and the name with --user", "usage")
    secured = mode != "none"
    requirement = Requirement(mode, secured, config.tls.ca_file, "", config.tls.min_version)
    login = MailboxLogin(terms.server.user, terms.server.secret)
    return MailboxServer(name.strip("[]"), int(port) if port else PORTS[mode], requirement, login, clear_login=not secured)


def password_file(path: str) -> Callable[[], str]:
    """What reads a password from a file that is its owner's alone."""
    return Secret("file", (path,))


def import_into(
    mailbox: Mailbox, source: ImportSource, told: Callable[[ImportStep], None], passing: Callable[[PassedOver], None]
) -> MailImported:
    """Put what the source has into the mailbox. Raises `Problem`; what was put stays, and the next attempt goes on from there."""
    try:
        return Taking(source, mailbox, told, passing).run()
    finally:
        source.close()


def export_to(mailbox: Mailbox, path: str, form: str, tellers: ExportTellers) -> Exported:
    """Write the mailbox to the directory `path`, in the `form` maildir or mbox. Raises `Problem`."""
    return {"maildir": export_maildir, "mbox": export_mbox}[form](mailbox, path, tellers)
