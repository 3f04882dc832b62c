"""Flags as IMAP writes them: RFC 9051 §2.3.2, and keywords behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.flags import Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES: Final = {
    Flag.ANSWERED: "\\Answered",
    Flag.FLAGGED: "\\Flagged",
    Flag.DELETED: "\\Deleted",
    Flag.SEEN: "\\Seen",
    Flag.DRAFT: "\\Draft",
}
"""The flags that there are, in the order in which they are told."""

RECENT: Final = 32
"""\\Recent beside the bits of flags, where a list is written: it is the session's, and no client can set it (RFC 3501 §2.3.2)."""

_FLAGS = {name.upper(): flag for flag, name in NAMES.items()}
_WRITTEN: Final = {**{int(flag): name for flag, name in NAMES.items()}, RECENT: "\\Recent"}
_ALONE = [" ".join(name for flag, name in _WRITTEN.items() if bits & flag).encode() for bits in range(2 * RECENT)]
LISTS: Final = [b"(%b)" % alone for alone in _ALONE]
"""The list of flags of each number, with its parentheses."""


def rendered(bits: int, keywords: Sequence[str] = ()) -> bytes:
    """A list of flags and keywords, with its parentheses."""
    if not keywords:
        return LISTS[bits]
    words = " ".join(keywords).encode("ascii", "replace")
    return b"(%b %b)" % (_ALONE[bits], words) if bits else b"(%b)" % words


def read(name: str) -> Flag | None:
    """The flag with this name, in any case; None where it is not one that a client can set."""
    return _FLAGS.get(name.upper())
