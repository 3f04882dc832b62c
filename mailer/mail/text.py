"""Text from outside: what its octets mean, and what of it may be shown.

A subject, an address or a server's reply may hold escape sequences that write to the clipboard, move the
cursor or fake a line. What is printed has none: control characters, bidirectional overrides and
zero-width characters become U+FFFD. JSON output does not need this: it escapes.

Octets may not say which characters they are, or say it falsely. Mail programs and browsers guess alike: UTF-8 where it is that, and
windows-1252 for all else. That set has the letters of Latin-1 where Latin-1 has them, and the five octets for which it has none stand
for control characters (WHATWG Encoding, index windows-1252). A log written by two programs may be both at once; then each octet that
cannot be UTF-8 is read by itself.
"""

from __future__ import annotations

import codecs

_UNSAFE = frozenset(
    [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f",
     "\u2028", "\u2029", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2060, 0x2070)), "\ufeff"]
)  # fmt: skip


def safe(text: str, limit: int = 1000) -> str:
    """`text` without anything that a terminal would act on, at most `limit` characters long."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if c in _UNSAFE or 0xD800 <= ord(c) < 0xE000 else c for c in text)


FORMULA = ("=", "+", "-", "\t", "\r")
"""How a cell begins that a spreadsheet would reckon with, or see as such; where no address may stand, @ is one more."""


def is_formula(text: str, begins: tuple[str, ...] = FORMULA) -> bool:
    """Whether a spreadsheet would reckon with the cell `text`, or whether that has only apostrophes before it which prevent that."""
    return text.lstrip("'").startswith(begins)


def no_formula(text: str, begins: tuple[str, ...] = FORMULA) -> str:
    """`text` as a cell that no spreadsheet reckons with: one apostrophe is before it that was not, and that a reader can take away."""
    return f"'{text}" if is_formula(text, begins) else text


def one_line(text: str, limit: int = 1000) -> str:
    """`text` as `safe` has it, on one line: runs of white space become one space."""
    return safe(" ".join(text.split()), limit)


def human_size(octets: int) -> str:
    """Octets for people, in the units of the configuration: ``812 B``, ``1.2 KB``, ``25 MB``."""
    number, units = float(octets), iter(("B", "KB", "MB", "GB"))
    unit = next(units)
    while number >= 999.5 and unit != "GB":
        number, unit = number / 1000, next(units)
    return f"{number:.1f} {unit}" if unit != "B" and number < 9.95 else f"{number:.0f} {unit}"


WESTERN = "windows-1252"
ASCII = frozenset({"us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "unknown-8bit"})
"""Labels that are false, or say nothing, where there are octets above 127; RFC 1428 §3 has the last one."""

PIECE = 1 << 16  # octets that are looked at together

_LOW = bytes(range(128))
_UNKNOWN = b"\x81\x8d\x8f\x90\x9d"
_LETTERS: list[str] = []  # of the octets from 128 on, once one was looked for: the codec is a module of its own


def charset_of(data: bytes, start: int = 0, end: int | None = None) -> str:
    """``utf-8`` or ``windows-1252``: by which of the two more octets above 127 of this much of `data` can be read."""
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    last = len(data) if end is None else end
    well = all = 0
    for at in range(start, last, PIECE):
        piece = data[at : min(at + PIECE, last)]
        well += _count(decoder.decode(piece, final=at + PIECE >= last).encode())
        all += _count(piece)
    return "utf-8" if 2 * well >= all else WESTERN


def _count(octets: bytes) -> int:
    """Of those above 127."""
    return len(octets.translate(None, _LOW))


def marked(data: bytes) -> str | None:
    """The text of `data`, without its byte order mark, where that says truly which form of Unicode it is; None where there is none.

    Windows writes UTF-16 so, which is neither UTF-8 nor windows-1252.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(name)
            except UnicodeDecodeError:
                return None
    return None


_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def is_utf8(data: bytes) -> bool:
    """Whether `data` is UTF-8 as a whole."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def readable(data: bytes) -> tuple[str, bool]:
    """`data` as its readers would guess, and whether it was a guess: UTF-8 is none."""
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        if charset_of(data) == WESTERN:
            return data.decode(WESTERN, _NAME), True
        return data.decode("utf-8", _NAME), True


def _western(error: UnicodeError) -> tuple[str, int]:
    """Octets that a decoder cannot read. It asks where it stands and goes on, so a text is read in one pass."""
    assert isinstance(error, UnicodeDecodeError)
    if not _LETTERS:
        _LETTERS.extend(chr(octet) if octet in _UNKNOWN else bytes((octet,)).decode(WESTERN) for octet in range(128, 256))
    return "".join(_LETTERS[octet - 128] for octet in error.object[error.start : error.end]), error.end


_NAME = "mailer.western"
codecs.register_error(_NAME, _western)
