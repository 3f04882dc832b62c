"""Files that have no name any more: whoever closes the last descriptor of one makes the file system free its blocks.

That is the dearest step of a delivery on disk, and nobody needs to wait for it. A thread that closes them one after the other
comes back to the interpreter for each, and whoever works there has to wait for it as often; so their descriptors are
brought together, and then closed by one call for all.

Used by the ledger.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIGH = 4096  # descriptors from here on are ours: few programs have as many files open, and nothing breaks if this one has


def together(descriptors: Iterable[int]) -> list[tuple[int, int]]:
    """Renumber open `descriptors` so that they stand side by side; returns the runs, each from its first to behind its last."""
    runs: list[tuple[int, int]] = []
    for descriptor in descriptors:
        try:
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
        except OSError:  # there may be no numbers as high
            moved = descriptor
        else:
            os.close(descriptor)
        if runs and runs[-1][1] == moved:
            runs[-1] = (runs[-1][0], moved + 1)
        else:
            runs.append((moved, moved + 1))
    return runs


def close(runs: Iterable[tuple[int, int]]) -> None:
    """Close what `together` gave."""
    for first, end in runs:
        os.closerange(first, end)
