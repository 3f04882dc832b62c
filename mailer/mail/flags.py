"""The flags that a message of a folder can have, and sets of messages by their UIDs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import Final, TypeAlias


class Flag(IntFlag):
    """The flags of IMAP that a message of a folder can have, RFC 9051 §2.3.2."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


PLAIN: Final = Flag(0)
"""No flag."""


Uids: TypeAlias = Sequence[tuple[int, int]] | None
"""UIDs of a folder, as pairs of the first and the last, ascending and apart; None for all."""
