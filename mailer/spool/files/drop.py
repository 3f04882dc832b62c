"""What lies in ``drop/``, user by user: everybody who may write there gets his turn, however much another left there.

The kernel says who owns a file and nothing that its owner writes does, its name included. A pass looks at all names once, keeps
so many of each user, the oldest first by their names, and gives them out by turns. What is no regular file is somebody's
joke; it comes last.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from mailer.spool import is_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .store import SpoolDirectory

MOST = 10_000  # files that are taken down at one look, in equal parts for all users
LEAST = 10  # of each user, however many there are


class Found(NamedTuple):
    """A name in ``drop/`` and the user whose file it is."""

    name: str
    uid: int


class Listing:
    """One look at ``drop/``. `cut`: there is more than a pass takes down."""

    def __init__(self, spool: SpoolDirectory, until: float = float("inf")) -> None:
        self.cut = False
        self._files: dict[int, list[str]] = {}
        self._others: dict[int, list[str]] = {}
        for entry in _entries(f"{spool.root}/drop"):
            try:
                known = entry.stat(follow_symlinks=False)
            except OSError:  # gone, or another file system that a user hung there
                continue
            if known.st_ctime <= until:
                self._note(self._files if stat.S_ISREG(known.st_mode) else self._others, known.st_uid, entry.name)

    def _note(self, found: dict[int, list[str]], uid: int, name: str) -> None:
        names = found.setdefault(uid, [])
        names.append(name)
        most = max(MOST // len(found), LEAST)
        if len(names) > 2 * most:
            names.sort()
            del names[most:]
            self.cut = True

    def __iter__(self) -> Iterator[Found]:
        """By turns, a file of each user; of one user in the order of the names."""
        yield from _by_turns(self._files)
        yield from _by_turns(self._others)


def _by_turns(found: dict[int, list[str]]) -> Iterator[Found]:
    waiting = {uid: iter(sorted(names)) for uid, names in found.items()}
    while waiting:
        for uid, names in list(waiting.items()):
            if (name := next(names, None)) is None:
                del waiting[uid]
            else:
                yield Found(name, uid)


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except FileNotFoundError:
        return


def named(spool: SpoolDirectory, ids: Iterable[str]) -> Iterator[Found]:
    """The messages of `ids` that are in ``drop/``."""
    for id in ids:
        if is_id(id):
            try:
                yield Found(id, os.lstat(f"{spool.root}/drop/{id}").st_uid)
            except OSError:
                continue
