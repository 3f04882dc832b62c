"""Sweep: what is left over goes, each kind after its own time. A message that is still to be delivered never does.

Nothing is deleted by a clock before it has gone on for a while as clocks do, over restarts too.
A machine without a battery may start in another year, and what is kept for a week must not be gone within the hour. The file
``clock`` in the spool has one line, two times: since when, and when it was looked at last. A clock that is `GAP` ahead of that, or
behind it, is another one, which has to stand for `STANDS` by itself. So has the first one of a new spool. A line that cannot be read
says nothing, so that a crash in the middle costs a day of waiting.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from mailer.io import durable
from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.spool.api import Busy, CorruptMessage, NoSuchMessage

from . import idempotency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import SpoolDirectory

ABANDONED = 36 * 3600  # seconds; no writer lives longer than 24 hours
NAME = "clock"
GAP = 4 * 86400.0  # seconds: a machine may be off for so long, over a long weekend, and its clock is still believed
BEHIND = 60.0  # seconds that a clock may be put back, as happens when it is put right
STANDS = 86400.0  # seconds
LONGEST = 100  # bytes that are read of the line


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


# The clock


def believed(root: str, now: float) -> bool:
    """Note that the clock shows `now`, and whether it has stood for long enough. Where the note cannot be written, the old one counts."""
    since, last = _read(root)
    if not -BEHIND <= now - last <= GAP:
        since = now
    with contextlib.suppress(OSError):  # a full disk must not stop the sweep that makes room
        _write(root, since, now)
    return now - since >= STANDS


def seen(root: str) -> float:
    """The last time that the clock showed, as far as the note tells; 0.0 if nobody knows."""
    return _read(root)[1]


def _read(root: str) -> tuple[float, float]:
    """Since when, and when it was looked at last; the latter is 0.0 if nobody knows."""
    try:
        with open(f"{root}/{NAME}", "rb", opener=durable.prompt) as file:
            since, seen = map(parse_rfc3339, (file.read(LONGEST) or b"").decode("ascii").split())
    except (OSError, ValueError):
        return 0.0, 0.0
    return since, seen


def _write(root: str, since: float, seen: float) -> None:
    """In place, which needs no room."""
    line = f"{rfc3339(since)} {rfc3339(seen)}\n".encode()
    fd = os.open(f"{root}/{NAME}", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, durable.PRIVATE)
    try:
        durable.write_all(fd, line)
        os.ftruncate(fd, len(line))
    finally:
        durable.let_go(fd)
