"""Mail for a relay that takes one author only, such as a provider's: it leaves as his, whoever wrote it.

What is in the spool stays as it was written, for another way may be taken tomorrow. So this is done when mail leaves, before
it is signed, and by the rules that submission has.
"""

from __future__ import annotations

from mailer.mail.address import parse_reverse_path
from mailer.mail.address_list import in_header
from mailer.mail.message import Change, Message

from .fields import identified
from .rules import Rules


class _Only:
    """Settings with one author for everybody, and no other rule."""

    aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    aliases_file = default_domain = ""
    hostname = "localhost"
    masquerade: tuple[str, ...] = ()
    masquerade_except: tuple[str, ...] = ()
    replace_every_author = True

    def __init__(self, author: str) -> None:
        self.authors: tuple[tuple[str, str], ...] = (("*", author),)


def relayed(content: bytes, author: str, changes: list[Change] | None = None) -> bytes:
    """The message `content` (normalised) with `author`, ``Name <address>``, in From and Sender; what is changed is added to `changes`."""
    return bytes(identified(Message.split(content), Rules(_Only(author), str), [] if changes is None else changes))


def reverse_path(sender: str, author: str) -> str:
    """The sender of the envelope there: the author, who gets the reports; the null sender stays so."""
    return sender and parse_reverse_path(next(in_header(author), ""))
