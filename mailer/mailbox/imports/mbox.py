"""An mbox as a source: a file of messages, one behind the other, each with a From_ line above it (RFC 4155).

Dialects differ in how a line of a message that begins with "From " is kept from being such a line. Where Content-Length is right (another
From_ line, or the end, is where it says), it counts: mboxcl. Else a message ends at an empty line with a From_ line behind it. A ``>`` that
was put before "From " is taken away, one of each line: mboxrd, and nearly all of mboxo, which cannot be read back without doubt. With a
Content-Length, and a line "From " in the message that bears none, nothing was put: mboxcl2.

Flags are read from Status, X-Status and X-Keywords, and UIDs from X-UID and X-IMAPbase; those fields, which no sender wrote, are left away,
as Dovecot does. The file is read in pieces: it may be larger than memory. It is not locked: import a copy of one that mail still comes to.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem, from_os
from mailer.mail.text import human_size
from mailer.mailbox.api import INBOX, LAST_UID

from .api import MOST, SourceFolder, SourceMessage
from .from_line import received
from .regular import passed, with_crlf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .api import PassedOver

HEADER: Final = 256 << 10
"""Octets in which the header of a message ends, as far as it is looked at here."""
NEAR: Final = 16 << 10
"""Octets that are looked at first: most messages are no longer."""
STATUS: Final = {"R": Flag.SEEN, "A": Flag.ANSWERED, "F": Flag.FLAGGED, "D": Flag.DELETED, "T": Flag.DRAFT}
OF_THE_FILE: Final = frozenset({"status", "x-status", "x-keywords", "x-uid", "x-imap", "x-imapbase"})
"""Fields that say something about the place of a message in a file."""
INTERNAL: Final = b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
KEYWORDS: Final = 100
PIECE: Final = 1 << 20

_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)


class _Span(NamedTuple):
    """Where a message is in the file, behind its From_ line, and whether its Content-Length was right."""

    start: int
    end: int
    counted: bool


class _Head(NamedTuple):
    """What the fields of the file say."""

    flags: Flag
    keywords: tuple[str, ...]
    uid: int


class MboxImport:
    """The mbox at `path`, as the folder `folder`; a message of it may have `most` octets. Raises `Problem` where there is none."""

    def __init__(self, path: str, folder: str = INBOX, *, most: int = MOST) -> None:
        self.path = path
        self.folder = folder
        self.most = most
        self._read_from, self._piece = 0, b""
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os("cannot read the mbox", path, error) from None
        try:
            about = os.fstat(self._fd)
            self.size = about.st_size
            if not stat.S_ISREG(about.st_mode):
                raise Problem(f"{path} is no regular file, and so no mbox", "usage")
            if self.size and not self._line(0).startswith(b"From "):
                raise Problem(f'{path} is no mbox: its first line does not begin with "From "', "usage")
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """See `ImportSource`."""
        os.close(self._fd)

    def folders(self) -> Sequence[SourceFolder | PassedOver]:
        """See `ImportSource`."""
        uidvalidity = uidnext = 0
        for name, value in _fields(self._head(len(self._line(0)), self.size)):
            if name in ("x-imapbase", "x-imap"):
                words = value.split()[:2]
                if len(words) == 2 and all(word.isdigit() and len(word) < 11 for word in words):
                    uidvalidity, uidnext = int(words[0]), int(words[1]) + 1
        return [SourceFolder(self.folder, "", uidvalidity, uidnext)]

    def waiting(self, folder: SourceFolder) -> Iterator[SourceMessage | PassedOver]:  # noqa: ARG002 - there is one
        """See `ImportSource`. Raises `Problem` where the file cannot be read any further."""
        start, last = 0, 0
        while start < self.size:
            line = self._line(start)
            span = self._span(start + len(line))
            where = f"{self.path}, octet {start}"
            start = self._next(span.end)
            if span.end - span.start > self.most:
                yield passed(where, f"it has {human_size(span.end - span.start)}, and a message may have {human_size(self.most)}")
                continue
            if not self._at(span.start, min(4, span.end - span.start)).strip():
                yield passed(where, "it is empty")
                continue
            head = self._head(span.start, span.end)
            if span.start == len(line) and INTERNAL in head.partition(b"\n\n")[0]:
                continue
            about = _about(head)
            uid = about.uid if about.uid > last else 0
            last = max(last, uid)
            yield SourceMessage(span, where, span.end - span.start, "", received(line) or 0.0, about.flags, about.keywords, uid)

    def read(self, folder: SourceFolder, messages: Sequence[SourceMessage]) -> Iterator[tuple[SourceMessage, bytes] | PassedOver]:  # noqa: ARG002
        """See `ImportSource`."""
        for message in messages:
            assert isinstance(message.place, _Span)
            data = self._at(message.place.start, message.place.end - message.place.start)
            counted = message.place.counted
            yield message, with_crlf(_without_fields(_unquoted(data, counted=counted), counted=counted))

    def _span(self, start: int) -> _Span:
        """The message that begins there."""
        if (length := _content_length(self._head(start, self.size))) is not None:
            end = start + length
            if end <= self.size and self._ends(end):
                return _Span(start, end, counted=True)
        return _Span(start, self._search(start), counted=False)

    def _ends(self, at: int) -> bool:
        """Whether a message can end there: the end of the file, or an empty line and a From_ line, is next."""
        behind = self._at(at, 1000)
        rest = behind.removeprefix(b"\r").removeprefix(b"\n")
        return not rest.strip(b"\r\n") or (rest != behind and received(rest.lstrip(b"\r\n").partition(b"\n")[0]) is not None)

    def _search(self, start: int) -> int:
        """Where the message that begins at `start` ends: at the empty line before the next From_ line, which is not part of it."""
        at, before, length = start, b"\n", NEAR  # a message may have nothing in it
        while at < self.size:
            piece = before + self._at(at, length)
            length = min(2 * length, PIECE)
            offset = at - len(before)
            found = -1
            while (found := piece.find(b"\nFrom ", found + 1)) >= 0:
                if offset + found + 1 > start and self._parts(offset + found):
                    return self._without_line(start, offset + found + 1)
            before = piece[-5:]
            at = offset + len(piece)
        return self._without_line(start, self.size)

    def _parts(self, at: int) -> bool:
        """Whether the line end at `at`, and the line "From " behind it, part two messages."""
        above = self._at(max(at - 2, 0), min(at, 2))
        return above.endswith((b"\n", b"\n\r")) and received(self._line(at + 1)) is not None

    def _without_line(self, start: int, end: int) -> int:
        """The end of a message that has an empty line behind it."""
        tail = self._at(max(start, end - 4), end - max(start, end - 4))
        for empty in (b"\r\n\r\n", b"\n\n"):
            if tail.endswith(empty):
                return end - len(empty) // 2
        return end

    def _next(self, end: int) -> int:
        """Where the next From_ line begins behind a message, the file's end if none does."""
        at = end
        while at < self.size and (line := self._line(at)) and not line.strip(b"\r\n"):
            at += len(line)
        return at

    def _line(self, at: int) -> bytes:
        """The line that begins there, cut where it is longer than a From_ line."""
        piece = self._at(at, 2000)
        end = piece.find(b"\n")
        return piece[: end + 1] if end >= 0 else piece

    def _head(self, start: int, end: int) -> bytes:
        """The message's first octets, with all of its header if that is no longer than `HEADER`."""
        head = self._at(start, min(NEAR, end - start))
        return head if b"\n\n" in head or b"\n\r\n" in head else self._at(start, min(HEADER, end - start))

    def _at(self, start: int, length: int) -> bytes:
        """Octets of the file, as a rule from a piece of it that was read before. Raises `Problem`."""
        begin = start - self._read_from
        if length <= PIECE and not (begin >= 0 and begin + length <= len(self._piece)):
            self._read_from, self._piece, begin = start, self._pread(start, PIECE), 0
        return self._piece[begin : begin + length] if length <= PIECE else self._pread(start, length)

    def _pread(self, start: int, length: int) -> bytes:
        """Raises `Problem`."""
        parts = []
        try:
            while length > 0 and (part := os.pread(self._fd, length, start)):
                parts.append(part)
                start += len(part)
                length -= len(part)
        except OSError as error:
            raise from_os("cannot read the mbox", self.path, error) from None
        return b"".join(parts)


