"""The interface of where rows of limits are kept: all are read at the start, and what has changed is written in batches.

Processes that count alike tell one another what they have counted by what is said here, and is soon forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..table import Happening, LimitRow

HEARD: Final = 600.0  # seconds


class LimitStore(Protocol):
    """Rows of limits, and what processes tell one another of them. What fails raises `Problem`: bad-config for what is there and cannot
    be used, no-permission, io-error, try-again."""

    async def load(self) -> Sequence[LimitRow]:
        """All rows, those that were changed first first."""

    async def keep(self, rows: Sequence[LimitRow]) -> None:
        """Keep each in place of the one of its table and key; one without numbers goes. Of the table ``secret`` the first one stays."""

    async def last(self) -> int:
        """The number of the last thing that was said, by whomever."""

    async def say(self, process: str, happenings: Sequence[Happening]) -> None:
        """Let other processes hear that this has happened in `process`."""

    async def heard(self, after: int, process: str) -> tuple[int, Sequence[Happening]]:
        """The number of the last thing that was said, and what was said behind the number `after` by others than `process`. It is kept for
        `HEARD` seconds, for whoever has not heard of it."""

    async def close(self) -> None:
        """Let go of what is open."""
