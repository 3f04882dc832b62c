"""A letter that has come for a mailbox of ours, and who says where in it that goes: into the inbox, or what rules of its owner say.

`PlainFiling` knows no rules: mail is put into the inbox, and what filters have marked as unwanted into the folder for that. Another one,
which does, is given to the courier in its place (`mailer.transport.local`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailer.mailbox.api import INBOX, ROLES, UNBOUNDED, NewMail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.envelope import Envelope
    from mailer.mailbox.api import Mailbox, PutMail, Quota


class MailboxLetter(NamedTuple):
    """A message for one recipient, as it is to be put into his mailbox at the time `at`, in seconds since the epoch.

    `content` has CRLF line ends, and `prefix` are the fields for him alone. `recipient` is his address as the envelope has it, `detail` the
    tag in it (RFC 5233 §2), empty where there is none. `junk`: filters have marked it as unwanted. `once` is what makes a second attempt
    known. `quota` is how much the mailbox may have.
    """

    envelope: Envelope
    content: bytes
    prefix: bytes
    recipient: str
    junk: bool
    once: tuple[str, str]
    detail: str
    at: float = 0.0
    quota: Quota = UNBOUNDED


class Filing(Protocol):
    """A filing: what is done with each letter. Both methods may raise what a `Mailbox` raises."""

    def plain(self, mailbox: Mailbox, letter: MailboxLetter) -> NewMail | None:
        """The one thing that is to be done with `letter`, where that is to put it somewhere: many such are put together. None where it
        takes more, or something else, which `file` does."""

    def file(self, mailbox: Mailbox, letter: MailboxLetter) -> Sequence[PutMail]:
        """Do with `letter` what there is to do; where it was put, if anywhere. Done twice, it is done once."""


class PlainFiling:
    """The inbox for all, but what is unwanted."""

    def plain(self, mailbox: Mailbox, letter: MailboxLetter) -> NewMail:
        """Mail goes into one folder, and nothing else is done with it."""
        return new_of(letter, junk_of(mailbox) if letter.junk else INBOX)

    def file(self, mailbox: Mailbox, letter: MailboxLetter) -> Sequence[PutMail]:
        """Put it there."""
        return mailbox.put([self.plain(mailbox, letter)], letter.quota)


def new_of(letter: MailboxLetter, folder: str) -> NewMail:
    """`letter` as it is put into `folder`, which is made if it is not there."""
    return NewMail(folder, letter.content, letter.prefix, received=letter.at, once=letter.once, made=True)


def junk_of(mailbox: Mailbox) -> str:
    """The name of the folder for unwanted mail."""
    folder = mailbox.with_role("junk")
    return folder.name if folder is not None else ROLES["junk"]
