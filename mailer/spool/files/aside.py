"""Aside: what users left in ``drop/`` and is no message, or none that they may send.

What somebody may want to see is kept in ``corrupt/``, which nobody empties but a person, so there is only so much of each user; the
user is the file's owner, who may still change it and is charged for its space. Beyond that it stays where its owner left it, for he may
want it back. What has no content, links and their like are deleted.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import SpoolDirectory

KEPT = 1000  # files of one user
KEPT_BYTES = 1 << 28  # of one user


class ShareFull(Exception):
    """The owner of the file has as much in ``corrupt/`` as is kept of one user."""


class Aside:
    """A place to which what was refused in one pass over ``drop/`` is taken away."""

    def __init__(self, spool: SpoolDirectory) -> None:
        self.spool = spool
        self._kept: dict[int, tuple[int, int]] | None = None

    def take(self, name: str) -> str:
        """Take the file `name` out of ``drop/``; returns where it is kept, or "" if it is deleted.

        Raises `ShareFull`, and `OSError`, also for the directory of somebody else that is not empty.
        """
        path = f"{self.spool.root}/drop/{name}"
        known = os.lstat(path)
        if stat.S_ISDIR(known.st_mode):
            os.rmdir(path)
        elif stat.S_ISREG(known.st_mode) and known.st_nlink == 1 and known.st_size:
            if not self._has_room(known):
                raise ShareFull(f"corrupt/ holds as much of user {known.st_uid} as is kept of one")
            kept = self.spool.set_aside("drop", name)
            self._count(known.st_uid, known.st_size)
            return kept
        else:
            os.unlink(path)
        return ""

    def _has_room(self, known: os.stat_result) -> bool:
        if self._kept is None:
            self._kept = {}
            for uid, size in _owners(f"{self.spool.root}/corrupt"):
                self._count(uid, size)
        count, total = self._kept.get(known.st_uid, (0, 0))
        return count < KEPT and total + known.st_size <= KEPT_BYTES

    def _count(self, uid: int, size: int) -> None:
        if self._kept is not None:
            count, total = self._kept.get(uid, (0, 0))
            self._kept[uid] = count + 1, total + size


def _owners(path: str) -> Iterator[tuple[int, int]]:
    """(user, bytes) of each file in a directory."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    known = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield known.st_uid, known.st_size
    except FileNotFoundError:
        return
