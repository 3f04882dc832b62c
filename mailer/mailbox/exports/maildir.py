"""A mailbox as a Maildir++, which Dovecot, and whatever else reads Maildirs, goes on with.

Lines end with LF, as Dovecot writes them; what it shows by IMAP is then octet for octet what we did. A message that has a LF without a CR
stays as it is: no Maildir can keep it so that Dovecot shows it unchanged. The time of a file is when the message was received. Flags and
up to 26 keywords of a folder are in the name; UIDs, UIDVALIDITY and UIDLs in ``dovecot-uidlist``, so that clients need not fetch anything
again. All messages are in ``cur/``.

In a name of a folder a dot would part two levels: it becomes ``_``. Of a role that a folder has, a Maildir says nothing.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from mailer.imap.names import modified_utf7
from mailer.io.durable import begin_new, let_go
from mailer.io.maildir import make_maildir
from mailer.mail.flags import Flag
from mailer.mailbox.api import INBOX, BodyLost
from mailer.mailbox.imports.dovecot import KEYWORDS, LETTERS, SUBSCRIPTIONS, UIDLIST, as_keywords, as_subscriptions, as_uid_list

from .api import Exported, ExportStep, NotWritten, beside, messages, with_lf

if TYPE_CHECKING:
    from collections.abc import Collection

    from mailer.mailbox.api import Folder, FolderEntry, Mail, Mailbox

    from .api import ExportTellers

FLAGS: Final = (("D", Flag.DRAFT), ("F", Flag.FLAGGED), ("R", Flag.ANSWERED), ("S", Flag.SEEN), ("T", Flag.DELETED))
"""In the order of their letters, as a name has them."""


def export_maildir(mailbox: Mailbox, path: str, tellers: ExportTellers) -> Exported:
    """Write the mailbox to `path`, where nothing is. Raises `Problem`."""
    with beside(path) as draft:
        export = _Export(mailbox, draft, tellers)
        names: dict[str, Folder] = {}
        for folder in mailbox.folders():
            names[_free(_place(folder.name), names)] = folder
        for place, folder in names.items():
            export.folder(place, folder)
        subscribed = [place for place, folder in names.items() if folder.subscribed and place]
        export.beside(draft, SUBSCRIPTIONS, as_subscriptions(place.replace(".", "/") for place in subscribed))
        return export.total


class _Export:
    """One export into the directory `root`."""

    def __init__(self, mailbox: Mailbox, root: str, tellers: ExportTellers) -> None:
        self.mailbox = mailbox
        self.root = root
        self.tellers = tellers
        self.total = Exported()

    def folder(self, place: str, folder: Folder) -> None:
        """Write a folder. Raises `OSError`, `Problem`."""
        directory = f"{self.root}/.{place}" if place else self.root
        make_maildir(directory)
        if place:
            self.beside(directory, "maildirfolder", b"")
        keywords: dict[str, str] = {}
        uidls = dict(self.mailbox.uidls(folder.id))
        written: list[tuple[int, str, str]] = []
        for done, (entry, mail) in enumerate(messages(self.mailbox, folder.id)):
            if not done % 100:
                self.tellers.told(ExportStep(folder.name, done, folder.messages))
            if mail is not None and (name := self._message(directory, folder, entry, mail, keywords)):
                written.append((entry.uid, name, _word(uidls.get(entry.uid, ""))))
        guid = sha256(f"{self.mailbox.owner.id} {folder.id} {folder.uidvalidity}".encode()).hexdigest()[:32]
        self.beside(directory, UIDLIST, as_uid_list(folder.uidvalidity, folder.uidnext, guid, written))
        if keywords:
            self.beside(directory, KEYWORDS, as_keywords([*keywords]))
        self.total = self.total._replace(folders=self.total.folders + 1)
        self.tellers.told(ExportStep(folder.name, folder.messages, folder.messages))

    def _message(self, directory: str, folder: Folder, entry: FolderEntry, mail: Mail, keywords: dict[str, str]) -> str:
        """Write a message, and return its name without flags; empty where that cannot be. Raises `OSError`."""
        try:
            content = self.mailbox.read(mail)
        except BodyLost as problem:
            self._leave(f"{folder.name}, UID {entry.uid}", str(problem))
            return ""
        data = with_lf(content)
        virtual = len(data) + data.count(b"\n") - data.count(b"\r\n")
        base = f"{int(mail.received)}.{mail.id}U{entry.uid}.mailer,S={len(data)},W={virtual}"
        letters = "".join(letter for letter, flag in FLAGS if entry.flags & flag) + self._letters(folder, entry, keywords)
        let_go(begin_new(f"{directory}/cur/{base}:2,{letters}", [data], modified=mail.received))
        self.total = self.total._replace(messages=self.total.messages + 1, octets=self.total.octets + len(data))
        return base

    def _letters(self, folder: Folder, entry: FolderEntry, keywords: dict[str, str]) -> str:
        """The letters of its keywords, which new ones get as long as there are any."""
        for word in entry.keywords:
            if word not in keywords and len(keywords) < len(LETTERS):
                keywords[word] = LETTERS[len(keywords)]
        if left := [word for word in entry.keywords if word not in keywords]:
            self._leave(f"{folder.name}, UID {entry.uid}", f"a Maildir has {len(LETTERS)} keywords in a folder: without {' '.join(left)}")
        return "".join(sorted(keywords[word] for word in entry.keywords if word in keywords))

    def _leave(self, where: str, why: str) -> None:
        self.total = self.total._replace(left=self.total.left + 1)
        self.tellers.leaving(NotWritten(where, why))

    def beside(self, directory: str, name: str, data: bytes) -> None:
        """Write a file beside the messages. Raises `OSError`."""
        let_go(begin_new(f"{directory}/{name}", [data]))


def _word(uidl: str) -> str:
    """A UIDL as it can stand in a line; RFC 1939 §7 has no others."""
    return uidl if uidl.isascii() and uidl.isprintable() and " " not in uidl else ""


def _place(name: str) -> str:
    """The name of a folder as a Maildir++ has it, without the dot before it; empty for the inbox, which is the Maildir itself."""
    if name == INBOX:
        return ""
    return ".".join(modified_utf7(level.replace(".", "_")) for level in name.split("/"))


def _free(place: str, taken: Collection[str]) -> str:
    """The name, or one near it where another folder has it."""
    while place in taken:
        place += "_"
    return place
