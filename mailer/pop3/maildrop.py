"""The messages of one session as they were when it began (RFC 1939 §4), and which of them are marked as deleted.

Used by `server`. Numbers count from 1 and stay what they are, whatever becomes of the mailbox meanwhile. What is known of a message takes
some forty octets: a mailbox may have hundreds of thousands, and a session stays for minutes.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from .commands import PopRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PORTION: Final = 2000  # lines of a list that are made at a time


class Maildrop:
    """The messages with these UIDs, the octets that each has on its way, and the names that last (RFC 1939 §7), in their order."""

    __slots__ = ("_ends", "_gone", "_marks", "_names", "_total", "octets", "uids")

    def __init__(self, messages: Iterable[tuple[int, int, str]] = ()) -> None:
        self.uids = array("I")
        self.octets = array("Q")
        self._ends = array("Q")  # of each name among the names
        names = bytearray()
        for uid, octets, name in messages:
            self.uids.append(uid)
            self.octets.append(octets)
            names += name.encode()
            self._ends.append(len(names))
        self._names = bytes(names)
        self._total = sum(self.octets)
        self._marks = bytearray(len(self.uids))
        self._gone = (0, 0)  # messages and octets that are marked

    @property
    def count(self) -> int:
        """How many there are that are not marked."""
        return len(self.uids) - self._gone[0]

    @property
    def size(self) -> int:
        """The octets of those."""
        return self._total - self._gone[1]

    @property
    def marked(self) -> list[int]:
        """The UIDs of those that are marked, ascending."""
        return [uid for uid, mark in zip(self.uids, self._marks, strict=True) if mark] if self._gone[0] else []

    def place(self, number: int) -> int:
        """Where the message of that number stands. Raises `PopRefused` for one that is not there, or is marked."""
        if not 0 < number <= len(self.uids):
            raise PopRefused(f"there is no message {number}")
        if self._marks[number - 1]:
            raise PopRefused(f"message {number} is marked as deleted")
        return number - 1

    def name(self, place: int) -> str:
        """The name of the message that stands there."""
        return self._names[self._ends[place - 1] if place else 0 : self._ends[place]].decode()

    def mark(self, number: int) -> None:
        """Mark it as deleted. Raises `PopRefused`."""
        place = self.place(number)
        self._marks[place] = 1
        self._gone = (self._gone[0] + 1, self._gone[1] + self.octets[place])

    def unmark(self) -> None:
        """Nothing is marked any more."""
        self._marks = bytearray(len(self.uids))
        self._gone = (0, 0)

    def sizes(self) -> Iterator[bytes]:
        """The lines of LIST, many at a time."""
        return self._lines(lambda place: f"{place + 1} {self.octets[place]}\r\n")

    def names(self) -> Iterator[bytes]:
        """The lines of UIDL, many at a time."""
        return self._lines(lambda place: f"{place + 1} {self.name(place)}\r\n")

    def _lines(self, line: Callable[[int], str]) -> Iterator[bytes]:
        marks = self._marks
        for begin in range(0, len(self.uids), PORTION):
            places = range(begin, min(begin + PORTION, len(self.uids)))
            yield "".join([line(place) for place in places if not marks[place]]).encode()
