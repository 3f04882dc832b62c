"""The text of messages as it is searched: made when a message comes, compressed, and compared without regard to case in any script.

The row of a message in ``text`` has three texts, divided by zeros: its header as lines ``name: value``, its body, and the names of its
files. All are decoded, folded (Unicode 3.13 D144) and composed (NFC), and UTF-8, in which octets are found where characters are. The row in
``heading`` has what is asked of thousands at once, and nothing else. Both can be made anew from the message: who deletes them loses time.

Zstandard is a third of the work of zlib where text is read (12 against 33 µs for 7.5 KB, and 45 against 49 of a hundred octets are left),
so it is used where it is there; the first octet of a row says which of them made it.
"""

from __future__ import annotations

import zlib
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unicodedata import combining, is_normalized, normalize

from mailer.io.extras import installing
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mime.rendered import Rendered

    from .engine.api import Rows

COUNTS: Final = """SELECT (SELECT count(*) FROM mail WHERE owner = ?), (SELECT count(*) FROM text WHERE owner = ?),
    (SELECT count(*) FROM heading WHERE owner = ?)"""
HEADINGS: Final = "SELECT (SELECT count(*) FROM mail WHERE owner = ?), (SELECT count(*) FROM heading WHERE owner = ?)"
LACKING: Final = """SELECT m.id FROM mail m WHERE m.owner = ? AND NOT (
    EXISTS (SELECT 1 FROM text t WHERE t.owner = m.owner AND t.mail = m.id)
    AND EXISTS (SELECT 1 FROM heading h WHERE h.owner = m.owner AND h.mail = m.id)) ORDER BY m.id LIMIT ?"""
ADD_TEXT: Final = "INSERT INTO text (owner, mail, body) VALUES (?, ?, ?) ON CONFLICT (owner, mail) DO UPDATE SET body = excluded.body"
ADD_HEADING: Final = """INSERT INTO heading (owner, mail, size, received, day, subject, sender, recipient, copied, files)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, mail) DO NOTHING"""

ZSTANDARD, ZLIB, PLAIN = b"s", b"z", b"p"
LEVEL: Final = 3
BLOCK: Final = 1 << 18  # characters that are folded together
COMPOSED: Final = 128  # characters that are composed together, and as many marks
GOES_ON: Final = frozenset(
    "\u09be\u09d7\u0b3e\u0b56\u0b57\u0bbe\u0bd7\u0cc2\u0cd5\u0cd6\u0d3e\u0d57\u0dcf\u0ddf\u102e\u1b35"
    "\U00011127\U0001133e\U00011357\U000114b0\U000114ba\U000114bd\U000115af\U00011930"
)
"""What is no mark, and is composed with the letter before it all the same: vowels of India and its neighbours (UAX #15, NFC_QC=Maybe)."""
SHORT: Final = 200  # octets that are not made shorter

_ONE_AT_A_TIME: Final = Lock()

COLUMNS: Final = {"subject": "subject", "from": "sender", "to": "recipient", "cc": "copied"}
"""The fields of which ``heading`` has the values: name → column."""


class Searched(NamedTuple):
    """A text of a message that is searched: octets, and where the body and the names of files begin."""

    octets: bytes
    body: int
    names: int

    def has(self, needle: bytes, where: str, name: bytes = b"") -> bool:
        """Whether a folded text is there: in the ``text``, the ``body``, the names of files (``attachment``), a field (``header``)."""
        if where == "text":
            return self.octets.find(needle, 0, self.names - 1) >= 0
        if where == "body":
            return self.octets.find(needle, self.body, self.names - 1) >= 0
        if where == "attachment":
            return self.octets.find(needle, self.names) >= 0 if needle else len(self.octets) > self.names
        return any(needle in value for value in self.values(name))

    def values(self, name: bytes) -> list[bytes]:
        """The values of the fields of this name."""
        begin = b"\n" + name + b": "
        found = []
        at = self.octets.find(begin, 0, self.body)
        while at >= 0:
            end = self.octets.find(b"\n", at + 1, self.body - 1)
            end = end if end >= 0 else self.body - 1
            found.append(self.octets[at + len(begin) : end])
            at = self.octets.find(begin, end, self.body)
        return found


