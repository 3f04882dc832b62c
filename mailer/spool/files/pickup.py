"""Adopt: the daemon takes what other users put into ``drop/`` of a system-wide spool.

Everything in ``drop/`` is hostile until proven mail. A file is opened without following links and without
waiting (a FIFO would, and a lease), must be a regular file with one name, which nobody but its owner may write, with no more bytes
than allowed. Then it is judged as `admit` says.

**Whose it is.** The submitter is the file's owner, if he is the one who put it there. Whoever has a directory can move what another user
wrote in it to ``drop/``, with `rename` or `link`, and it keeps its owner. So a file has to be made in ``drop/``: the kernel gives
those the group of the directory (its setgid bit), and nobody can give his file, let alone another's, a group that he is not in. And a
user who writes the spool himself, root or its owner, leaves nothing here: see `handover`. This does not cover somebody who is made to write
a whole spool file into a directory that an attacker made below ``drop/``.

**What stops nothing.** Each error is that of one file: it is taken, or refused, or comes later. Only when the daemon has no
descriptor or memory left, or the spool takes nothing from anybody, the pass ends.

==================  ====================================================================================
taken               copied, never moved: its owner may still hold it open and could change what we checked
refused             as `drop` says: kept in ``corrupt/`` unread, or deleted if there is nothing in it
later               it cannot be opened this moment, it grows, the disk has no room for one of its size or this process
                    no memory, it was refused and its owner's share of ``corrupt/`` is full, or it is a directory that we
                    may not remove; it is left
==================  ====================================================================================

==========================================  =======================================================
step                                        what a crash right after it leaves
==========================================  =======================================================
admit it                                    both files; the next adoption finds the ID and removes the one in ``drop/``
unlink ``drop/ID``, fsync ``drop/``         the message, once
==========================================  =======================================================

What was read once and is left for what it says is not read again until it changes or somebody may judge otherwise, see `Stuck`: a
thousand such files cost a look at each.

A message that was delivered between the two steps is known to the status database, which the judge's `IntakeTerms` ask: it is not
taken twice.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mailer.io import durable
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.api import CorruptMessage, LaterMessage

from .admit import IntakeTerms, Stranger, admit
from .drop import Aside, DropListing, Found, ShareFull, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .store import SpoolDirectory

OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors of opening a file that are not the file's."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of the spool that a smaller message need not meet."""


class Later(Exception):
    """A file that cannot be taken now; `str()` says why."""


class Refused(NamedTuple):
    """A file that is kept in ``corrupt/``: its name in ``drop/``, whose it was, why, and where it is."""

    name: str
    uid: int
    reason: str
    path: str


class Renamed(NamedTuple):
    """A message that has the ID `id` and not the `name` under which its user left it, which says another time."""

    name: str
    uid: int
    id: str


class Stuck:
    """Files in ``drop/`` that were read, are no mail and are left there, with what was said of them under the `terms` of then."""

    MOST = 20_000  # files; when there are more, all are read once more

    def __init__(self) -> None:
        self._terms: IntakeTerms | None = None
        self._said: dict[tuple[str, int, int], tuple[type[CorruptMessage], str]] = {}

    def under(self, terms: IntakeTerms) -> None:
        """Forget what was refused under other terms than these."""
        if terms is not self._terms:
            self._terms, self._said = terms, {}

    def note(self, file: tuple[str, int, int], error: CorruptMessage) -> None:
        """Note what is wrong with a file, known by its name, inode and ctime (ns)."""
        if len(self._said) >= self.MOST:
            self._said.clear()
        self._said[file] = type(error), str(error)

    def look(self, file: tuple[str, int, int]) -> None:
        """Raise the `CorruptMessage` that was noted of a file, if one was."""
        if (said := self._said.get(file)) is not None:
            kind, text = said
            raise kind(text)


