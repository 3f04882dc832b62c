"""Sweep: what is left over goes, each kind after its own time. A message that is still to be delivered never does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.spool.api import Busy, CorruptMessage, NoSuchMessage

from . import idempotency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import SpoolDirectory

ABANDONED = 36 * 3600  # seconds; no writer lives longer than 24 hours


def sweep(spool: SpoolDirectory, now: float, retention: float, key_ttl: float) -> int:
    """Remove what was begun in ``tmp/`` and ``drop/`` and is older than `ABANDONED`, failed messages older than
    `retention` and keys older than `key_ttl` (seconds); returns how many.

    A crash in the middle leaves the rest for the next sweep. Raises `OSError`.
    """
    count = 0
    for name, age in _ages(spool, "tmp", now):
        if age > ABANDONED:
            _abandon(spool, name)
            count += 1
    for name, age in _ages(spool, "drop", now, hostile=True):
        if age > ABANDONED and name.startswith("."):
            count += _unlink_hostile(f"{spool.root}/drop/{name}")
    for name, age in _ages(spool, "failed", now):
        if age > retention:
            count += _release(spool, name)
    for name, age in _ages(spool, "keys", now):
        if age > key_ttl:
            os.unlink(f"{spool.root}/keys/{name}")
            count += 1
    return count


def _ages(spool: SpoolDirectory, directory: str, now: float, *, hostile: bool = False) -> Iterator[tuple[str, float]]:
    """How old each file is, as it says itself; where `hostile` users leave theirs, as the kernel says."""
    try:
        with os.scandir(f"{spool.root}/{directory}") as entries:
            for entry in entries:
                try:
                    known = entry.stat(follow_symlinks=False)
                    yield entry.name, now - (known.st_ctime if hostile else known.st_mtime)
                except FileNotFoundError:
                    continue
    except FileNotFoundError:
        return


def _abandon(spool: SpoolDirectory, name: str) -> None:
    """Remove a file of ``tmp/``, and before it the key that claims it: else the request would count as made."""
    try:
        envelope = spool.read(name, "tmp").envelope
        request_id, who = envelope.request_id, envelope.principal
        key = idempotency.path_of(spool.root, request_id, None if who == unix(os.geteuid()) else who)
        if request_id and idempotency.read(key)[0] == name:
            os.unlink(key)
    except (CorruptMessage, Problem, FileNotFoundError):  # no message, or no key
        pass
    os.unlink(f"{spool.root}/tmp/{name}")


def _unlink_hostile(path: str) -> int:
    try:
        os.unlink(path)
    except OSError:  # a directory, or gone: nobody who may write ``drop/`` can stop the sweep
        return 0
    return 1


def _release(spool: SpoolDirectory, name: str) -> int:
    """Remove a failed message if, as its own records say, every recipient is done with."""
    try:
        with spool.claim(name, "failed") as claim:
            if not claim.entry.history.done:
                return 0
            spool.drop(claim)
            return 1
    except (Busy, CorruptMessage, NoSuchMessage):
        return 0
