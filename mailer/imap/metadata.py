"""METADATA: what clients note at folders and at the server, RFC 5464. The grammar of its commands, and its answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from .answer import BadCommand
from .command import GetMetadata, SetMetadata
from .lexer import LITERAL
from .listed import folder_name
from .strings import string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .lexer import Tokens

T = TypeVar("T")

MOST_ENTRIES: Final = 1000  # of a command
EVERYTHING: Final = -1
"""The depth "infinity"."""
DEPTHS: Final = {"0": 0, "1": 1, "INFINITY": EVERYTHING}

# RFC 5464 §3.2: no control characters, no * and %, no empty level; two levels at least, and four below a vendor
_ENTRY = re.compile(r"/(?:private|shared)(?:/[\x20-\x24\x26-\x29\x2b-\x2e\x30-\x7e]++)++", re.IGNORECASE)
_VENDOR = re.compile(r"/[a-z]++/vendor(?:/[^/]++)?+", re.IGNORECASE)


def parse_getmetadata(tokens: Tokens, uid: bool) -> GetMetadata:  # noqa: ARG001
    """GETMETADATA, RFC 5464 §4.2; the options may stand before the name of the folder, as the grammar has it, or behind it, as the examples
    do."""
    tokens.space()
    options: dict[str, int] = {}
    if tokens.opened():
        options = _options(tokens)
        tokens.space()
    folder = tokens.folder()
    tokens.space()
    if not options and tokens.opened():
        if chr(max(tokens.peek(), 0)).isalpha():
            options = _options(tokens)
            tokens.space()
            entries = _entries(tokens)
        else:
            entries = _entry_list(tokens)
    else:
        entries = _entries(tokens)
    tokens.end()
    return GetMetadata(folder, entries, options.get("MAXSIZE"), options.get("DEPTH", 0))


def parse_setmetadata(tokens: Tokens, uid: bool) -> SetMetadata:  # noqa: ARG001
    """SETMETADATA, RFC 5464 §4.3."""
    tokens.space()
    folder = tokens.folder()
    tokens.space()
    tokens.expect(b"(")
    values: list[tuple[str, bytes | None]] = []
    while True:
        entry = entry_name(tokens)
        tokens.space()
        values.append((entry, _said(tokens)))
        if tokens.closed():
            break
        tokens.space()
    tokens.end()
    return SetMetadata(folder, _bounded(values))


def entry_name(tokens: Tokens) -> str:
    """The name of an entry that can be there (RFC 5464 §3.2). Raises `BadCommand`."""
    name = depth_entry(tokens)
    if not _ENTRY.fullmatch(name) or _VENDOR.fullmatch(name):
        raise BadCommand(f"an entry is called /private/… or /shared/…, and below a vendor has a name of its own: not {name[:60]!r}")
    return name


def depth_entry(tokens: Tokens) -> str:
    """The name of an entry, or of what entries are below, which may be ``/private`` (RFC 5464 §4.2.2). Raises `BadCommand`."""
    name = tokens.text(tokens.astring())
    if not _ENTRY.fullmatch(f"{name}/x"):
        raise BadCommand(f"an entry is called /private/… or /shared/…, without * and %, and without empty levels: not {name[:60]!r}")
    return name


def covers(asked: str, depth: int, entry: str) -> bool:
    """Whether `entry` is asked for by a name and a depth (RFC 5464 §4.2.2)."""
    asked, entry = asked.lower(), entry.lower()
    if asked == entry:
        return True
    return entry.startswith(f"{asked}/") and (depth == EVERYTHING or (depth == 1 and "/" not in entry[len(asked) + 1 :]))


def metadata_line(folder: str, values: Sequence[tuple[str, bytes | None]], *, utf8: bool) -> bytes:
    """METADATA with values, RFC 5464 §4.4.1; None is NIL. What has a NUL goes as a literal8."""
    said = b" ".join(b"%b %b" % (string(entry.encode("ascii")), _value(value)) for entry, value in values)
    return b"METADATA %b (%b)" % (folder_name(folder, utf8=utf8), said)


def metadata_changed(folder: str, entries: Sequence[str], *, utf8: bool) -> bytes:
    """METADATA without values: these entries have changed. RFC 5464 §4.4.2"""
    return b"METADATA %b %b" % (folder_name(folder, utf8=utf8), b" ".join(string(each.encode("ascii")) for each in entries))


def _value(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    return b"~{%d}\r\n%b" % (len(value), value) if b"\0" in value else string(value)


def _said(tokens: Tokens) -> bytes | None:
    """A value: NIL, a string, or a literal8."""
    if tokens.peek() != LITERAL:
        return tokens.nstring()
    octets, binary = tokens.literal()
    if b"\0" in octets and not binary:
        raise BadCommand("a value that has a NUL is sent as a binary literal")
    return octets


def _options(tokens: Tokens) -> dict[str, int]:
    """What stands in a list that has begun."""
    found: dict[str, int] = {}
    while True:
        option = tokens.word()
        tokens.space()
        if option == "MAXSIZE":
            found[option] = tokens.number()
        elif option == "DEPTH":
            depth = tokens.word()
            if depth not in DEPTHS:
                raise BadCommand(f"DEPTH is 0, 1 or infinity, not {depth[:20]}")
            found[option] = DEPTHS[depth]
        else:
            raise BadCommand(f"GETMETADATA has no option {option[:40]}")
        if tokens.closed():
            return found
        tokens.space()


def _entries(tokens: Tokens) -> Sequence[str]:
    return _entry_list(tokens) if tokens.opened() else (depth_entry(tokens),)


def _entry_list(tokens: Tokens) -> Sequence[str]:
    """What stands in a list that has begun."""
    found = [depth_entry(tokens)]
    while not tokens.closed():
        tokens.space()
        found.append(depth_entry(tokens))
    return _bounded(found)


def _bounded(entries: Sequence[T]) -> Sequence[T]:
    if len(entries) > MOST_ENTRIES:
        raise BadCommand(f"{MOST_ENTRIES} entries are named at once at most")
    return entries
