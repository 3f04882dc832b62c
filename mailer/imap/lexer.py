"""The arguments of one command, token by token: RFC 9051 §9, RFC 3501 §9.

`reader` gathers a command, as text and literals in turn; a grammar takes from it what it expects next. Each method raises `BadCommand`
where something else is there. Nothing is looked at twice: each goes forward, and each pattern is read in time that is linear in what it
takes. No octet above 127 is part of anything but a literal, and a quoted string where the client has asked for UTF-8 (RFC 6855 §3,
RFC 9051 §4.3).
"""

from __future__ import annotations

import re
import unicodedata
from calendar import timegm
from datetime import date
from typing import TYPE_CHECKING, Final

from mailer.mail.flags import PLAIN, Flag

from .answer import BadCommand
from .command import STAR, NumberSet
from .flags import read
from .names import from_modified_utf7

if TYPE_CHECKING:
    from collections.abc import Sequence

END: Final = -1
"""What `Tokens.peek` says at the end of the command."""
LITERAL: Final = -2
"""What it says where a literal is next."""

NO_NAME: Final = "\0"
"""A pattern that no folder fits."""

MOST: Final = 2**32 - 1  # RFC 9051 §9, number
MOST_SHIFTS: Final = 2000  # ampersands of a name or a pattern, each of which is a letter at least: no name has as many
MOST_WORDS: Final = 5000  # of a command, apart from what stands in quotes; each is some microseconds, in which others wait
MOST_64: Final = 2**63 - 1  # RFC 9051 §9, number64

