"""The suspensions of a spool as a file: a small one, ``pauses``, with one JSON object.

It is written whole and renamed into place, so that a reader finds the old list or the new one, and a crash leaves one of them. Two commands
at a time wait for each other (a lock on the spool's directory). The daemon reads it again when the doorbell says `NAME`, and whenever it
looks through the queue; without a daemon the file waits.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from typing import TYPE_CHECKING

from mailer.io import durable
from mailer.mail.dates import parse_rfc3339
from mailer.mail.problem import Problem, from_os
from mailer.spool.suspensions import Suspension, Suspensions, target_of

from . import doorbell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NAME = "pauses"
"""The file's name, and what the doorbell says when it has changed: no ID looks like that."""

SAME = 0.001  # seconds between what was said and what the file says of when, at most
LARGEST = 1 << 20  # bytes: some ten thousand pauses


def read(root: str) -> Suspensions:
    """The pauses of the spool at `root`. Raises `Problem` (bad-message) for a file that is none of ours, `OSError`."""
    try:
        with open(f"{root}/{NAME}", "rb", opener=durable.prompt) as file:
            data = file.read(LARGEST + 1) or b""
    except FileNotFoundError:
        return Suspensions()
    try:
        return Suspensions([_pause(item) for item in json.loads(data)["pauses"]])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Problem(f"{root}/{NAME} is no list of pauses; remove it, and pause again what is to be paused", "bad-message") from None


def _pause(item: dict[str, object]) -> Suspension:
    until, why = item.get("until"), item.get("why", "")
    return Suspension(
        target_of(str(item["target"])), parse_rfc3339(str(until)) if until else math.inf, str(why), parse_rfc3339(str(item["at"]))
    )


def suspend(root: str, suspension: Suspension) -> bool:
    """Write it down, or say anew until when; whether a daemon heard. Raises `Problem`."""
    return _change(root, suspension.at, lambda known: known.update({suspension.target: suspension}))


def resume(root: str, target: str, now: float) -> bool:
    """End the pause of `target`; whether a daemon heard. Raises `Problem` (no-such if it is not paused)."""

    def forget(known: dict[str, Suspension]) -> None:
        if known.pop(target, None) is None:
            raise Problem(f"{target} is not paused; `mailer queue pauses` lists what is", "no-such")

    return _change(root, now, forget)


def postpone(root: str, before: Iterable[Suspension], seconds: float, now: float) -> None:
    """The clock was set, and shows so many seconds more: the pauses `before`, which were said by the old one, last as long as they were to.

    One that was said anew since stays as it is. One that has gone since and is over by the new clock alone was taken for over by a
    command, and comes back; nobody can have resumed it. `now` is by the clock as it is. Raises `Problem`.
    """

    def later(known: dict[str, Suspension]) -> None:
        for each in before:
            there = known.get(each.target)
            lost = each.holds(now - seconds) and not each.holds(now)
            if abs(there.at - each.at) < SAME if there else lost:
                known[each.target] = each._replace(until=each.until + seconds, at=each.at + seconds)

    _change(root, min(now, now - seconds), later)


def _change(root: str, now: float, change: Callable[[dict[str, Suspension]], None]) -> bool:
    """Read, change, write; those that are over are left out. A crash before the rename leaves the old list."""
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            known = {each.target: each for each in read(root) if each.holds(now)}
            change(known)
            _write(root, known.values())
        finally:
            os.close(directory)
    except OSError as error:
        raise from_os("cannot write the list of pauses", error.filename or root, error) from None
    return doorbell.ring(root, NAME)


def _write(root: str, pauses: Iterable[Suspension]) -> None:
    temporary = f"{root}/tmp/{NAME}"
    if os.path.lexists(temporary):  # of a command that was killed; the lock says that it is nobody's
        os.unlink(temporary)
    text = json.dumps({"pauses": [each.as_json() for each in pauses]}, indent=1) + "\n"
    fd = durable.begin_new(temporary, (text.encode(),))
    if os.geteuid() == 0:  # the daemon has to read it
        owner = os.stat(root)
        os.fchown(fd, owner.st_uid, owner.st_gid)
    durable.finish_new(temporary, fd)
    os.rename(temporary, f"{root}/{NAME}")
    durable.sync_directory(root)
