"""The file of one report: what is in it, and how it is read.

A file is written once, then only appended to, then only renamed::

    mailer-report/1 FACTSLEN CONTENTLEN CRC32\\n     ASCII; lengths in octets; the sum is zlib's crc32 over facts and content
    {"source":"stdin","at":…}\\n                     how it came, one JSON object; FACTSLEN counts its newline
    …CONTENTLEN octets, as they came…
    \\n{…}\\n                                         what became of it, one JSON object; the last that is whole counts

A stranger may have put anything in the place of a report, so nothing but a regular file is read, and no more of it than some.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import zlib
from typing import TYPE_CHECKING, NamedTuple

from mailer.io import durable

from .api import Facts, LoadedReport, ReportRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .api import ReportState

LARGEST = 64 << 20  # octets of a report that is loaded
LONGEST_NOTE = 65536  # octets

_MAGIC = b"mailer-report/1"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DamagedReport(ValueError):
    """A file of a report that does not say what it has to."""


class _Head(NamedTuple):
    """What the head of a file says: the sum, the line of facts, and where the content is."""

    crc: int
    line: bytes
    start: int
    end: int


def parts(content: bytes, facts: Facts) -> tuple[bytes, bytes, bytes]:
    """What is written into a new file."""
    line = facts.as_line()
    crc = zlib.crc32(content, zlib.crc32(line))
    return b"%s %d %d %08x\n" % (_MAGIC, len(line), len(content), crc), line, content


def load(path: str, id: str) -> LoadedReport:
    """The report in this file. Raises `OSError`, `DamagedReport`."""
    fd, size = _open(path)
    with open(fd, "rb") as file:
        head = _head(file.read(LONGEST_NOTE), size)
        if head.end - head.start > LARGEST:
            raise DamagedReport("it is too large")
        file.seek(head.start)
        content = file.read(head.end - head.start)
    if zlib.crc32(content, zlib.crc32(head.line)) != head.crc:
        raise DamagedReport("its sum does not hold")
    return LoadedReport(id, _facts(head), content)


def _open(path: str) -> tuple[int, int]:
    """A descriptor of the file, and its size. Raises `DamagedReport` where it is none."""
    try:
        fd = os.open(path, _READ)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise DamagedReport("it is no regular file") from None
        raise
    known = os.fstat(fd)
    if not stat.S_ISREG(known.st_mode):
        durable.let_go(fd)
        raise DamagedReport("it is no regular file")
    return fd, known.st_size


def _head(data: bytes, size: int) -> _Head:
    """The head of a file of `size` octets that begins with `data`. Raises `DamagedReport`."""
    first, newline, _ = data.partition(b"\n")
    words = first.split(b" ")
    try:
        if not newline or len(words) != 4 or words[0] != _MAGIC:
            raise ValueError
        facts, content, crc = int(words[1]), int(words[2]), int(words[3], 16)
        start = len(first) + 1 + facts
        if facts < 2 or content < 0 or start + content > size or start > len(data):
            raise ValueError
    except ValueError:
        raise DamagedReport("it does not begin as a report does") from None
    return _Head(crc, data[len(first) + 1 : start], start, start + content)


def _facts(head: _Head) -> Facts:
    try:
        return Facts.read(head.line)
    except ValueError:
        raise DamagedReport("it does not say how it came") from None


def note_line(note: Mapping[str, object]) -> bytes:
    """The note as a line; of one that is longer than `LONGEST_NOTE` only its plain members, as far as they go."""
    line = json.dumps(dict(note), separators=(",", ":")).encode() + b"\n"
    if len(line) <= LONGEST_NOTE:
        return line
    plain = {name: value[:1000] if isinstance(value, str) else value for name, value in note.items() if not isinstance(value, list | dict)}
    return json.dumps(dict(list(plain.items())[:20]), separators=(",", ":")).encode() + b"\n"


def row(path: str, state: ReportState, id: str) -> ReportRow | None:
    """What a list says of the report in this file; None if it is gone, or damaged. Raises `OSError`."""
    try:
        fd, size = _open(path)
        with open(fd, "rb") as file:
            head = _head(file.read(LONGEST_NOTE), size)
            file.seek(max(head.end, size - LONGEST_NOTE - 2))
            return ReportRow(id, state, _facts(head), head.end - head.start, _note(file.read(LONGEST_NOTE + 2)))
    except (FileNotFoundError, DamagedReport):
        return None


def _note(tail: bytes) -> dict[str, object]:
    """The last whole note."""
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}
