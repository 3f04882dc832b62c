"""What lies in ``drop/``, user by user: everybody who may write there gets his turn, however much another left there.

The kernel says who owns a file and nothing that its owner writes does, its name included. A pass looks at all names once, keeps
so many of each user, the oldest first by their names, and gives them out by turns. What is no regular file is somebody's
joke; it comes last.

Of what is refused, what somebody may want to see is kept in ``corrupt/``, which nobody empties but a person, so there is only so much
of each user; the user is the file's owner, who may still change it and is charged for its space. Beyond that it stays where its owner left
it, for he may want it back. What has no content, links and their like are deleted.
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
KEPT = 1000  # files of one user
KEPT_BYTES = 1 << 28  # of one user


class Found(NamedTuple):
    """A name in ``drop/`` and the user whose file it is."""

    name: str
    uid: int


class DropListing:
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
