"""FETCH as a client says it: items, sections of messages, macros, and modifiers. RFC 9051 §6.4.5, §9; RFC 3501 §6.4.5 has RFC822 besides.

And of extensions: BINARY (RFC 3516), MODSEQ and CHANGEDSINCE (RFC 7162), EMAILID and THREADID (RFC 8474), SAVEDATE (RFC 8514),
PREVIEW (RFC 8970). NOTIFY reads items by the same grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .answer import BadCommand
from .command import Fetch, FetchItem

if TYPE_CHECKING:
    from .lexer import Tokens

PLAIN: Final = frozenset({
    "FLAGS", "UID", "ENVELOPE", "INTERNALDATE", "RFC822.SIZE", "BODYSTRUCTURE", "RFC822", "RFC822.HEADER", "RFC822.TEXT", "MODSEQ",
    "EMAILID", "THREADID", "SAVEDATE",
})  # fmt: skip
"""The items that are a word."""
_FAST = ("FLAGS", "INTERNALDATE", "RFC822.SIZE")
MACROS: Final = {"ALL": (*_FAST, "ENVELOPE"), "FAST": _FAST, "FULL": (*_FAST, "ENVELOPE", "BODY")}
TEXTS: Final = frozenset({"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"})
REST: Final = 2**63 - 1  # octets, where a client does not say how many


def parse_fetch(tokens: Tokens, uid: bool) -> Fetch:
    """FETCH, or UID FETCH: after its name. Raises `BadCommand`."""
    tokens.space()
    numbers = tokens.numbers()
    tokens.space()
    items = parse_items(tokens, macros=True)
    changed_since, vanished = _modifiers(tokens) if tokens.taken(b" ") else (None, False)
    tokens.end()
    if vanished and not (uid and changed_since is not None):
        raise BadCommand("VANISHED is for UID FETCH with CHANGEDSINCE")  # RFC 7162 §3.2.6
    return Fetch(numbers, uid, items, changed_since, vanished)


def parse_items(tokens: Tokens, *, macros: bool = False) -> tuple[FetchItem, ...]:
    """An item, several in parentheses, or one of the `macros`; each once, however often it is asked for."""
    if tokens.opened():
        items = [_item(tokens, tokens.label())]
        while not tokens.closed():
            tokens.space()
            items.append(_item(tokens, tokens.label()))
        return tuple(dict.fromkeys(items))
    name = tokens.label()
    if macros and name in MACROS:
        return tuple(map(FetchItem, MACROS[name]))
    return (_item(tokens, name),)


def _item(tokens: Tokens, name: str) -> FetchItem:
    if name in PLAIN:
        return FetchItem(name, peek=name not in ("RFC822", "RFC822.TEXT"))
    if name == "BODY" and tokens.peek() != ord("["):
        return FetchItem(name, peek=True)
    if name == "PREVIEW":
        return FetchItem(name, peek=True, lazy=tokens.taken(b" (LAZY)"))
    if name == "BINARY.SIZE":
        return FetchItem(name, _binary(tokens), peek=True)
    peek = name.endswith(".PEEK")
    if name in ("BODY", "BODY.PEEK"):
        part, text, fields = _section(tokens)
        return FetchItem("SECTION", part, text, fields, _partial(tokens), peek)
    if name in ("BINARY", "BINARY.PEEK"):
        return FetchItem("BINARY", _binary(tokens), partial=_partial(tokens), peek=peek)
    raise BadCommand(f"there is nothing to fetch that is called {name[:40]}")


def _section(tokens: Tokens) -> tuple[str, str, tuple[bytes, ...]]:
    """A section in brackets: the number of a part, what of it, and the names of fields."""
    tokens.expect(b"[")
    if tokens.taken(b"]"):
        return "", "", ()
    pieces = tokens.label().split(".")
    count = next((place for place, piece in enumerate(pieces) if not piece.isdigit()), len(pieces))
    part, text = _part(pieces[:count]), ".".join(pieces[count:])
    if text not in TEXTS or "" in pieces or (text == "MIME" and not part):
        raise BadCommand(f"there is no section {text[:40] or 'of this name'}")
    fields = _fields(tokens) if text.startswith("HEADER.FIELDS") else ()
    tokens.expect(b"]")
    return part, text, fields


def _binary(tokens: Tokens) -> str:
    """A section of which nothing but the number of a part is said. RFC 9051 §9, section-binary"""
    tokens.expect(b"[")
    if tokens.taken(b"]"):
        return ""
    part = _part(tokens.label().split("."))
    tokens.expect(b"]")
    return part


def _part(numbers: list[str]) -> str:
    if not all(number.isdigit() and number[0] != "0" for number in numbers):  # RFC 9051 §9, section-part
        raise BadCommand("the number of a part is as in 1.2")
    return ".".join(numbers)


def _fields(tokens: Tokens) -> tuple[bytes, ...]:
    tokens.space()
    tokens.expect(b"(")
    fields = [tokens.astring()]
    while not tokens.closed():
        tokens.space()
        fields.append(tokens.astring())
    return tuple(fields)


def _partial(tokens: Tokens) -> tuple[int, int] | None:
    """The first octet and how many, where that is said; all that follow where the second number is missing, which is no standard's."""
    if not tokens.taken(b"<"):
        return None
    first = tokens.number64()
    many = tokens.number64(least=1) if tokens.taken(b".") else REST
    tokens.expect(b">")
    return first, many


def _modifiers(tokens: Tokens) -> tuple[int | None, bool]:
    """CHANGEDSINCE and VANISHED, in any order. RFC 4466 §2.4, RFC 7162 §7"""
    tokens.expect(b"(")
    changed_since, vanished = None, False
    while True:
        name = tokens.label()
        if name == "CHANGEDSINCE" and changed_since is None:
            tokens.space()
            changed_since = tokens.number64()
        elif name == "VANISHED" and not vanished:
            vanished = True
        else:
            raise BadCommand(f"FETCH has no modifier {name[:40]} here")
        if tokens.closed():
            return changed_since, vanished
        tokens.space()
