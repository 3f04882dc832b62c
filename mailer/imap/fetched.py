"""What is answered to FETCH: one line for each message, with literals. RFC 9051 §7.5.2, RFC 3501 §7.4.2.

Ten thousand messages are told by columns: what the mailbox has of all of them in one column is turned into octets at once, and one template
puts the columns together. Where sections of messages are asked for, the same template leaves a place for each of them.

The form is one that both revisions have: strings with octets above 127 are literals, dates are in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeAlias

from .body import body
from .command import THREAD, FetchItem
from .flags import LISTS, rendered
from .sections import from_divided, is_head, is_whole, name_of
from .strings import NIL, ntext

Row: TypeAlias = Sequence[Any]
"""The UID of a message, and the columns that were asked for."""

DAY: Final = 86400
EPOCH: Final = date(1970, 1, 1).toordinal()
FIRST_DAY, LAST_DAY = 1 - EPOCH, date.max.toordinal() - EPOCH
MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SECTIONS: Final = frozenset({"SECTION", "RFC822", "RFC822.HEADER", "RFC822.TEXT", "BINARY", "BINARY.SIZE"})
"""The items that are read from the message itself."""
_MOST_MINUTES: Final = 4096  # that are remembered

_minutes: dict[int, bytes] = {}


def date_time(at: float) -> bytes:
    """A time in seconds since the epoch, without quotes. RFC 9051 §9, date-time"""
    minute, second = divmod(int(at), 60)
    begin = _minutes.get(minute)
    if begin is None:
        if len(_minutes) >= _MOST_MINUTES:
            _minutes.clear()
        begin = _minutes[minute] = _minute(minute)
    return b"%b%02d +0000" % (begin, second)


def _minute(minute: int) -> bytes:
    day, minute = divmod(minute, DAY // 60)
    on = date.fromordinal(min(max(day, FIRST_DAY), LAST_DAY) + EPOCH)
    return b"%2d-%b-%04d %02d:%02d:" % (on.day, MONTHS[on.month - 1].encode(), on.year, *divmod(minute, 60))


def _flags(bits: int, keywords: str) -> bytes:
    return rendered(bits, keywords.split(" ") if keywords else ())


def _flags_of(bits: Iterable[int], keywords: Sequence[str]) -> Iterator[bytes]:
    return map(_flags, bits, keywords) if any(keywords) else map(LISTS.__getitem__, bits)


def _thread(id: str) -> bytes:
    return b"(%b)" % (THREAD + id).encode() if id else NIL  # RFC 8474 §5.3


Turn: TypeAlias = Callable[..., Iterable[object]]


class _Column(NamedTuple):
    """An item: how it is written, the columns that it is made of, and what makes the values that are written of them."""

    template: bytes
    columns: tuple[str, ...]
    turn: Turn | None = None


def _each(function: Callable[[Any], bytes]) -> Turn:
    return lambda column: map(function, column)


COLUMNS: Final = {
    "UID": _Column(b"UID %d", ("uid",)),
    "FLAGS": _Column(b"FLAGS %b", ("flags", "keywords"), _flags_of),
    "INTERNALDATE": _Column(b'INTERNALDATE "%b"', ("received",), _each(date_time)),
    "RFC822.SIZE": _Column(b"RFC822.SIZE %d", ("size",)),
    "ENVELOPE": _Column(b"ENVELOPE %b", ("envelope",)),
    "BODYSTRUCTURE": _Column(b"BODYSTRUCTURE %b", ("structure",)),
    "BODY": _Column(b"BODY %b", ("structure",), _each(body)),
    "MODSEQ": _Column(b"MODSEQ (%d)", ("modseq",)),  # RFC 7162 §3.1.4.2
    "EMAILID": _Column(b"EMAILID (%b)", ("mail",), _each(str.encode)),  # RFC 8474 §5.1
    "THREADID": _Column(b"THREADID %b", ("thread",), _each(_thread)),
    "SAVEDATE": _Column(b'SAVEDATE "%b"', ("saved",), _each(date_time)),  # RFC 8514 §4.2
    "PREVIEW": _Column(b"PREVIEW %b", ("preview",), _each(ntext)),  # RFC 8970 §3.2
}
"""The items that are made of what is kept beside a message."""

READING: Final = ("mail", "size", "prefix", "key_number", "digest")
"""The columns by which a message is read, in the order in which they say where it is."""


class FetchPlan:
    """What is answered for `items`, each once; with the UID where `uid` says so, and the MODSEQ with `modseq`.

    `columns` are what is asked of the mailbox; `sections` the items that are read from messages, for which `trees` says whether the tree of
    a message is needed, and `heads` whether all of them are in its header, which the mailbox is asked for then where `kept` says so; `sees`
    whether reading them sets \\Seen; `by_uid` whether the command names messages by UID.
    """

    def __init__(self, items: Iterable[FetchItem], *, uid: bool = False, modseq: bool = False, kept: bool = True) -> None:
        asked = [*items]
        self.by_uid = uid
        self._has = {item.name for item in asked}
        if uid and "UID" not in self._has:
            asked.insert(0, FetchItem("UID", peek=True))
        if modseq and "MODSEQ" not in self._has:
            asked.append(FetchItem("MODSEQ", peek=True))
        self._has |= {item.name for item in asked}
        self.items = asked
        self.sections = [item for item in asked if item.name in SECTIONS]
        self.wholes = all(map(is_whole, self.sections))
        self.heads = bool(self.sections) and all(map(is_head, self.sections))
        self.kept = kept and self.heads
        self.trees = any(item.part for item in self.sections)
        self.sees = any(not item.peek for item in self.sections)
        values = [item for item in asked if self.kept or item.name not in SECTIONS]
        self._parts = [COLUMNS.get(item.name) or _of_header(item) for item in values]
        self._templates = _templates(asked, self._parts, divided=not self.kept)
        self.columns = self._asked()
        self._at = {name: place for place, name in enumerate(("uid", *self.columns))}

    def _asked(self) -> tuple[str, ...]:
        names = [name for part in self._parts for name in part.columns if name != "uid"]
        if self.sections and not self.kept:
            names += READING
            names += ["tree"] * (not self.wholes)
        if self.sees:
            names += ["flags", "keywords", "modseq"]
        return tuple(dict.fromkeys(names))

    def value(self, row: Row, column: str) -> Any:
        """What a row has in a column."""
        return row[self._at[column]]

    def changed(self, row: Row, values: dict[str, object]) -> tuple[Any, ...]:
        """The row with other values in these columns."""
        new = list(row)
        for column, value in values.items():
            new[self._at[column]] = value
        return tuple(new)

    def values(self, numbers: Iterable[int], rows: Sequence[Row]) -> Iterator[tuple[object, ...]]:
        """What is written of each message, by its row: its number and the values of all that is no section."""
        columns = [*zip(*rows, strict=True)]
        made: list[Iterable[object]] = []
        for part in self._parts:
            given = [columns[self._at[name]] for name in part.columns]
            made.append(part.turn(*given) if part.turn else given[0])
        return zip(numbers, *made, strict=True)

    def lines(self, numbers: Iterable[int], rows: Sequence[Row], more: Sequence[bytes] = ()) -> bytes:
        """The answers about messages of which no section is asked for, or headers that are kept alone; each with what there is `more`."""
        if not rows:
            return b""
        ((template, _),) = self._templates
        lines = map(template.__mod__, self.values(numbers, rows))
        if any(more):
            return b"".join([b"%b%b)\r\n" % line for line in zip(lines, more, strict=True)])
        return b")\r\n".join(lines) + b")\r\n"

    def pieces(self, values: Sequence[object]) -> Iterator[bytes]:
        """What is written of one message around its sections: what stands before each, and what is behind the last."""
        at = 0
        for template, count in self._templates:
            yield template % tuple(values[at : at + count])
            at += count

    def seen(self, row: Row, *, uid: bool, modseq: bool) -> bytes:
        """What ends the answer about a message that has become \\Seen by it: its flags, where nobody asked for them."""
        said = []
        if uid and "UID" not in self._has:
            said.append(b" UID %d" % row[0])
        if "FLAGS" not in self._has:
            said.append(b" FLAGS " + _flags(self.value(row, "flags"), self.value(row, "keywords")))
        if modseq and "MODSEQ" not in self._has:
            said.append(b" MODSEQ (%d)" % self.value(row, "modseq"))
        return b"".join(said)


def _of_header(item: FetchItem) -> _Column:
    """An item that is made of the header that is kept."""
    return _Column(name_of(item).replace(b"%", b"%%") + b" %b", ("header",), _each(from_divided(item)))


def _templates(items: Sequence[FetchItem], parts: Sequence[_Column], *, divided: bool) -> list[tuple[bytes, int]]:
    """What is written, divided at the sections, each with how many values it has; the first one is the number of the message."""
    templates = iter(part.template for part in parts)
    found, written, values = [], b"* %d FETCH (", 1
    for nth, item in enumerate(items):
        written += b" " if nth else b""
        if divided and item.name in SECTIONS:
            found.append((written + name_of(item).replace(b"%", b"%%") + b" ", values))
            written, values = b"", 0
        else:
            written, values = written + next(templates), values + 1
    return [*found, (written, values)]


def literal(octets: int, *, binary: bool = False) -> bytes:
    """The beginning of a literal of so many octets; with a NUL among them it is a literal8 (RFC 3516 §4.4)."""
    return b"%b{%d}\r\n" % (b"~" if binary else b"", octets)
