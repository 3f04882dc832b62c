"""The greylist in memory: for tests, and for what ends with its process."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .api import MOST, is_over, judged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .api import GreylistTerms, GreyRow


class MemoryGreylist:
    """Rows in memory: a `Greylist` of at most `most` rows."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rows: OrderedDict[str, GreyRow] = OrderedDict()  # by when they were met last

    async def met(self, keys: Sequence[str], at: float, terms: GreylistTerms) -> Sequence[float]:
        """Note that they have come."""
        waits = []
        for key in keys:
            self._rows[key], wait = judged(self._rows.pop(key, None), at, terms)
            waits.append(wait)
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)
        return waits

    async def expire(self, at: float, terms: GreylistTerms) -> int:
        """Forget what is over."""
        over = [key for key, row in self._rows.items() if is_over(row, at, terms)]
        for key in over:
            del self._rows[key]
        return len(over)

    async def count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    async def close(self) -> None:
        """Nothing is open."""