def _fields(head: bytes) -> Iterator[tuple[str, str]]:
    """Names, in small letters, and values of the fields of a header that stand on one line."""
    for line in head.split(b"\n"):
        if not line.strip():
            return
        name, colon, value = line.partition(b":")
        if colon and not line[:1].isspace():
            yield name.decode("ascii", "replace").lower(), value.decode("utf-8", "replace").strip()


def _content_length(head: bytes) -> int | None:
    """Octets from the beginning of the message, header and all, that Content-Length tells."""
    values = [value for name, value in _fields(head) if name == "content-length"]
    ends = [found.end() for found in (re.search(rb"\r?\n\r?\n", head),) if found]
    if len(values) != 1 or not ends or not (values[0].isascii() and values[0].isdigit() and len(values[0]) < 13):
        return None
    return ends[0] + int(values[0])


def _about(head: bytes) -> _Head:
    flags, keywords, uid = PLAIN, [], 0
    for name, value in _fields(head):
        if name in ("status", "x-status"):
            for letter in value[:20]:
                flags |= STATUS.get(letter, PLAIN)
        elif name == "x-keywords":
            keywords += value.split()[:KEYWORDS]
        elif name == "x-uid" and value.isascii() and value.isdigit() and len(value) < 11:
            uid = int(value)
    return _Head(flags, tuple(dict.fromkeys(keywords)), uid if uid <= LAST_UID else 0)


def _without_fields(data: bytes, *, counted: bool) -> bytes:
    """The message without what was written about its place in the file; a Content-Length that is wrong came with the message."""
    left = OF_THE_FILE | {"content-length"} if counted else OF_THE_FILE
    found = re.search(rb"\r?\n\r?\n", data)
    end = found.start() if found else len(data)
    lines, kept, drops = data[:end].split(b"\n"), [], False
    for line in lines:
        if not line[:1].isspace():
            drops = line.partition(b":")[0].decode("ascii", "replace").lower() in left
        if not drops:
            kept.append(line)
    return b"\n".join(kept) + data[end:] if len(kept) < len(lines) else data


def _unquoted(data: bytes, *, counted: bool) -> bytes:
    """The message with its lines "From " as they were."""
    if b">From " not in data or (counted and b"\nFrom " in data):
        return data
    return _QUOTED.sub(rb"\1", data)
