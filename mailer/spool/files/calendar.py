"""The calendar: since when the clock of the machine has gone on as clocks do, over restarts too. Nothing is deleted by a clock before.

A machine without a battery may start in another year, and what is kept for a week must not be gone within the hour. The file
``clock`` in the spool has one line, two times: since when, and when it was looked at last. A clock that is `GAP` ahead of that, or
behind it, is another one, which has to stand for `STANDS` by itself. So has the first one of a new spool. A line that cannot be read
says nothing, so that a crash in the middle costs a day of waiting.
"""

from __future__ import annotations

import contextlib
import os

from mailer.io import durable
from mailer.mail.dates import parse_rfc3339, rfc3339

NAME = "clock"
GAP = 4 * 86400.0  # seconds: a machine may be off for so long, over a long weekend, and its clock is still believed
BEHIND = 60.0  # seconds that a clock may be put back, as happens when it is put right
STANDS = 86400.0  # seconds
LONGEST = 100  # bytes that are read of the line


def believed(root: str, now: float) -> bool:
    """Note that the clock shows `now`, and whether it has stood for long enough. Where the note cannot be written, the old one counts."""
    since, seen = _read(root)
    if not -BEHIND <= now - seen <= GAP:
        since = now
    with contextlib.suppress(OSError):  # a full disk must not stop the sweep that makes room
        _write(root, since, now)
    return now - since >= STANDS


def _read(root: str) -> tuple[float, float]:
    """Since when, and when it was looked at last; the latter is 0.0 if nobody knows."""
    try:
        with open(f"{root}/{NAME}", "rb") as file:
            since, seen = map(parse_rfc3339, file.read(LONGEST).decode("ascii").split())
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
