"""Mending a spool directory: what `condition` found, and anybody would put right the same way. Of a message no more than
owner and mode are changed.

The owner mends it. What only root can, giving the owner what is not his (`give`), comes before that, and is done to the very file that was
looked at, which has one name: so no link that the owner laid leads root further than into the spool.

==========================================  =======================================================================
a directory that is absent                  is made
a mode that is not as it was made           is set
what belongs to somebody else               is given to the owner of the spool
what was abandoned in ``tmp/``, ``drop/``   is swept, as the daemon does, by a clock that has stood for a day
a socket that nobody answers                is removed, under the daemon's lock
==========================================  =======================================================================

What else is wrong stays as it is: what is no message, what was set aside, and notes that are damaged, are a person's to look at.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from . import daemons, layout, sweep
from .store import SpoolDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .condition import Flaw


def mend(root: str, found: Sequence[Flaw], now: float) -> Iterator[str]:
    """Mend what was found in the spool at `root`, as its owner, and say of each thing what was done. What cannot be is said, too."""
    for each in found:
        if each.kind == "absent":
            yield from _tried(each, _make, "made")
        elif each.kind == "mode":
            yield from _tried(each, os.chmod, f"set to {each.mode:04o}")
    yield from _swept(root, [each for each in found if each.kind == "abandoned"], now)
    yield from _sockets(root, [each for each in found if each.kind == "socket"])


def _tried(flaw: Flaw, act: Callable[[str, int], None], done: str) -> Iterator[str]:
    if os.path.islink(flaw.path):
        return
    try:
        act(flaw.path, flaw.mode)
    except OSError as error:
        yield f"could not mend {flaw.path}: {error.strerror}"
    else:
        yield f"{done}: {flaw.path}" + (f" ({flaw.detail})" if flaw.kind == "mode" else "")


def _make(path: str, mode: int) -> None:
    os.mkdir(path, 0o700)
    os.chmod(path, mode)


def give(root: str, found: Sequence[Flaw]) -> Iterator[str]:
    """Give the owner of the spool at `root` what belongs to others, which only root can; says so. Raises `OSError`."""
    about = os.stat(root)
    for each in found:
        if each.kind != "owner":
            continue
        try:
            given = _give(root, each.path, about)
        except OSError as error:
            yield f"could not give {each.path} to user {about.st_uid}: {error.strerror}"
        else:
            yield f"{'given' if given else 'not given, for it has several names,'} to user {about.st_uid}: {each.path}"


def _give(root: str, path: str, about: os.stat_result) -> bool:
    """Give what is at `path` to the owner of the spool; not what has another name as well, which may be of another place."""
    above = os.open(os.path.dirname(path) if path != root else path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fd = os.open(os.path.basename(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            known = os.fstat(fd)
            if not stat.S_ISDIR(known.st_mode) and known.st_nlink > 1:
                return False
            os.chown(f"/proc/self/fd/{fd}", about.st_uid, about.st_gid)
            return True
        finally:
            os.close(fd)
    finally:
        os.close(above)


def _swept(root: str, found: Sequence[Flaw], now: float) -> Iterator[str]:
    if not found:
        return
    if not sweep.believed(root, now):
        yield f"left {len(found)} abandoned files: the clock of this machine has not stood for a day yet, see mailer-spool(5)"
        return
    try:
        count = sweep.sweep(SpoolDirectory(root), now, inf, inf)
    except OSError as error:
        yield f"could not sweep {root}/tmp: {error.strerror}"
    else:
        yield f"swept {count} abandoned files of {root}/tmp and drop"


@contextmanager
def alone(root: str) -> Iterator[bool]:
    """Whether no daemon runs on the spool at `root`, nor starts while this goes on. Raises `OSError`."""
    lock = FileLock(f"{root}/{daemons.LOCK}", timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _sockets(root: str, found: Sequence[Flaw]) -> Iterator[str]:
    if not found:
        return
    try:
        with alone(root) as free:
            for each in found if free else ():
                if stat.S_ISSOCK(os.stat(each.path, follow_symlinks=False).st_mode):
                    os.unlink(each.path)
                    yield f"removed: {each.path} ({each.detail})"
    except OSError as error:
        yield f"could not remove {found[0].path}: {error.strerror}"


def completed(root: str, *, shared: bool) -> Iterator[str]:
    """Make ``drop/`` where a spool is to be `shared` and has none; says so. Raises `Problem`."""
    if shared and not os.path.isdir(f"{root}/drop"):
        layout.share(root)
        yield f"made: {root}/drop"