class Rest:
    """What is left of one look at ``drop/``: `files`, and whether it was `cut`, and whether anything of it has `gained` a place."""

    __slots__ = ("cut", "files", "gained")

    def __init__(self, files: Iterator[Found], *, cut: bool = False) -> None:
        self.files = files
        self.cut = cut
        self.gained = False


class Adopted:
    """The result of one pass over ``drop/``.

    `ids` are now in the spool, `refused` in ``corrupt/``. By user: how many were `deleted` and `left`, and `why` for one of them.
    `renamed` are those of `ids` that came under others. `trouble` is what the spool has no room for, `bugs` are errors of ours. There
    may be `more` to take; `rest` is what of it was found by the same look at ``drop/``.
    """

    __slots__ = ("bugs", "deleted", "ids", "left", "more", "refused", "renamed", "rest", "trouble", "why")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.refused: list[Refused] = []
        self.renamed: list[Renamed] = []
        self.deleted: Counter[int] = Counter()
        self.left: Counter[int] = Counter()
        self.why: dict[int, str] = {}
        self.trouble = ""
        self.bugs: list[Exception] = []
        self.more = False
        self.rest: Rest | None = None

    @property
    def gone(self) -> int:
        """How many files are no longer in ``drop/``."""
        return len(self.ids) + len(self.refused) + self.deleted.total()


def adopt(
    spool: SpoolDirectory,
    terms: IntakeTerms,
    limit: int = 1000,
    names: Iterable[str] | None = None,
    *,
    until: float = float("inf"),
    stuck: Stuck | None = None,
    rest: Rest | None = None,
) -> Adopted:
    """Take up to `limit` files out of ``drop/`` that came before `until`, or those of `names`. `stuck` is what earlier passes left.

    With the `rest` of the pass before, it goes on with that one: to look at a directory takes as long as there are files in it.

    Raises `OSError` only for errors of the spool itself; then what was not yet taken is still in ``drop/``.
    """
    work = _Pass(spool, terms, stuck or Stuck())
    if names is not None:
        rest = Rest(named(spool, names))
    elif rest is None:
        listing = DropListing(spool, until)
        rest = Rest(iter(listing), cut=listing.cut)
    while (found := next(rest.files, None)) is not None:
        work.look(found)
        rest.gained |= work.done.gone > 0
        if work.done.gone >= limit:
            work.done.more, work.done.rest = True, rest
            break
    else:
        work.done.more = rest.cut and rest.gained
    if work.done.ids:
        durable.sync_directory(f"{spool.root}/drop")
    return work.done


