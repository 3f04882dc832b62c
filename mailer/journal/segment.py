"""A segment: a file of the journal, whole lines in the order of their IDs, appended to and otherwise never changed.

Its name is an ID with ``.jsonl`` behind; no event in it has a lower one, so the names alone say where an event is. Within the file it is
found by halving. A line counts when its end is there: what a crash has torn reads as not written, and a line in the middle that is
damaged is passed over. Nothing of a file is in memory but a `BLOCK`, and a line has a bound.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from mailer.spool import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".jsonl"
BLOCK = 1 << 16  # bytes that are read at once
LONGEST = 1 << 18  # bytes of a line; what is longer is damaged
_START, _ID = b'{"id":"', 26


class SegmentLine(NamedTuple):
    """A whole line, without its end, where it begins, and the ID that it begins with: empty where it is damaged there."""

    start: int
    id: str
    text: bytes


def names(directory: str) -> list[str]:
    """The segments in `directory`, by their names without the suffix, oldest first. Raises `OSError`."""
    try:
        found = [name.removesuffix(SUFFIX) for name in os.listdir(directory) if name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if is_id(name))


def path_of(directory: str, name: str) -> str:
    """The path of a segment."""
    return f"{directory}/{name}{SUFFIX}"


def opened(directory: str, name: str) -> int:
    """A descriptor to read a segment by. Raises `OSError`."""
    return os.open(path_of(directory, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def lines(fd: int, start: int = 0) -> Iterator[SegmentLine]:
    """The lines from `start` on, where one begins, to the end of the file, or to what is torn there."""
    at, rest, skipping = start, b"", False
    while block := os.pread(fd, BLOCK, at + len(rest)):
        rest += block
        while (end := rest.find(b"\n")) >= 0:
            if not skipping:
                yield SegmentLine(at, id_of(rest), rest[:end])
            skipping = False
            at, rest = at + end + 1, rest[end + 1 :]
        if len(rest) > LONGEST:
            at, rest, skipping = at + len(rest), b"", True


def id_of(line: bytes) -> str:
    """The ID that a line begins with; empty if it does not."""
    id = line[len(_START) : len(_START) + _ID].decode("ascii", "replace") if line.startswith(_START) else ""
    return id if is_id(id) else ""


def after(fd: int, id: str) -> int:
    """Where the first line begins whose ID is above `id`; the end of the whole lines if there is none."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > BLOCK:
        middle = (low + high) // 2
        line = _first_line(fd, middle)
        if line is None or line.start >= high or not line.id or line.id > id:
            high = middle
        else:
            low = line.start
    end = low
    for line in lines(fd, low):
        if line.id > id:
            return line.start
        end = line.start + len(line.text) + 1
    return end


def _first_line(fd: int, start: int) -> SegmentLine | None:
    """The first line that begins behind `start`, as far as a line may be long."""
    at = start
    while at < start + LONGEST and (block := os.pread(fd, BLOCK, at)):
        end = block.find(b"\n")
        if end >= 0:
            return next(lines(fd, at + end + 1), None)
        at += len(block)
    return None


def count(fd: int, start: int = 0) -> int:
    """How many lines there are from `start` on."""
    found, at = 0, start
    while block := os.pread(fd, 1 << 20, at):
        found += block.count(b"\n")
        at += len(block)
    return found


class Tail(NamedTuple):
    """The end of a segment: where its whole lines end, and the last ID in it, empty if there is none."""

    end: int
    id: str


def tail(fd: int) -> Tail:
    """How a segment ends."""
    size, back = os.fstat(fd).st_size, BLOCK
    while True:
        start = max(size - back, 0)
        data = os.pread(fd, size - start, start)
        end = data.rfind(b"\n") + 1
        first = 0 if start == 0 else data.find(b"\n") + 1
        whole = data[first:end].split(b"\n")[:-1]
        id = next((found for line in reversed(whole) if (found := id_of(line))), "")
        if id or start == 0:
            return Tail(start + end if end else 0, id)
        back *= 4
