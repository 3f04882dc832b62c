"""The interface of where rows of limits are kept: all are read at the start, and what has changed is written in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..table import LimitRow


class LimitStore(Protocol):
    """Rows of limits. What fails raises `Problem`: bad-config for what is there and cannot be used, no-permission, io-error, try-again."""

    async def load(self) -> Sequence[LimitRow]:
        """All rows, those that were changed first first."""

    async def keep(self, rows: Sequence[LimitRow]) -> None:
        """Keep each in place of the one of its table and key; one without numbers goes."""

    async def close(self) -> None:
        """Let go of what is open."""