class _Pass:
    """One pass over ``drop/``; `done` says what came of it."""

    def __init__(self, spool: SpoolDirectory, terms: IntakeTerms, stuck: Stuck) -> None:
        self.spool = spool
        self.terms = terms
        self.stuck = stuck
        self.stuck.under(terms)
        self.done = Adopted()
        self._file = ("", 0, 0)  # the one that was opened last, as `Stuck` knows it
        self._room = float("inf")  # bytes that the spool did not take
        self._aside = Aside(spool)
        drop = os.stat(f"{spool.root}/drop") if os.path.isdir(f"{spool.root}/drop") else None
        self._group = drop.st_gid if drop and drop.st_mode & stat.S_ISGID else None

    def look(self, found: Found) -> None:
        """Take it, refuse it, or leave it for later. Raises `OSError` as `adopt` does."""
        try:
            if id := self._take(found.name):
                self.done.ids.append(id)
                if id != found.name:
                    self.done.renamed.append(Renamed(found.name, found.uid, id))
        except LaterMessage as error:
            self._leave(found, str(error))
            self.stuck.note(self._file, error)
        except CorruptMessage as error:
            self._refuse(found, error)
        except Later as why:
            self._leave(found, str(why))
        except MemoryError:
            self._leave(found, "there is not enough memory for it at the moment")
        except OSError:
            raise
        except Exception as error:  # whatever a file makes of us, the next one is looked at
            self.done.bugs.append(error)
            self._leave(found, f"{type(error).__name__}: {error}")

    # Taken

    def _take(self, name: str) -> str:
        """The ID that it has now; empty if its owner took it back."""
        if not is_id(name):
            raise CorruptMessage("its name is no ID")
        path = f"{self.spool.root}/drop/{name}"
        read = self._read(path)
        if read is None:
            return ""
        data, known = read
        id = self._admitted(data, name, known)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # its owner did that
        except OSError as error:
            raise Later(f"it is message {id} now, and cannot be removed: {error.strerror}") from None
        return id

    def _admitted(self, data: bytes, name: str, known: os.stat_result) -> str:
        stranger = Stranger(unix(known.st_uid), known.st_ctime)  # nobody can set a file's ctime
        try:
            return admit(self.spool, data, name, stranger, self.terms)
        except Problem as problem:
            if problem.kind in ("bad-message", "no-permission"):
                raise CorruptMessage(str(problem)) from None
            raise self._full(len(data), str(problem)) from None
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise self._full(len(data), f"{error.filename or self.spool.root}: {error.strerror}") from None

    def _full(self, size: int, why: str) -> Later:
        self._room = min(self._room, size)
        self.done.trouble = self.done.trouble or why
        return Later(why)

    def _read(self, path: str) -> tuple[bytes, os.stat_result] | None:
        fd = _open(path)
        if fd is None:
            return None
        try:
            known = os.fstat(fd)
            self._file = os.path.basename(path), known.st_ino, known.st_ctime_ns
            self._check(known)
            self.stuck.look(self._file)
            data = _read_all(fd, known.st_size)
        except OSError as error:
            raise Later(f"it cannot be read: {error.strerror}") from None
        finally:
            durable.let_go(fd)
        return data, known

    def _check(self, known: os.stat_result) -> None:
        """What can be said of a file before it is read."""
        if not stat.S_ISREG(known.st_mode) or known.st_nlink != 1:
            raise CorruptMessage("it is no regular file with one name")
        if known.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise CorruptMessage("others than its owner may write it, so nobody knows who did")
        if known.st_uid in self.terms.writers:
            raise CorruptMessage(f"user {known.st_uid} writes the spool itself, so somebody else put it here")
        if self._group is not None and known.st_gid != self._group:
            raise CorruptMessage("it was not made in drop/, so nobody knows who put it there")
        if known.st_size > self.terms.largest:
            raise CorruptMessage(f"it has {known.st_size} bytes, more than a message may have")
        if known.st_size >= self._room:
            raise Later("the disk has no room for it")

    # Refused

    def _refuse(self, found: Found, reason: CorruptMessage) -> None:
        try:
            path = self._aside.take(found.name)
        except ShareFull as full:
            self._leave(found, f"{reason}; {full}")
            if found.name == self._file[0]:
                self.stuck.note(self._file, reason)
            return
        except OSError as error:
            if os.path.lexists(f"{self.spool.root}/drop/{found.name}"):  # else its owner took it back
                self._leave(found, f"{reason} ({error.strerror})")
            return
        if path:
            self.done.refused.append(Refused(found.name, found.uid, str(reason), path))
        else:
            self.done.deleted[found.uid] += 1
            self.done.why.setdefault(found.uid, f"{found.name}: {reason}")

    def _leave(self, found: Found, reason: str) -> None:
        self.done.left[found.uid] += 1
        self.done.why.setdefault(found.uid, f"{found.name}: {reason}")


def _open(path: str) -> int | None:
    """Its descriptor, or None if it has gone."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in OURS:
            raise
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EACCES):
            raise CorruptMessage(f"it cannot be opened as a regular file ({error.strerror})") from None
        raise Later(f"it cannot be opened: {error.strerror}") from None  # EAGAIN: its owner has a lease on it


def _read_all(fd: int, size: int) -> bytes:
    data = bytearray()
    while part := os.read(fd, 1 << 20):
        data += part
        if len(data) > size:
            raise Later("it grows while it is read")
    return bytes(data)
