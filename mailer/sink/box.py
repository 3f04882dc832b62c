"""What a sink has kept, as a page shows it: the messages of its Maildir, newest first, which are read, and which were deleted.

Deleting moves a file to the folder ``.Trash`` of the same Maildir (Maildir++), from where those that were deleted last come back.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.io.maildir import make_maildir
from mailer.mail.envelope import read_words
from mailer.mail.message import Message, normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

TRASH: Final = ".Trash"
HEAD: Final = 64 * 1024  # octets that are read of a message for the list
WORD: Final = 500  # characters of one value in the list


class Boxed(NamedTuple):
    """A message in the list. `at` is in seconds since the epoch, `size` in octets without the lines that tell the envelope."""

    id: str
    path: str
    at: float
    size: int
    unread: bool
    reverse_path: str
    recipients: tuple[str, ...]
    sender: str
    to: str
    subject: str

    def has(self, words: str) -> bool:
        """Whether all of `words` stand in sender, recipients or subject, in any case."""
        text = " ".join((self.reverse_path, *self.recipients, self.sender, self.to, self.subject)).casefold()
        return all(word in text for word in words.casefold().split())


class Box:
    """The messages below `maildir`, which somebody else fills. What is remembered of one is read once."""

    def __init__(self, maildir: str) -> None:
        self.maildir = maildir
        self._known: dict[str, Boxed] = {}
        self._trash: list[tuple[str, str]] = []

    def all(self) -> list[Boxed]:
        """The messages, newest first. Raises `OSError`."""
        found: dict[str, Boxed] = {}
        for folder in ("cur", "new"):
            for name in os.listdir(f"{self.maildir}/{folder}"):
                path = f"{self.maildir}/{folder}/{name}"
                known = self._known.get(path) or _read(path, unread=folder == "new")
                if known is not None:
                    found[path] = known
        self._known = found
        return sorted(found.values(), key=lambda kept: (kept.at, kept.path), reverse=True)

    def get(self, id: str) -> Boxed | None:
        """The message with this ID. Raises `OSError`."""
        return next((kept for kept in self.all() if kept.id == id), None)

    def see(self, kept: Boxed) -> Boxed:
        """Note that it was read; returns it as it lies now. Raises `OSError`."""
        if not kept.unread:
            return kept
        path = f"{self.maildir}/cur/{os.path.basename(kept.path)}:2,S"
        os.rename(kept.path, path)
        return kept._replace(path=path, unread=False)

    def delete(self, kept: Iterable[Boxed]) -> int:
        """Move them to the trash; returns how many. Raises `OSError`."""
        trash = f"{self.maildir}/{TRASH}"
        make_maildir(trash)
        self._trash = []
        for each in kept:
            folder, name = each.path.split("/")[-2:]
            gone = f"{trash}/{folder}/{name}"
            try:
                os.rename(each.path, gone)
            except FileNotFoundError:
                continue
            self._trash.append((gone, each.path))
        return len(self._trash)

    def restore(self) -> int:
        """Bring back what was deleted last; returns how many came back. Raises `OSError`."""
        gone, self._trash = self._trash, []
        for now, before in gone:
            os.rename(now, before)
        return len(gone)


def _read(path: str, *, unread: bool) -> Boxed | None:
    """What the list shows of the file; None where it has left meanwhile."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            head = file.read(HEAD)
    except FileNotFoundError:
        return None
    envelope, size = split(head)
    header = Message.head(normalise(head[size:]))
    sender, to, subject = (decoded(header.value(field) or "")[:WORD] for field in (b"from", b"to", b"subject"))
    name = os.path.basename(path).partition(":")[0]
    moment = name.split("P")[0].replace("M", "")
    try:
        at = float(moment)
    except ValueError:
        at = status.st_mtime
    id = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:20]
    recipients = tuple(value for field, value in envelope if field == "delivered-to")
    reverse_path = next((value.strip("<>") for field, value in envelope if field == "return-path"), "")
    return Boxed(id, path, at, status.st_size - size, unread, reverse_path, recipients, sender, to or ", ".join(recipients), subject)


def split(data: bytes) -> tuple[list[tuple[str, str]], int]:
    """The lines above the message that tell its envelope (name in small letters, value), and how many octets they have."""
    lines: list[tuple[str, str]] = []
    at = 0
    while data.startswith((b"Return-Path: ", b"Delivered-To: "), at):
        end = data.find(b"\n", at)
        if end < 0 or (lines and data.startswith(b"Return-Path: ", at)):
            break
        name, _, value = data[at:end].decode(errors="replace").partition(": ")
        lines.append((name.lower(), value.strip()))
        at = end + 1
    return lines, at


def decoded(value: str) -> str:
    """A value with its encoded words read, and with nothing in it that cannot be sent."""
    return whole(read_words(whole(value)))


def whole(text: str) -> str:
    """`text` with nothing in it that cannot be sent: octets that the library kept as they are, are UTF-8 where they can be; half a
    character, which UTF-7 has, is none."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)
