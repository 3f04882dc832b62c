"""What a command is answered with in the end: RFC 9051 §7.1."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Answer(NamedTuple):
    """The tagged line that ends a command. `code` stands in brackets in it, such as ``NONEXISTENT`` or ``COPYUID 1 2 3``."""

    kind: Literal["OK", "NO", "BAD"]
    text: str
    code: str = ""


class BadCommand(Exception):
    """A command that the grammar refuses: it is answered with `kind` and `code`, and the session goes on. The text says what is wrong, in a
    line."""

    kind: Literal["NO", "BAD"] = "BAD"
    code: str = ""

    @property
    def answer(self) -> Answer:
        """The answer to the command."""
        return Answer(self.kind, str(self), self.code)


class RefusedCommand(BadCommand):
    """A command that is well said, and is not obeyed: NO, with a code if one says why."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.kind, self.code = "NO", code


class BadCharset(BadCommand):
    """A search in a character set that we do not know: the client is told which ones we know, RFC 9051 §7.1, BADCHARSET. `saves`: what it
    found was to be saved."""

    kind = "NO"
    code = "BADCHARSET (US-ASCII UTF-8)"

    def __init__(self, *, saves: bool = False) -> None:
        super().__init__("searches are in US-ASCII or UTF-8")
        self.saves = saves
