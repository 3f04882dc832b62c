"""The authors of a message, and whether its submitter may name them: the envelope sender, and each address of From and of Sender.

A field that the reader of addresses makes nothing of is refused, for somebody else's reader may make something of it. The null sender
names nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address import ascii_address
from mailer.mail.address_list import in_header
from mailer.mail.pattern import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mail.message import Message

AUTHORS = (b"from", b"sender", b"resent-from", b"resent-sender")


def authors(reverse_path: str, message: Message) -> Iterator[str]:
    """Everybody whom the message says it is from; an empty text for a field that names nobody who can be found."""
    if reverse_path:
        yield reverse_path
    for name in AUTHORS:
        for value in message.values(name):
            found = list(in_header(value))
            yield from found or [""]


def allows(pattern: str, sender: str) -> bool:
    """Whether `pattern` allows `sender`, whichever labels the domains are written in. See `mailer.mail.pattern`."""
    return fits(ascii_address(pattern), ascii_address(sender))


def stranger(reverse_path: str, message: Message, patterns: Sequence[str], allowed: Callable[[str, str], bool] = allows) -> str | None:
    """The first of those whom the message says it is from and whom none of `patterns` allows; None where all may be said."""
    if "*" in patterns:
        return None
    named = authors(reverse_path, message)
    return next((name for name in named if not any(allowed(pattern, name) for pattern in patterns)), None)