# RFC 9051 §9: ATOM-CHAR is any but ( ) { SP CTL % * " \ ], and ASTRING-CHAR has ] besides, and list-char % and * too
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\^_`a-z|}~]++")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]\^_`a-z|}~]++")
_PATTERN = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]\^_`a-z|}~]++")
_LABEL = re.compile(rb"[A-Za-z0-9.\-_]++")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*+={0,2}")
_DIGITS = re.compile(rb"[0-9]++")
_SET = re.compile(rb"[0-9:*,]++")
_QUOTED = re.compile(rb'"([^"\\\r\n\0]*+(?:\\["\\][^"\\\r\n\0]*+)*+)"')
_ESCAPED = re.compile(rb"\\(.)")
_DATE_TIME = re.compile(rb'"([ 0-3][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-2][0-9]):([0-5][0-9]):([0-6][0-9]) ([+-])([0-9]{2})([0-5][0-9])"')
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})(?![0-9])')
_MONTHS = {month: number for number, month in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # RFC 5198 §2: control characters, halves of pairs, ends of lines
_LONGEST_NUMBER = 20  # digits


class Tokens:
    """What is left of the arguments of a command."""

    __slots__ = ("_at", "_binary", "_part", "_parts", "_text", "_words", "charset", "utf8")

    def __init__(self, parts: Sequence[bytes], *, utf8: bool = False, charset: bool = True, binary: frozenset[int] = frozenset()) -> None:
        """`parts` are text and literals in turn, beginning with text, which ends where the ``{n}`` stood; `binary` says which are a
        literal8 (RFC 3516 §4.4). `charset`: a search may say in which one it is, as it may not where UTF8=ACCEPT was enabled
        (RFC 6855 §3)."""
        self._parts = parts
        self._binary = binary
        self._part = 0
        self._text = parts[0]
        self._at = 0
        self._words = 0
        self.utf8 = utf8
        self.charset = charset

    # -- what is next

    def peek(self) -> int:
        """The next octet, `END`, or `LITERAL`."""
        if self._at < len(self._text):
            return self._text[self._at]
        return LITERAL if self._part + 1 < len(self._parts) else END

    def taken(self, word: bytes) -> bool:
        """Whether `word`, in any case, is next; then it is taken. The beginning of a longer word is not it. Raises `BadCommand` where
        one more space would make too many words."""
        end = self._at + len(word)
        if self._text[self._at : end].upper() != word.upper() or (word[-1:].isalnum() and _LABEL.match(self._text, end)):
            return False
        self._at = end
        if word == b" ":
            self._words += 1
            if self._words > MOST_WORDS:
                raise BadCommand(f"a command has no more than {MOST_WORDS} words")
        return True

    def opened(self) -> bool:
        """Whether a list begins here."""
        return self.taken(b"(")

    def closed(self) -> bool:
        """Whether a list ends here."""
        return self.taken(b")")

    def space(self) -> None:
        """Take the one space between two arguments."""
        self.expect(b" ")

    def expect(self, word: bytes) -> None:
        """Take `word`, which has to be here."""
        if not self.taken(word):
            what = "a space" if word == b" " else repr(word.decode("ascii"))
            raise self._bad(f"{what} is expected")

    def end(self) -> None:
        """The command has to end here."""
        if self.peek() != END:
            raise self._bad("the command should end")

    # -- words and strings

    def atom(self) -> str:
        """An atom."""
        return self._matched(_ATOM, "a word").decode("ascii")

    def word(self) -> str:
        """An atom, in capitals."""
        return self.atom().upper()

    def label(self) -> str:
        """Letters, digits, ``.``, ``-`` and ``_``, in capitals: the name of an item, which brackets may follow."""
        return self._matched(_LABEL, "a name").decode("ascii").upper()

    def astring(self) -> bytes:
        """An atom, which may have ``]`` in it, or a string."""
        found = _ASTRING.match(self._text, self._at)
        if found is None:
            return self.string()
        self._at = found.end()
        return found[0]

    def string(self) -> bytes:
        """A quoted string, or a literal. No NUL is in either (RFC 9051 §9, CHAR8)."""
        if self.peek() == LITERAL:
            octets, binary = self.literal()
            if binary or b"\0" in octets:
                raise BadCommand("a string has no NUL, and is no binary literal")
            return octets
        quoted = self._taken_by(_QUOTED)
        if quoted is None:
            raise self._bad("a string is expected")
        octets = quoted[1]
        if not octets.isascii():
            if not self.utf8:
                raise BadCommand("a quoted string has octets above 127 only where UTF-8 was enabled; send a literal")
            self.text(octets)
        return _ESCAPED.sub(rb"\1", octets) if b"\\" in octets else octets

    def base64(self) -> bytes:
        """Octets in base 64, as they are written; ``=`` alone as well (RFC 4959 §3)."""
        found = self._matched(_BASE64, "base 64")
        if not found:
            raise self._bad("base 64 is expected")
        return found

    def nstring(self) -> bytes | None:
        """A string, or None for NIL."""
        return None if self.taken(b"NIL") else self.string()

    def literal(self) -> tuple[bytes, bool]:
        """A literal, and whether it came as a literal8."""
        if self.peek() != LITERAL:
            raise self._bad("a literal is expected")
        here = self._part + 1
        self._part += 2
        self._text, self._at = self._parts[self._part], 0
        return self._parts[here], here in self._binary

    def text(self, octets: bytes) -> str:
        """The text of octets in UTF-8."""
        try:
            return octets.decode()
        except UnicodeDecodeError:
            raise BadCommand("this text is not in UTF-8") from None

    # -- numbers

    def number(self, most: int = MOST, least: int = 0) -> int:
        """A number from `least` to `most`."""
        digits = self._matched(_DIGITS, "a number")
        value = int(digits) if len(digits) <= _LONGEST_NUMBER else most + 1
        if not least <= value <= most:
            raise BadCommand(f"a number from {least} to {most} is expected, not {digits[:_LONGEST_NUMBER].decode()}")
        return value

    def number64(self, least: int = 0) -> int:
        """A number of up to 63 bits, as MODSEQ (RFC 7162 §7) and sizes (RFC 9051 §9) are."""
        return self.number(MOST_64, least)

    def numbers(self) -> NumberSet:
        """A set of numbers, or ``$`` (RFC 9051 §9, sequence-set; §6.4.4.1)."""
        if self.taken(b"$"):
            return NumberSet(saved=True)
        said = self._matched(_SET, "a set of numbers").decode("ascii")
        return NumberSet(tuple(map(_range, said.split(","))))

    # -- what has a form of its own

    def folder(self) -> str:
        """The name of a folder, empty where the string is empty; INBOX is written so in whatever case it came (RFC 9051 §5.1)."""
        name = self._name(self.astring())
        return "INBOX" + name[5:] if name[:5].upper() == "INBOX" and name[5:6] in ("", "/") else name

    def list_pattern(self) -> str:
        """A pattern of LIST, in which ``%`` and ``*`` stand for others (RFC 9051 §9, list-mailbox).

        For one that fits no name, as it is not written as names are, `NO_NAME` stands: it is no mistake (RFC 9051 §6.3.9, RFC 5258 §3)."""
        found = self._taken_by(_PATTERN)
        octets = found[0] if found else self.string()
        try:
            return self._name(octets)
        except BadCommand:
            return NO_NAME

    def flag(self) -> Flag | str:
        """A flag, or a keyword as it is written. RFC 9051 §9, flag"""
        if not self.taken(b"\\"):
            return self.atom()
        name = "\\" + self.atom()
        if (flag := read(name)) is None:
            raise BadCommand(f"there is no flag {name[:40]} that a client can set")
        return flag

    def flags(self) -> tuple[Flag, tuple[str, ...]]:
        """Flags and keywords, in parentheses, or at least one without (RFC 9051 §9, store-att-flags). A keyword that comes twice,
        in whatever case, counts once."""
        within = self.opened()
        flags, keywords = PLAIN, dict[str, str]()
        if within and self.closed():
            return PLAIN, ()
        while True:
            found = self.flag()
            if isinstance(found, Flag):
                flags |= found
            else:
                keywords.setdefault(found.upper(), found)
            if not self.taken(b" "):
                break
        if within:
            self.expect(b")")
        return flags, tuple(keywords.values())

    def date_time(self) -> float:
        """A date and a time in seconds since the epoch. RFC 9051 §9, date-time"""
        found = self._taken_by(_DATE_TIME)
        if found is None:
            raise self._bad('a date and time as in "17-Jul-2026 02:44:25 +0200" is expected')
        day = _day(found[1], found[2], found[3])
        hour, minute, second, zone_hour, zone_minute = (int(found[place]) for place in (4, 5, 6, 8, 9))
        if hour > 23 or second > 60:  # a leap second may be told
            raise BadCommand("there is no such time of the day")
        zone = (zone_hour * 60 + zone_minute) * (60 if found[7] == b"+" else -60)
        return float(day * 86400 + hour * 3600 + minute * 60 + second - zone)

    def date(self) -> int:
        """A day, in days since the epoch. RFC 9051 §9, date"""
        found = self._taken_by(_DATE)
        if found is None:
            raise self._bad("a date as in 17-Jul-2026 is expected")
        if found[1]:
            self.expect(b'"')
        return _day(found[2], found[3], found[4])

    # -- of its own

    def _taken_by(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _matched(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = self._taken_by(pattern)
        if found is None:
            raise self._bad(f"{what} is expected")
        return found[0]

    def _name(self, octets: bytes) -> str:
        if octets.count(b"&") > MOST_SHIFTS:
            raise BadCommand("the name of a folder is not as long as that")
        try:
            name = octets.decode() if self.utf8 else from_modified_utf7(octets.decode("ascii"))
        except ValueError:
            raise BadCommand(f"the name of a folder is in {'UTF-8' if self.utf8 else 'modified UTF-7'}, and this one is not") from None
        if not (name.isascii() and name.isprintable()) and any(unicodedata.category(letter) in _CONTROLS for letter in name):
            raise BadCommand("the name of a folder has no control characters")
        return name

    def _bad(self, what: str) -> BadCommand:
        """`what` is expected, and something else is here."""
        here = self.peek()
        found = "the end" if here == END else "a literal" if here == LITERAL else _shown(self._text[self._at : self._at + 20])
        return BadCommand(f"{what}, and here is {found}")


def _shown(octets: bytes) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in octets.decode("latin-1"))


def _range(said: str) -> tuple[int, int]:
    first, colon, last = said.partition(":")
    low = _end(first)
    return low, _end(last) if colon else low


def _end(said: str) -> int:
    if said == "*":
        return STAR
    if not said.isdecimal() or len(said) > _LONGEST_NUMBER or not 0 < int(said) <= MOST:
        raise BadCommand(f"a number from 1 to {MOST} or * is expected in a set, not {said[:_LONGEST_NUMBER]!r}")
    return int(said)


def _day(day: bytes, month: bytes, year: bytes) -> int:
    try:
        return timegm(date(int(year), _MONTHS[month.lower()], int(day)).timetuple()) // 86400
    except (ValueError, KeyError):
        raise BadCommand("there is no such day") from None