def folded(text: str) -> str:
    """A text as it is compared: without case, and composed."""
    if text.isascii():
        return text.lower()
    folded = text.casefold() if len(text) <= BLOCK else "".join([text[at : at + BLOCK].casefold() for at in range(0, len(text), BLOCK)])
    return "".join([piece if is_normalized("NFC", piece) else normalize("NFC", piece) for piece in _pieces(folded)])


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces that are composed each by itself, for composing takes the square of the marks upon one letter."""
    at = 0
    while at < len(text):
        end = at + COMPOSED
        while end < min(len(text), at + 2 * COMPOSED) and (
            combining(text[end]) or text[end] in GOES_ON or "\u1160" <= text[end] <= "\u11ff"
        ):  # and Hangul
            end += 1
        yield text[at:end]
        at = end


def needle_of(text: str) -> bytes:
    """What is looked for, as it is compared."""
    return folded(text.encode("utf-8", "replace").decode()).encode()


def searched(read: Rendered) -> Searched:
    """The text of a message that was read."""
    texts = [folded(text).encode("utf-8", "replace") for text in ("\n" + read.header, read.body, read.names)]
    return Searched(b"\0".join(texts), len(texts[0]) + 1, len(texts[0]) + len(texts[1]) + 2)


class RowsOfText(NamedTuple):
    """What is kept of a message for searches: its text, compressed, and what ``heading`` has of it."""

    text: bytes
    day: int | None
    fields: tuple[str | None, ...]
    files: str


def made(read: Rendered) -> RowsOfText:
    """What is kept of a message that was read, for searches."""
    found = searched(read)
    fields = tuple(_joined(found.values(name.encode())) for name in COLUMNS)
    return RowsOfText(packed(found.octets), read.day if read.sent else None, fields, found.octets[found.names :].decode())


def add(rows: Rows, owner: int, mail: str, size: int, received: float, kept: RowsOfText) -> None:
    """Write what is searched of a message."""
    rows.change(ADD_TEXT, (owner, mail, kept.text))
    rows.change(ADD_HEADING, (owner, mail, size, received, kept.day, *kept.fields, kept.files))


def lacking(rows: Rows, owner: int, most: int, *, texts: bool = True) -> list[str]:
    """Messages of which somebody has deleted what is searched, `most` of them; without `texts` where those are not asked."""
    mails, *made = rows.run(COUNTS, (owner,) * 3)[0] if texts else rows.run(HEADINGS, (owner,) * 2)[0]
    return [] if min(made) >= mails else [row[0] for row in rows.run(LACKING, (owner, most))]


def _joined(values: Sequence[bytes]) -> str | None:
    return b"\n".join(values).decode() if values else None


def packed(octets: bytes) -> bytes:
    """The octets of a text, compressed."""
    if len(octets) <= SHORT:
        return PLAIN + octets
    zstandard = _zstandard()
    if zstandard is None:
        return ZLIB + zlib.compress(octets, LEVEL)
    with _ONE_AT_A_TIME:
        return ZSTANDARD + bytes(_compressor().compress(octets))


class Unpacking:
    """Makes texts of rows; it is used by one thread."""

    def __init__(self) -> None:
        self._zstandard: Any = None

    def text(self, row: bytes) -> Searched:
        """The text of a row. Raises `Problem` where what reads it is not there."""
        tag, data = row[:1], memoryview(row)[1:]
        if tag == ZSTANDARD:
            octets = (self._zstandard or self._decompressor()).decompress(data)
        else:
            octets = zlib.decompress(data) if tag == ZLIB else bytes(data)
        return Searched(octets, octets.index(b"\0") + 1, octets.rindex(b"\0") + 1)

    def _decompressor(self) -> Any:
        module = _zstandard()
        if module is None:
            raise Problem(
                f"the texts of the mailbox are compressed with zstandard, which is not here: {installing('mailboxes')}", "bad-config"
            )
        self._zstandard = module.ZstdDecompressor()
        return self._zstandard


@cache
def _compressor() -> Any:
    """The one that there is, for to make one takes as long as to use it."""
    return _zstandard().ZstdCompressor(level=LEVEL)


@cache
def _zstandard() -> Any:
    """The library; None where it is not here, which is looked for once: that costs more than to compress a message."""
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard
