"""The grammar of SEARCH, SORT and THREAD, RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5256 §3, with the keys of RFC 5032 (OLDER, YOUNGER),
RFC 7162 §3.1.5 (MODSEQ), RFC 8474 §5.3 (EMAILID, THREADID) and RFC 8514 §4.3 (SAVEDBEFORE, SAVEDON, SAVEDSINCE, SAVEDATESUPPORTED).

What comes out is a `mailer.mail.query`, with a `NumberKey` for numbers, an `AgeKey` for ages and a `RecentKey` for what is recent, which a
session replaces by what it knows. A key in a key costs no recursion, and a query has bounds: `MOST_KEYS`, with NOT and OR, `MOST_DEEP`
parentheses, and of the keys that read messages `MOST_FIELDS` and `MOST_TEXTS`. Text is in UTF-8, of which US-ASCII is a part; there is no
other character set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from mailer.mail.flags import Flag
from mailer.mail.query import Contains, Either, Every, Has, Is, Not, Within

from .answer import BadCharset, BadCommand
from .command import THREAD, AgeKey, NumberKey, RecentKey, Search, Sort, Thread
from .found import OPTIONS
from .sorting import KEYS
from .threading import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailer.mail.query import Query

    from .command import Key
    from .lexer import Tokens

MOST_KEYS: Final = 1000  # of a query, NOT and OR and each pair of parentheses among them
MOST_DEEP: Final = 50  # parentheses within each other
MOST_FIELDS: Final = 100  # keys for fields that are looked for in the messages themselves
MOST_TEXTS: Final = 20  # keys for bodies and whole messages
LONGEST_ID: Final = 255  # RFC 8474 §7, objectid

_CHARSETS: Final = {b"US-ASCII": "ascii", b"UTF-8": "utf-8"}
_FLAGS: Final = {"ANSWERED": Flag.ANSWERED, "DELETED": Flag.DELETED, "DRAFT": Flag.DRAFT, "FLAGGED": Flag.FLAGGED, "SEEN": Flag.SEEN}
_NUMBERS: Final = frozenset(b"0123456789*$")
_HEADED: Final = frozenset({"subject", "from", "to", "cc"})  # what is known of each message without reading it

_Day: TypeAlias = Literal["day", "received-day", "saved-day"]
_DAYS: Final[tuple[tuple[str, _Day], ...]] = (("", "received-day"), ("SENT", "day"), ("SAVED", "saved-day"))
"""What is meant by a date after each beginning of a key."""

ALL: Final = Every(())
NOTHING: Final = Either(())
RECENT: Final = cast("Query", RecentKey())

_PLAIN: Final[Mapping[str, Query]] = {
    **{name: Has(flag) for name, flag in _FLAGS.items()},
    **{f"UN{name}": Not(Has(flag)) for name, flag in _FLAGS.items()},
    "ALL": ALL,
    "NEW": Every((RECENT, Not(Has(Flag.SEEN)))),  # RFC 3501 §6.4.4
    "OLD": Not(RECENT),
    "RECENT": RECENT,
    "SAVEDATESUPPORTED": ALL,
}
"""Keys without an argument."""
_NEEDED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("OLDER", "YOUNGER"), "WITHIN"),
    **dict.fromkeys(("EMAILID", "THREADID"), "OBJECTID"),
    **dict.fromkeys(("SAVEDBEFORE", "SAVEDON", "SAVEDSINCE", "SAVEDATESUPPORTED"), "SAVEDATE"),
}
"""Keys of extensions → the capability by which they exist."""


def parse_search(tokens: Tokens, uid: bool) -> Search:
    """SEARCH, and UID SEARCH: after its name. Raises `BadCommand`."""
    tokens.space()
    returns = _returns(tokens, OPTIONS)
    charset = "utf-8"
    if tokens.taken(b"CHARSET"):
        if not tokens.charset:
            raise BadCommand("a search is in UTF-8 where that was enabled, and does not say so")  # RFC 6855 §3
        tokens.space()
        charset = _charset(tokens, returns)
        tokens.space()
    return _keys(tokens, uid, charset, returns)


def parse_sort(tokens: Tokens, uid: bool) -> Sort:
    """SORT, RFC 5256 §3, with RETURN of RFC 5267 §3.1. Raises `BadCommand`."""
    tokens.space()
    returns = _returns(tokens, OPTIONS)
    tokens.expect(b"(")
    keys = [_sort_key(tokens)]
    while not tokens.closed():
        tokens.space()
        keys.append(_sort_key(tokens))
    tokens.space()
    charset = _charset(tokens, returns)
    tokens.space()
    return Sort(keys, _keys(tokens, uid, charset, returns))


def parse_thread(tokens: Tokens, uid: bool) -> Thread:
    """THREAD, RFC 5256 §3. Raises `BadCommand`."""
    tokens.space()
    algorithm = tokens.word()
    if algorithm not in ALGORITHMS:
        raise BadCommand(f"there is no way to thread by {algorithm[:40]}; there are {' and '.join(ALGORITHMS)}")
    tokens.space()
    charset = _charset(tokens)
    tokens.space()
    return Thread(algorithm, _keys(tokens, uid, charset, None))


def _sort_key(tokens: Tokens) -> tuple[str, bool]:
    is_reversed = False
    if tokens.taken(b"REVERSE"):
        tokens.space()
        is_reversed = True
    name = tokens.word()
    if name not in KEYS:
        raise BadCommand(f"nothing is sorted by {name[:40]}; there are {', '.join(KEYS)}")
    return name, is_reversed


def _returns(tokens: Tokens, options: frozenset[str]) -> frozenset[str] | None:
    """The options of RETURN, RFC 9051 §9, search-return-opts; none is ALL."""
    if not tokens.taken(b"RETURN"):
        return None
    tokens.space()
    tokens.expect(b"(")
    found: set[str] = set()
    while not tokens.closed():
        if found:
            tokens.space()
        option = tokens.word()
        if option not in options:
            raise BadCommand(f"RETURN has no option {option[:40]} here; there are {', '.join(sorted(options))}")
        found.add(option)
    tokens.space()
    return frozenset(found or {"ALL"})


def _charset(tokens: Tokens, returns: frozenset[str] | None = None) -> str:
    charset = _CHARSETS.get(tokens.astring().upper())
    if charset is None:
        raise BadCharset(saves="SAVE" in (returns or ()))
    return charset


def _keys(tokens: Tokens, uid: bool, charset: str, returns: frozenset[str] | None) -> Search:
    reading = _Reading(tokens, charset)
    query = reading.keys()
    return Search(query, uid, returns, reading.modseq, frozenset(reading.needs), reading.numbered)


class _Reading:
    """Reads the keys of a query, up to the end of the command."""

    def __init__(self, tokens: Tokens, charset: str) -> None:
        self.tokens = tokens
        self.charset = charset
        self.modseq = self.numbered = False
        self.needs: set[str] = set()
        self.count = self.fields = self.texts = self.deep = 0
        self.open: list[tuple[str, list[Key]]] = [("", [])]
        """What is not complete yet: the whole, a list in parentheses, a NOT, an OR, each with what is in it so far."""

    def keys(self) -> Key:
        """All keys, which are to be true together."""
        tokens = self.tokens
        while True:
            self.count += 1
            if self.count > MOST_KEYS:
                raise BadCommand(f"a search has no more than {MOST_KEYS} keys")
            if tokens.opened():
                self._opened()
                continue
            name = "" if tokens.peek() in _NUMBERS else tokens.word()
            if name in ("NOT", "OR"):
                self.open.append((name, []))
                tokens.space()
                continue
            self._take(self._key(name) if name else self.numbers(uid=False))
            while len(self.open) > 1 and tokens.closed():
                self._closed()
            if tokens.peek() < 0:
                break
            tokens.space()
        tokens.end()
        if len(self.open) > 1:
            raise BadCommand("the keys of the search are not complete")
        return _together(self.open[0][1])

    def _opened(self) -> None:
        self.deep += 1
        if self.deep > MOST_DEEP:
            raise BadCommand(f"a search has no more than {MOST_DEEP} parentheses within each other")
        self.open.append(("(", []))

    def _closed(self) -> None:
        kind, inner = self.open.pop()
        if kind != "(":
            raise BadCommand(f"{kind} lacks a key")
        self.deep -= 1
        self._take(_together(inner))

    def _take(self, query: Key) -> None:
        """Put a query where it belongs, and what is complete with it."""
        while True:
            kind, inner = self.open[-1]
            inner.append(query)
            if kind in ("", "(") or (kind == "OR" and len(inner) == 1):
                return
            self.open.pop()
            query = Not(cast("Query", query)) if kind == "NOT" else Either(cast("tuple[Query, ...]", tuple(inner)))

    def _key(self, name: str) -> Key:
        if name in _NEEDED:
            self.needs.add(_NEEDED[name])
        if (plain := _PLAIN.get(name)) is not None:
            return plain
        read = _WITH_ARGUMENT.get(name)
        if read is None:
            raise BadCommand(f"there is no key {name[:40]} of a search")
        self.tokens.space()
        return read(self)

    # -- keys with arguments

    def numbers(self, *, uid: bool) -> NumberKey:
        """Numbers, and UID."""
        numbers = self.tokens.numbers()
        if numbers.saved:
            self.needs.add("SEARCHRES")
        elif not uid:
            self.numbered = True
        return NumberKey(numbers, uid)

    def text(self) -> str:
        """A text that is looked for, in the character set of the command."""
        octets = self.tokens.astring()
        if self.charset == "ascii" and not octets.isascii():
            raise BadCommand("this text is not in US-ASCII")
        return self.tokens.text(octets)

    def whole(self, where: str) -> Query:
        """TEXT, BODY"""
        self.texts += 1
        if self.texts > MOST_TEXTS:
            raise BadCommand(f"a search has no more than {MOST_TEXTS} keys TEXT and BODY")
        text = self.text()
        return Contains("text" if where == "text" else "body", text) if text else ALL

    def header(self) -> Query:
        """HEADER: a field, and what is in it; it is there, where that is empty."""
        octets = self.tokens.astring()
        self.tokens.space()
        text = self.text()
        if not octets or any(octet <= 32 or octet >= 127 or octet == ord(":") for octet in octets):  # RFC 5322 §2.2
            return NOTHING
        return self.field(octets.decode("ascii").lower(), text)

    def field(self, name: str, text: str) -> Query:
        """A field of the header has a text in it."""
        if name not in _HEADED:
            self.fields += 1
            if self.fields > MOST_FIELDS:
                raise BadCommand(f"a search has no more than {MOST_FIELDS} keys for fields other than From, To, Cc and Subject")
        return Contains("header", text, name)

    def modified(self) -> Query:
        """MODSEQ, RFC 7162 §3.1.5: flags have one MODSEQ, whichever of them is asked for, private or shared."""
        self.modseq = True
        if self.tokens.peek() == ord('"'):
            self.tokens.string()
            self.tokens.space()
            kind = self.tokens.word()
            if kind not in ("ALL", "PRIV", "SHARED"):
                raise BadCommand("a flag is asked for with all, priv or shared")
            self.tokens.space()
        return Within("modseq", self.tokens.number64())

    def id(self, what: str) -> Query:
        """EMAILID, THREADID, RFC 8474 §5.3"""
        id = self.tokens.atom()
        if len(id) > LONGEST_ID:
            raise BadCommand(f"an ID has no more than {LONGEST_ID} characters")
        if what == "mail":
            return Is("mail", id)
        return Is("thread", id.removeprefix(THREAD)) if id.startswith(THREAD) else NOTHING


def _together(queries: list[Key]) -> Key:
    return queries[0] if len(queries) == 1 else Every(cast("tuple[Query, ...]", tuple(queries)))


def _before(what: _Day) -> Callable[[_Reading], Query]:
    return lambda reading: Within(what, None, reading.tokens.date() - 1)


def _on(what: _Day) -> Callable[[_Reading], Query]:
    def read(reading: _Reading) -> Query:
        day = reading.tokens.date()
        return Within(what, day, day)

    return read


def _since(what: _Day) -> Callable[[_Reading], Query]:
    return lambda reading: Within(what, reading.tokens.date())


def _in_field(name: str) -> Callable[[_Reading], Query]:
    return lambda reading: reading.field(name, reading.text())


_WITH_ARGUMENT: Final[Mapping[str, Callable[[_Reading], Key]]] = {
    **{name.upper(): _in_field(name) for name in ("bcc", "cc", "from", "subject", "to")},
    **{f"{prefix}{name}": read(what) for prefix, what in _DAYS for name, read in (("BEFORE", _before), ("ON", _on), ("SINCE", _since))},
    "BODY": lambda reading: reading.whole("body"),
    "EMAILID": lambda reading: reading.id("mail"),
    "HEADER": _Reading.header,
    "KEYWORD": lambda reading: Has(None, reading.tokens.atom()),
    "LARGER": lambda reading: Within("size", reading.tokens.number64() + 1),
    "MODSEQ": _Reading.modified,
    "OLDER": lambda reading: AgeKey(reading.tokens.number(least=1), younger=False),
    "SMALLER": lambda reading: Within("size", None, reading.tokens.number64() - 1),
    "TEXT": lambda reading: reading.whole("text"),
    "THREADID": lambda reading: reading.id("thread"),
    "UID": lambda reading: reading.numbers(uid=True),
    "UNKEYWORD": lambda reading: Not(Has(None, reading.tokens.atom())),
    "YOUNGER": lambda reading: AgeKey(reading.tokens.number(least=1), younger=True),
}
