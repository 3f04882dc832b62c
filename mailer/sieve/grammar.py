"""The grammar of a script, RFC 5228 §8.2: from words to commands with their arguments, tests and blocks.

What the commands mean is for `check`. The parser keeps what is open on a stack of its own, so that no nesting is a recursion; and it
bounds it, so that nobody above has to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from .errors import SieveError, quoted
from .lexer import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lexer import Token

DEEPEST: Final = 32  # blocks in blocks, and tests in tests
MOST_CLAUSES: Final = 4000  # commands and tests of a script


class Argument(NamedTuple):
    """An argument as it was written: the name of a tag with its colon, a number, or strings, several where it is a list."""

    kind: Literal["tag", "number", "string", "list"]
    line: int
    tag: str = ""
    number: int = 0
    strings: tuple[str, ...] = ()


class Clause:
    """A command, or a test: what was written, and what `check` has made of it.

    `tags` are by what they decide (``match``, ``part``), each with its name and what stood behind it; `values` are the other arguments in
    their order, None for one that was left out.
    """

    __slots__ = ("arguments", "block", "depth", "line", "listed", "name", "tags", "tests", "values")

    def __init__(self, name: str, line: int, depth: int = 0) -> None:
        self.name = name
        self.line = line
        self.depth = depth
        self.arguments: list[Argument] = []
        self.tests: list[Clause] = []
        self.listed = False
        self.block: list[Clause] | None = None
        self.tags: dict[str, tuple[str, Any]] = {}
        self.values: list[Any] = []


def tree(source: bytes | str) -> list[Clause]:
    """The commands of `source`. Raises `SieveError`."""
    return _Parser(source).commands()


def clauses(commands: list[Clause]) -> Iterator[Clause]:
    """All commands and tests, each before what is in it, in the order in which they were written."""
    waiting = commands[::-1]
    while waiting:
        clause = waiting.pop()
        yield clause
        waiting += [*clause.tests, *(clause.block or ())][::-1]


class _Parser:
    def __init__(self, source: bytes | str) -> None:
        self._tokens = tokens(source)
        self._next: Token = next(self._tokens)
        self._count = 0

    def commands(self) -> list[Clause]:
        blocks: list[list[Clause]] = [[]]
        lines: list[int] = []
        while True:
            token = self._take()
            if token.kind == "word":
                command = self._clause(token, 0)
                blocks[-1].append(command)
                self._tests(command)
                if self._ends(command):
                    continue
                if len(blocks) > DEEPEST:
                    raise SieveError(token.line, f"blocks are nested more than {DEEPEST} deep")
                command.block = []
                blocks.append(command.block)
                lines.append(token.line)
            elif token.text == "}" and lines and token.kind == "sign":
                blocks.pop()
                lines.pop()
            elif token.kind != "end":
                raise SieveError(token.line, f"a command was due, and {_shown(token)} stands there")
            elif lines:
                raise SieveError(token.line, f"the block that was opened in line {lines[-1]} is not closed")
            else:
                return blocks[0]

    def _take(self) -> Token:
        token = self._next
        self._next = token if token.kind == "end" else next(self._tokens)
        return token

    def _is(self, sign: str) -> bool:
        """Whether the next is this sign; then it is taken."""
        if self._next.kind != "sign" or self._next.text != sign:
            return False
        self._take()
        return True

    def _ends(self, command: Clause) -> bool:
        """Whether a command ends here, and no block follows."""
        if self._is(";"):
            return True
        if self._is("{"):
            return False
        raise SieveError(self._next.line, f"a semicolon or a block was due behind {command.name}, and {_shown(self._next)} stands there")

    def _clause(self, token: Token, depth: int) -> Clause:
        self._count += 1
        if self._count > MOST_CLAUSES:
            raise SieveError(token.line, f"the script has more than {MOST_CLAUSES} commands and tests")
        if depth > DEEPEST:
            raise SieveError(token.line, f"tests are nested more than {DEEPEST} deep")
        clause = Clause(token.text, token.line, depth)
        while True:
            token = self._next
            if token.kind == "tag":
                clause.arguments.append(Argument("tag", token.line, tag=self._take().text))
            elif token.kind == "number":
                clause.arguments.append(Argument("number", token.line, number=self._take().number))
            elif token.kind == "string":
                clause.arguments.append(Argument("string", token.line, strings=(self._take().text,)))
            elif self._is("["):
                clause.arguments.append(Argument("list", token.line, strings=tuple(self._strings(token.line))))
            else:
                return clause

    def _strings(self, line: int) -> Iterator[str]:
        """The rest of a list."""
        while True:
            token = self._take()
            if token.kind != "string":
                raise SieveError(token.line, f"a string was due in the list of line {line}, and {_shown(token)} stands there")
            yield token.text
            if self._is("]"):
                return
            if not self._is(","):
                raise SieveError(self._next.line, f"a comma or ] was due in the list of line {line}, and {_shown(self._next)} stands there")

    def _tests(self, owner: Clause) -> None:
        """The tests behind the arguments of `owner`, and theirs."""
        opened: list[Clause] = []  # whose lists are open
        while True:
            if self._is("("):
                owner.listed = True
                opened.append(owner)
                owner = self._test(owner)
            elif self._next.kind == "word":
                owner = self._test(owner)
            else:
                while opened and self._is(")"):
                    opened.pop()
                if not opened:
                    return
                if not self._is(","):
                    raise SieveError(self._next.line, f"a comma or ) was due in a list of tests, and {_shown(self._next)} stands there")
                owner = self._test(opened[-1])

    def _test(self, owner: Clause) -> Clause:
        token = self._take()
        if token.kind != "word":
            raise SieveError(token.line, f"a test was due, and {_shown(token)} stands there")
        test = self._clause(token, owner.depth + 1)
        owner.tests.append(test)
        return test


def _shown(token: Token) -> str:
    return "the end of the script" if token.kind == "end" else quoted(token.text)
