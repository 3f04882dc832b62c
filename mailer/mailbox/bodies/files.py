"""Messages as files, one each: written once beside, synced, linked to their place, and never changed there.

A crash argument for `put`: what is written is a draft in ``tmp/``, in nobody's way, until its octets are on the disk; then it is linked to
its name, and when the names are on the disk as well, `put` returns. A crash before leaves drafts, which `sweep` removes, and maybe messages
that nobody was told of, which are whole. An error takes back the names that this call gave; those of before stay.

Only regular files are read, and no link is followed: what others put there is no message of ours.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager, nullcontext
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from mailer.io.computing import waiting
from mailer.io.durable import begin_new, finish_new, forget, hurry, let_go, sync_directory
from mailer.mail.problem import Problem, from_os
from mailer.spool import is_id

from .api import BodyStat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mailbox.layout import Layout

    from .api import NewBody

READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MOST_OPEN: Final = 64
"""Drafts that are written before the first of them is synced: as many descriptors are open."""


class FileBodies:
    """Messages below `layout`; `acting` is entered for each change, as whoever owns the directory. It may be used by several threads."""

    def __init__(self, layout: Layout, acting: Callable[[], Any] = nullcontext) -> None:
        self.layout = layout
        self._acting = acting

    def put(self, bodies: Sequence[NewBody]) -> None:
        """Keep these; durable when it returns. One of that ID which is there already stays as it is."""
        self._keep(bodies, os.link)

    def replace(self, bodies: Sequence[NewBody]) -> None:
        """Keep these in place of those that are there: whoever reads gets the one or the other, after a crash as well."""
        self._keep(bodies, os.rename)

    def read(self, owner: str, id: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` octets of a message from `start` on, or all that are left. Raises `Problem`."""
        path = self.layout.body(owner, id)
        try:
            fd = os.open(path, READ)
        except FileNotFoundError:
            raise Problem(f"the message {id} is not there any more: {path}", "no-such") from None
        except OSError as error:
            raise from_os("cannot read a message", path, error) from None
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise Problem(f"the message {path} is no regular file", "io-error")
            left = max(about.st_size - start, 0)
            return _read(fd, start, left if length is None else min(left, length))
        except OSError as error:
            raise from_os("cannot read a message", path, error) from None
        finally:
            let_go(fd)

    def remove(self, owner: str, ids: Sequence[str]) -> None:
        """Forget these; one that is gone already is no trouble."""
        for id in ids:
            path = self.layout.body(owner, id)
            with self._acting(), _told("cannot remove a message", path):
                forget(path)

    def listing(self, owner: str) -> Iterator[BodyStat]:
        """All messages of an owner, in no order."""
        for some in _entries(self.layout.mail(owner)):
            for each in _entries(some.path) if some.is_dir(follow_symlinks=False) else ():
                if is_id(each.name) and each.is_file(follow_symlinks=False):
                    with _passing():
                        about = each.stat(follow_symlinks=False)
                        yield BodyStat(each.name, about.st_size, about.st_mtime)

    def forget(self, owner: str) -> None:
        """Forget all of an owner, for ever."""
        for path in (self.layout.mail(owner), self.layout.drafts(owner)):
            with self._acting(), _told("cannot remove the messages", path):
                if os.path.lexists(path):
                    shutil.rmtree(path)

    def sweep(self, owner: str, before: float) -> int:
        """Remove what was begun before this time and never finished; how many there were."""
        found = 0
        for each in _entries(self.layout.drafts(owner)):
            with self._acting(), _told("cannot remove a draft", each.path), _passing():
                if each.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(each.path)
                    found += 1
        return found

    def close(self) -> None:
        """Nothing is open."""

    def _keep(self, bodies: Sequence[NewBody], give: Callable[[str, str], None]) -> None:
        given: list[str] = []
        try:
            for begin in range(0, len(bodies), MOST_OPEN):
                self._keep_some(bodies[begin : begin + MOST_OPEN], give, given)
        except BaseException:
            for path in given if give is os.link else ():
                forget(path)
            raise

    def _keep_some(self, bodies: Sequence[NewBody], give: Callable[[str, str], None], given: list[str]) -> None:
        """Have each on the disk, then at its name, then the names on the disk; `given` gets what is at its name by this."""
        drafts = [f"{self.layout.drafts(body.owner)}/{body.id}.{token_hex(4)}" for body in bodies]
        paths = [self.layout.body(body.owner, body.id) for body in bodies]
        with self._acting(), _told("cannot keep a message", paths[0]):
            for directory in dict.fromkeys(os.path.dirname(path) for path in drafts):
                self.layout.have(directory)
            try:
                write_all_new(drafts, bodies)
                for draft, path in zip(drafts, paths, strict=True):
                    self.layout.have(os.path.dirname(path))
                    if _give(draft, path, give):
                        given.append(path)
                for directory in dict.fromkeys(os.path.dirname(path) for path in paths):
                    with waiting():
                        sync_directory(directory)
            finally:
                for draft in drafts:
                    forget(draft)


def write_all_new(paths: Sequence[str], bodies: Sequence[NewBody]) -> None:
    """Write each to its path and sync it, when the kernel has begun with all of them. Raises `OSError`."""
    begun: list[tuple[str, int]] = []
    try:
        for path, body in zip(paths, bodies, strict=True):
            begun.append((path, begin_new(path, body.parts)))
            if len(paths) > 1:
                hurry(begun[-1][1])
        while begun:
            with waiting():
                finish_new(*begun.pop(0))
    finally:
        for _, fd in begun:
            let_go(fd)


def _give(draft: str, path: str, give: Callable[[str, str], None]) -> bool:
    """Give the draft its name; False where there is a message of that name, which stays."""
    try:
        give(draft, path)
    except FileExistsError:
        return False
    return True


def _read(fd: int, start: int, length: int) -> bytes:
    """So many octets, which may come in several pieces."""
    pieces = []
    while length > 0 and (piece := os.pread(fd, length, start)):
        pieces.append(piece)
        start, length = start + len(piece), length - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    """What is in a directory; nothing where there is none."""
    with _told("cannot look into", path):
        try:
            found = os.scandir(path)
        except FileNotFoundError:
            return
        with found:
            yield from found


@contextmanager
def _passing() -> Iterator[None]:
    """What another has removed meanwhile is gone."""
    try:
        yield
    except FileNotFoundError:
        pass


@contextmanager
def _told(what: str, path: str) -> Iterator[None]:
    """What the system says, as a `Problem`."""
    try:
        yield
    except OSError as error:
        raise from_os(what, error.filename or path, error) from None
