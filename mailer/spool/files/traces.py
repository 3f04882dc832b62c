"""What a daemon leaves for others to find: how its last reload ended, and, where everybody looks, which spool it serves.

``reloaded``, a small file in the spool, is written by each reload; whoever asked for one by SIGHUP reads there whether the
configuration was taken. The times in it are those of a clock that only goes on, so the next daemon begins by taking it away.

The note of the spool is for the users of a machine who cannot see the daemon's locks (`daemons`) and look, or queue, somewhere else. The
service of the machine leaves it: the daemon to which the service manager has given the directory (RuntimeDirectory=mailer).
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from .daemons import NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import SpoolDirectory

NAME = "reloaded"


class Reloaded(NamedTuple):
    """The end of a reload that `began` so many nanoseconds after the machine did: taken, or what the `problem` was."""

    began: int
    problem: str


def now() -> int:
    """The time by which reloads are told apart, in nanoseconds."""
    return time.monotonic_ns()


def reloaded(spool: SpoolDirectory) -> Reloaded | None:
    """The last reload of the daemon on `spool`; None if there was none. Raises `OSError`."""
    found = spool.recall(NAME)
    try:
        document = json.loads(found or b"null")
        return Reloaded(int(document["began"]), str(document["problem"])) if document else None
    except (ValueError, TypeError, KeyError):  # somebody's hand
        return None


def note_reload(spool: SpoolDirectory, reload: Reloaded) -> None:
    """Write down how a reload ended. Where the disk does not take it, whoever asked is left without an answer, and the log has it."""
    with suppress(OSError):
        spool.remember(NAME, json.dumps(reload._asdict()).encode())


@contextmanager
def noted(spool: SpoolDirectory) -> Iterator[None]:
    """While it goes on, the note says that `spool` is served here; a machine that takes no note does without."""
    with suppress(OSError):
        os.unlink(spool.beside(NAME))
    path = _place()
    if path:
        with suppress(OSError):
            _write(path, spool.place)
    try:
        yield
    finally:
        if path:
            with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
                if file.read() == f"{spool.place}\n":
                    os.unlink(path)


def _place() -> str:
    """Where this daemon leaves the note; empty for one that is not the service of the machine."""
    return NOTE if os.path.dirname(NOTE) in os.environ.get("RUNTIME_DIRECTORY", "").split(":") else ""


def _write(path: str, root: str) -> None:
    new = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(new)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(fd, 0o644)  # whatever the umask says: it is for everybody
        file.write(f"{root}\n")
    os.replace(new, path)
