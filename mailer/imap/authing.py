"""The grammar of commands that say who somebody is and what he can do: LOGIN, AUTHENTICATE, ID, ENABLE, and those without arguments.

Each function takes the arguments of its command from `Tokens`, and raises `BadCommand` for what RFC 9051 §9 does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import command as said
from .answer import BadCommand
from .lexer import END

if TYPE_CHECKING:
    from collections.abc import Callable

    from .command import Command
    from .lexer import Tokens

MOST_FIELDS: Final = 30  # of ID, RFC 2971 §3.3
LONGEST_FIELD: Final = 30  # octets of its name
LONGEST_VALUE: Final = 1024


def alone(made: Callable[[], Command]) -> Callable[[Tokens, bool], Command]:
    """The grammar of a command that has no arguments."""

    def parse(tokens: Tokens, _: bool) -> Command:
        tokens.end()
        return made()

    return parse


def parse_login(tokens: Tokens, _: bool) -> said.LogIn:
    """LOGIN, RFC 9051 §6.2.3."""
    tokens.space()
    username = _printable(tokens)
    tokens.space()
    password = _printable(tokens)
    tokens.end()
    return said.LogIn(username, password)


def _printable(tokens: Tokens) -> str:
    text = tokens.text(tokens.astring())
    if not text.isprintable():
        raise BadCommand("no control characters are in names and passwords")
    return text


def parse_authenticate(tokens: Tokens, _: bool) -> said.Authenticate:
    """AUTHENTICATE, with a first response where one is said. RFC 9051 §6.2.2, RFC 4959 §3"""
    tokens.space()
    mechanism = tokens.word()
    initial = None
    if tokens.taken(b" "):
        response = tokens.base64()
        initial = b"" if response == b"=" else response
    tokens.end()
    return said.Authenticate(mechanism, initial)


def parse_id(tokens: Tokens, _: bool) -> said.Identify:
    """ID. RFC 2971 §3.1, §3.3; a field without a value is left out, and what is said of one twice, the last time counts."""
    tokens.space()
    fields: dict[str, str] = {}
    if not tokens.taken(b"NIL"):
        tokens.expect(b"(")
        while not tokens.closed():
            if fields:
                tokens.space()
            _field(tokens, fields)
    tokens.end()
    return said.Identify({name: value for name, value in fields.items() if value})


def _field(tokens: Tokens, fields: dict[str, str]) -> None:
    """A field. Of a client that says very much, what is beyond the bounds is left out."""
    name = tokens.string()[:LONGEST_FIELD].decode("utf-8", "replace").lower()
    tokens.space()
    value = (tokens.nstring() or b"")[:LONGEST_VALUE].decode("utf-8", "replace")
    if len(fields) < MOST_FIELDS:
        fields[name] = value


def parse_enable(tokens: Tokens, _: bool) -> said.Enable:
    """ENABLE, of one capability at least. RFC 9051 §6.3.1"""
    names: list[str] = []
    while not names or tokens.peek() != END:
        tokens.space()
        names.append(tokens.word())
    return said.Enable(names)
