"""The headers of messages as they are written, beside their bodies: most programs ask for some fields of every message that is new to them,
and no file is opened for that.

The row of a message is made when it comes, with the fields of its prefix, and can be made anew from it. A header that is longer than
`LONGEST` has none, and is read from the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mime.packed import header_end

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .engine.api import Rows

LONGEST: Final = 32 << 10  # octets
ADD: Final = "INSERT INTO head (owner, mail, header) VALUES (?, ?, ?) ON CONFLICT (owner, mail) DO NOTHING"


def made(content: bytes, prefix: bytes, tree: bytes) -> bytes | None:
    """What is kept of the header of a message, whose tree is written in these octets; None for one that is too long."""
    end = header_end(tree)
    return (prefix + content[: max(end - len(prefix), 0)])[:end] if end <= LONGEST else None


def add(rows: Rows, owner: int, headers: Iterable[tuple[str, bytes]]) -> None:
    """Write the headers of messages, by their IDs."""
    rows.many(ADD, [(owner, mail, header) for mail, header in headers if len(header) <= LONGEST])
