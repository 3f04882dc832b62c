"""Files that have no name any more: whoever closes the last descriptor of one makes the file system free its blocks.

That is the dearest step of a delivery on disk, and nobody needs to wait for it. A thread that closes them one after the other
comes back to the interpreter for each, and whoever works there has to wait for it as often; so descriptors that stand
side by side are closed by one call.

Used by the ledger.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def together(descriptors: Iterable[int]) -> list[tuple[int, int]]:
    """The runs of open `descriptors` that stand side by side, each from its first to behind its last.

    The lowest free numbers are given out first, so files that were opened together nearly always do.
    """
    runs: list[tuple[int, int]] = []
    for descriptor in sorted(descriptors):
        if runs and runs[-1][1] == descriptor:
            runs[-1] = (runs[-1][0], descriptor + 1)
        else:
            runs.append((descriptor, descriptor + 1))
    return runs


def close(runs: Iterable[tuple[int, int]]) -> None:
    """Close what `together` gave."""
    for first, end in runs:
        os.closerange(first, end)
