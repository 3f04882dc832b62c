"""The grammar of STORE: RFC 9051 §6.4.6, RFC 7162 §3.1.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from . import command as said
from .answer import BadCommand

if TYPE_CHECKING:
    from .lexer import Tokens

Change = Literal["add", "remove", "set"]

_HOW: Final[dict[bytes, Change]] = {b"+": "add", b"-": "remove"}


def parse_store(tokens: Tokens, uid: bool) -> said.Store:
    """STORE. Raises `BadCommand`."""
    tokens.space()
    numbers = tokens.numbers()
    tokens.space()
    unchanged_since = None
    if tokens.opened():
        tokens.expect(b"UNCHANGEDSINCE")
        tokens.space()
        unchanged_since = tokens.number64()
        tokens.expect(b")")
        tokens.space()
    how: Change = next((change for sign, change in _HOW.items() if tokens.taken(sign)), "set")
    silent = tokens.taken(b"FLAGS.SILENT")
    if not silent and not tokens.taken(b"FLAGS"):
        raise BadCommand("STORE changes FLAGS, or FLAGS.SILENT")
    tokens.space()
    flags, keywords = tokens.flags()
    tokens.end()
    return said.Store(numbers, uid, how, flags, keywords, silent, unchanged_since)
