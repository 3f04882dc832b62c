"""The header fields that name people, with the rules applied: addresses are exchanged, all else stays to the byte.

A relay that takes one author only, such as a provider's, gets mail as his, whoever wrote it (`relayed`). What is in the spool stays as it
was written, for another way may be taken tomorrow. So that is done when mail leaves, before it is signed, and by the same rules.
"""

from __future__ import annotations

from mailer.mail.address import AddressError, parse_reverse_path
from mailer.mail.address_list import boxes, in_header
from mailer.mail.message import Change, Message, header_end

from .rules import Rules, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rules import Became, Rules

AUTHORS = frozenset({b"from", b"sender", b"resent-from", b"resent-sender"})
ANSWERS = frozenset({b"reply-to", b"resent-reply-to"})
"""Where answers go. An author of this machine means nothing here either; what somebody chose stays, even where all are replaced."""

RECIPIENTS = frozenset({b"to", b"cc", b"resent-to", b"resent-cc"})


def identified(message: Message, rules: Rules, changes: list[Change]) -> Message:
    """`message` with the rules applied to its header; what was changed is added to `changes`.

    What is no address stays as it is: nobody sends mail by a header. Raises `Problem` (bad-config) as the rules do.
    """
    fields = []
    for name, field in message.fields():
        if name in AUTHORS or name in ANSWERS or name in RECIPIENTS:
            field = _written(name, field, rules, changes)  # noqa: PLW2901 - the same field, with other people in it
        fields.append(field)
    return Message(b"".join(fields), message.rest)


def _written(name: bytes, field: bytes, rules: Rules, changes: list[Change]) -> bytes:
    label, colon, value = field.decode("utf-8", "surrogateescape").partition(":")
    made, at = "", 0
    reasons: dict[str, None] = {}
    for text, start, end, first, last in boxes(value):
        became = _became(name, text, rules)
        if became is None:
            continue
        reasons[became.why] = None
        whole = len(became.addresses) > 1 or (became.author and name == b"from")
        made += value[at : first if whole else start] + _mailboxes(became, name)
        at = last if whole else end
    if not reasons:
        return field
    made += value[at:]
    changes.append(Change("changed", label.strip(), _shown(value), _shown(made), "; ".join(reasons)))
    return f"{label}{colon}{made}".encode("utf-8", "surrogateescape")


def _became(name: bytes, text: str, rules: Rules) -> Became | None:
    """What the rules make of one address; None if they leave it alone."""
    try:
        became = rules.recipient(text) if name in RECIPIENTS else rules.author(text, replace=name in AUTHORS)
    except AddressError:
        return None
    return became if became.why and became.addresses and [*became.addresses] != [text] else None


def _mailboxes(became: Became, name: bytes) -> str:
    """All of them, one a line. An author has the name that the rules give him, in From only: elsewhere it may be somebody else's."""
    if became.author and name == b"from":
        return written(became.author)
    return ",\r\n ".join(became.addresses)


def _shown(value: str) -> str:
    return " ".join(value.encode("utf-8", "replace").decode().split())


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


SANDBOX = b"X-Sandbox-Recipients"
"""The field that says whom a message names that got to somebody else."""


def diverted(content: bytes, people: Sequence[str]) -> bytes:
    """The message `content` (normalised) with a field above it that says to whom it was to go; a field of that name is no other's word."""
    if SANDBOX.lower() in content[: header_end(content)].lower():
        content = bytes(Message.split(content).without(SANDBOX.lower()))
    return b"%b: %b\r\n" % (SANDBOX, b",\r\n ".join(map(_in_ascii, people))) + content


def _in_ascii(address: str) -> bytes:
    """An address for a field that every host takes; one with other letters is no address there, and a person can read it."""
    if address.isascii():
        return address.encode()
    from email.header import Header

    return Header(address, "utf-8", maxlinelen=900).encode().replace("\n", "\r\n").encode()


def reverse_path(sender: str, author: str) -> str:
    """The sender of the envelope there: the author, who gets the reports; the null sender stays so."""
    return sender and parse_reverse_path(next(in_header(author), ""))
