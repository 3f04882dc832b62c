"""The condition of a spool directory: what in it is not as `layout` makes it, found by looking and without disturbing a daemon.

For whoever examines a machine, and for `mend`, which puts right what can be put right without a decision of somebody's. No message is
opened: names, owners and modes tell. A spool may hold a million messages, so of each directory no more than `MOST` names are looked at.

=============  ==================================================================================================
``absent``     a directory is not there; every program that needs it makes it
``mode``       others may read, write or pass where they must not, or the owner may not
``owner``      it belongs to somebody else than the spool does, so that the daemon cannot move it
``abandoned``  it was begun in ``tmp/`` or ``drop/``, and nobody who writes can still live
``stray``      a name among messages that is none of theirs
``corrupt``    it was set aside because it could not be read; a person decides
``key``        the note of a request id is damaged
``socket``     the socket of a daemon that is not there
=============  ==================================================================================================
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.io.durable import PRIVATE
from mailer.mail.problem import Problem
from mailer.spool import is_id

from . import daemons, handover, idempotency, layout
from .sweep import ABANDONED

if TYPE_CHECKING:
    from collections.abc import Iterator

FlawKind = Literal["absent", "mode", "owner", "abandoned", "stray", "corrupt", "key", "socket"]
"""A word of the table above."""

MOST = 20_000  # names of a directory
OPEN = 0o077  # rights of others that a message, and a directory of them, never gives
PASSAGE = 0o711  # of a spool that others hand mail in to
OWN = 0o700
BELL = "doorbell"


class Flaw(NamedTuple):
    """What is wrong with `path`: its `kind`, a word or two about what is there, and the mode that it is to have, where it has one.

    `slight`: it is the spool's own directory, whose names others can see and nothing else.
    """

    kind: FlawKind
    path: str
    detail: str = ""
    mode: int = 0
    slight: bool = False


def flaws(root: str, *, now: float | None = None) -> list[Flaw]:
    """What is wrong in the spool at `root`, which is there; `now` is in seconds since the epoch. Raises `OSError`."""
    moment = time.time() if now is None else now
    owner = os.stat(root).st_uid
    shared = os.path.isdir(f"{root}/drop")
    found = [*_directories(root, owner, shared=shared)]
    found += _files(root, owner, moment)
    found += _sockets(root)
    return found


def _directories(root: str, owner: int, *, shared: bool) -> Iterator[Flaw]:
    wanted = {root: PASSAGE if shared else OWN, **{f"{root}/{name}": OWN for name in layout.DIRECTORIES}}
    if shared:
        wanted[f"{root}/drop"] = layout.SHARED
    for path, mode in wanted.items():
        try:
            known = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            yield Flaw("absent", path, "it is not there", mode)
            continue
        if not stat.S_ISDIR(known.st_mode):
            yield Flaw("stray", path, "it is no directory")
            continue
        if known.st_uid != owner:
            yield Flaw("owner", path, f"it belongs to user {known.st_uid}", mode)
        found = stat.S_IMODE(known.st_mode)
        # a spool that nobody shares may let others pass: they get to no directory in it
        lacks = mode & ~found if path.endswith("/drop") else OWN & ~found
        if lacks or found & 0o7777 & ~(mode | (0o011 if path == root else 0)):
            slight = path == root and not lacks and not found & 0o7022
            yield Flaw("mode", path, f"its mode is {found:04o}", mode, slight)


def _entries(path: str) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    """The names in a directory and what the kernel knows of each, as far as `MOST`."""
    try:
        with os.scandir(path) as entries:
            for at, entry in enumerate(entries):
                if at >= MOST:
                    return
                try:
                    yield entry, entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # it has gone on
                    continue
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # which is a flaw of the directory
        return


def _files(root: str, owner: int, now: float) -> Iterator[Flaw]:
    for state in layout.STATES:
        for entry, known in _entries(f"{root}/{state}"):
            if not is_id(entry.name) or not stat.S_ISREG(known.st_mode):
                yield Flaw("stray", entry.path, "it has no name of a message" if stat.S_ISREG(known.st_mode) else "it is no file")
                continue
            yield from _rights(entry.path, known, owner)
    for entry, known in _entries(f"{root}/corrupt"):
        yield Flaw("corrupt", entry.path, f"{known.st_size} bytes")
    for entry, known in _entries(f"{root}/tmp"):
        if now - known.st_mtime > ABANDONED:
            yield Flaw("abandoned", entry.path)
    for entry, known in _entries(f"{root}/drop"):
        if entry.name.startswith(".") and now - known.st_ctime > ABANDONED:
            yield Flaw("abandoned", entry.path)
    for entry, known in _entries(f"{root}/keys"):
        yield from _rights(entry.path, known, owner)
        if known.st_uid == owner:
            yield from _key(entry.path)
    for name in (daemons.LOCK, "clock", "pauses", "reloaded"):
        path = f"{root}/{name}"
        if os.path.lexists(path):
            yield from _rights(path, os.stat(path, follow_symlinks=False), owner)


def _rights(path: str, known: os.stat_result, owner: int) -> Iterator[Flaw]:
    if known.st_uid != owner:
        yield Flaw("owner", path, f"it belongs to user {known.st_uid}", PRIVATE)
    found = stat.S_IMODE(known.st_mode)
    if found & OPEN or PRIVATE & ~found:
        yield Flaw("mode", path, f"its mode is {found:04o}", PRIVATE)


def _key(path: str) -> Iterator[Flaw]:
    try:
        idempotency.read(path)
    except Problem:
        yield Flaw("key", path, "it names no message")
    except OSError:
        return


def _sockets(root: str) -> Iterator[Flaw]:
    """Those that nobody answers: a daemon that was killed leaves them, and the next one replaces them."""
    if daemons.look(root)[0]:
        return
    for name in (BELL, handover.NAME):
        path = f"{root}/{name}"
        if os.path.lexists(path):
            yield Flaw("socket", path, "nobody listens to it")
