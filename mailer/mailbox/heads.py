"""The headers of messages as they are written, beside their bodies: most programs ask for some fields of every message that is new to them,
and no file is opened for that.

The row of a message is made when it comes, with the fields of its prefix, and can be made anew from it. A header that is longer than
`LONGEST`, or has a NUL, has none, and is read from the message. Fields are divided as `mailer.imap.sections` does it, so that they are
found in no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.imap.sections import divided
from mailer.mime.packed import header_end

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .engine.api import Rows

LONGEST: Final = 32 << 10  # octets
ADD: Final = "INSERT INTO head (owner, mail, header) VALUES (?, ?, ?) ON CONFLICT (owner, mail) DO NOTHING"


def made(content: bytes, prefix: bytes, tree: bytes) -> bytes | None:
    """What is kept of the header of a message, whose tree is written in these octets; None for one that is too long."""
    end = header_end(tree)
    return packed((prefix + content[: max(end - len(prefix), 0)])[:end])


def packed(header: bytes) -> bytes | None:
    """The header as it is kept; None for one that is not."""
    return divided(header) if len(header) <= LONGEST else None


def add(rows: Rows, owner: int, headers: Iterable[tuple[str, bytes]]) -> None:
    """Write the headers of messages, by their IDs."""
    rows.many(ADD, [(owner, mail, kept) for mail, header in headers if (kept := packed(header)) is not None])
