"""A Maildir as a source: ``cur/`` and ``new/`` with a file for each message (https://cr.yp.to/proto/maildir.html).

Three ways in which folders lie are known, and found out: Maildir++ (``.Archive.2024``, in modified UTF-7 or UTF-8), folders in folders
(Dovecot's ``LAYOUT=fs``), and directories that are Maildirs side by side, as mbsync and mutt have them. Flags are the letters behind
``:2,``, letters that are not known say nothing. The time of a message is that of its file. What Dovecot keeps beside the messages is read
by `dovecot`; where it is, messages keep their UIDs, and the UIDLs by which POP3 knew them.

`S=` in a name, by which some tell a size, is not believed.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.imap.names import from_modified_utf7
from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem, from_os
from mailer.mailbox.api import INBOX

from . import dovecot
from .api import MOST, PassedOver, SourceFolder, SourceMessage
from .regular import DIRECTORY, Unfit, content, passed, refusal, shown, small, with_crlf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FLAGS: Final = {"S": Flag.SEEN, "R": Flag.ANSWERED, "F": Flag.FLAGGED, "T": Flag.DELETED, "D": Flag.DRAFT}
FOLDERS: Final = 10_000
DEPTH: Final = 32
BESIDE: Final = 64 << 20
"""Octets of a file beside the messages: a list of UIDs of half a million."""
MARK: Final = b":2,"


class _Place(NamedTuple):
    """A file of a message: below which directory it is, and its name."""

    directory: bytes
    name: bytes


class MaildirImport:
    """The Maildir at `path`; a message of it may have `most` octets. Raises `Problem` where there is none."""

    def __init__(self, path: str, *, most: int = MOST) -> None:
        self.path = path
        self.most = most
        try:
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._owner = os.fstat(self._root).st_uid
        except NotADirectoryError:
            raise Problem(f"{path} is no directory, and so no Maildir", "usage") from None
        except OSError as error:
            raise from_os("cannot read the Maildir", path, error) from None

    def close(self) -> None:
        """See `ImportSource`."""
        os.close(self._root)

    def folders(self) -> Sequence[SourceFolder | PassedOver]:
        """See `ImportSource`. Raises `Problem` where there is no Maildir."""
        found: list[SourceFolder | PassedOver] = []
        subscribed = {name.removeprefix(b"INBOX.") for name in dovecot.subscriptions(self._beside(b"", dovecot.SUBSCRIPTIONS))}
        for place, names in self._places(found):
            name = "/".join(map(_readable, names)) or INBOX
            uids = dovecot.uid_list(self._beside(place, dovecot.UIDLIST))
            shows = not subscribed or not names or b".".join(names) in subscribed
            count = sum(self._count(place, each) for each in (b"cur", b"new"))
            found.append(SourceFolder(name, os.fsdecode(place), uids.uidvalidity, uids.uidnext, "", shows, count))
        if not any(isinstance(each, SourceFolder) for each in found):
            raise Problem(f"{self.path} is no Maildir: there is no cur/ in it, nor in a directory below it", "usage")
        return sorted(found, key=lambda each: each.name.split("/") if isinstance(each, SourceFolder) else [])

    def _places(self, troubles: list[SourceFolder | PassedOver]) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        """Directories that are Maildirs, below the root, and the levels of their names."""
        todo: list[tuple[bytes, tuple[bytes, ...]]] = [(b"", ())]
        found = 0
        while todo:
            place, names = todo.pop()
            inside = self._directories(place, troubles)
            if b"cur" in inside:
                found += 1
                if found > FOLDERS:
                    troubles.append(passed(self.path, f"it has more than {FOLDERS} folders"))
                    return
                yield place, names
            if len(names) == DEPTH:
                troubles.append(passed(self._shown(place), f"it is {DEPTH} levels deep; what is below is not looked at"))
                continue
            below = ((each, _levels(place, each)) for each in sorted(inside - {b"cur", b"new", b"tmp"}))
            todo += [(os.path.join(place, each), (*names, *levels)) for each, levels in below if levels]

    def _directories(self, place: bytes, troubles: list[SourceFolder | PassedOver]) -> set[bytes]:
        found = set()
        try:
            with self._opened(place) as fd, os.scandir(fd) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        found.add(name)
                    elif entry.is_symlink() and entry.is_dir():
                        troubles.append(passed(self._shown(place, name), "it is a symbolic link to a directory"))
        except OSError as error:
            troubles.append(passed(self._shown(place), error.strerror or "it cannot be read"))
        return found

    def waiting(self, folder: SourceFolder) -> Iterator[SourceMessage | PassedOver]:
        """See `ImportSource`."""
        place = os.fsencode(folder.place)
        uids = dovecot.uid_list(self._beside(place, dovecot.UIDLIST))
        words = dovecot.keywords(self._beside(place, dovecot.KEYWORDS))
        troubles: list[PassedOver] = []
        found: list[tuple[tuple[int, float, bytes], SourceMessage]] = []
        for below in (b"cur", b"new"):
            for name, about in self._files(os.path.join(place, below), troubles):
                base, _, letters = name.partition(MARK)
                known = uids.messages.pop(base, None)  # a second file of this name is another message
                found.append(
                    (
                        (known.uid if known else 1 << 32, about.st_mtime, name),
                        self._waiting(_Place(os.path.join(place, below), name), about, letters, words, known, uids),
                    )
                )
        yield from troubles
        yield from (message for _, message in sorted(found, key=lambda each: each[0]))

    def _waiting(
        self, at: _Place, about: os.stat_result, letters: bytes, words: dict[str, str], known: dovecot.KnownAs | None, uids: dovecot.UidList
    ) -> SourceMessage:
        flags = PLAIN
        text = letters.decode("ascii", "replace").partition(",")[0]
        for letter in text:
            flags |= FLAGS.get(letter, PLAIN)
        return SourceMessage(
            at,
            self._shown(at.directory, at.name),
            about.st_size,
            received=about.st_mtime,
            flags=flags,
            keywords=tuple(words[letter] for letter in dict.fromkeys(text) if letter in words),
            uid=known.uid if known else 0,
            uidl=(known.uidl or dovecot.uidl_of(known.uid, uids.uidvalidity)) if known else "",
        )

    def _files(self, place: bytes, troubles: list[PassedOver]) -> Iterator[tuple[bytes, os.stat_result]]:
        """The files of a directory that are fit; of the others it is said why."""
        try:
            with self._opened(place) as fd, os.scandir(fd) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    name = os.fsencode(entry.name)
                    try:
                        about = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if why := refusal(about, self._owner, self.most):
                        troubles.append(passed(self._shown(place, name), why))
                    else:
                        yield name, about
        except FileNotFoundError:  # some have no new/
            return
        except OSError as error:
            troubles.append(passed(self._shown(place), error.strerror or "it cannot be read"))

    def read(self, folder: SourceFolder, messages: Sequence[SourceMessage]) -> Iterator[tuple[SourceMessage, bytes] | PassedOver]:  # noqa: ARG002
        """See `ImportSource`. A message whose flags somebody changes meanwhile has another name then, and is found by it."""
        for message in messages:
            assert isinstance(message.place, _Place)
            try:
                yield message, with_crlf(self._content(message.place))
            except Unfit as error:
                yield passed(message.where, str(error))
            except FileNotFoundError:
                continue
            except OSError as error:
                yield passed(message.where, error.strerror or "it cannot be read")

    def _content(self, at: _Place) -> bytes:
        """Raises `Unfit`, `OSError`: `FileNotFoundError` for one that is gone."""
        try:
            with self._opened(at.directory) as fd:
                return content(fd, os.fsdecode(at.name), self._owner, self.most)[0]
        except FileNotFoundError:
            other = os.path.join(os.path.dirname(at.directory), b"cur")
            base = at.name.partition(MARK)[0]
            with self._opened(other) as fd:
                name = next((each for each in os.listdir(fd) if os.fsencode(each).partition(MARK)[0] == base), None)
                if name is None:
                    raise
                return content(fd, name, self._owner, self.most)[0]

    def _beside(self, place: bytes, name: str) -> bytes:
        try:
            with self._opened(place) as fd:
                return small(fd, name, self._owner, BESIDE)
        except OSError:
            return b""

    def _count(self, place: bytes, below: bytes) -> int:
        try:
            with self._opened(os.path.join(place, below)) as fd:
                return sum(not name.startswith(".") for name in os.listdir(fd))
        except OSError:
            return 0

    @contextmanager
    def _opened(self, place: bytes) -> Iterator[int]:
        """A directory below the root, reached level by level without following a link. Raises `OSError`."""
        fd = os.open(".", DIRECTORY, dir_fd=self._root)
        try:
            for level in place.split(b"/") if place else ():
                inner = os.open(level, DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    def _shown(self, place: bytes, name: bytes = b"") -> str:
        return shown(os.path.join(self.path, os.fsdecode(os.path.join(place, name) if name else place)).rstrip("/"))


def _levels(place: bytes, name: bytes) -> tuple[bytes, ...]:
    """The levels of a folder's name that a directory `name` below `place` stands for; none where it is no folder."""
    if not name.startswith(b"."):
        return (name,)
    if place:  # Maildir++ has folders in the root alone; what is hidden elsewhere is not mail
        return ()
    levels = tuple(each for each in name[1:].split(b".") if each)
    return levels[1:] if len(levels) > 1 and levels[0] == b"INBOX" else levels  # as Courier may have it


def _readable(level: bytes) -> str:
    """One level of a folder's name as people read it. What is no name in any way keeps its octets, as ``=XX``."""
    try:
        name = from_modified_utf7(level.decode("ascii"))
    except ValueError:
        try:
            name = level.decode()
        except UnicodeDecodeError:
            name = "".join(chr(octet) if 32 <= octet < 127 else f"={octet:02X}" for octet in level)
    return "".join("_" if letter == "/" or not letter.isprintable() else letter for letter in name)
