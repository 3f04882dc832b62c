"""Where each setting stands in the text of a TOML file, which `tomllib` does not tell.

Used for the line of an error and by ``mailer config set``, which replaces one value and nothing else. The
text has been accepted by `tomllib`, so this only has to find the way, not to validate. Keys inside an
inline table have no place of their own; theirs is that of the table.
"""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

Path = tuple[str | int, ...]
"""A key with the tables around it; the members of a list of tables have numbers."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_PIECE = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:'{0,2})|"(?:[^"\\]|\\.)*"|'[^']*'|[][{}\n]|\#[^\n]*|[^][{}"'\n\#]+''', re.DOTALL
)


class Place(NamedTuple):
    """A place in the text: `line` counts from 1; ``text[start:end]`` is the value, or the header of a table."""

    line: int
    start: int
    end: int


class Places:
    """All places of `text`: of keys, and of tables, which are those that a header opens."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Path, Place] = {}
        self.tables: dict[Path, Place] = {}
        self._text = text
        self._lines: dict[Path, int] = {}  # where a path, or the first thing in it, is met
        self._counts: dict[Path, int] = {}
        table: Path = ()
        at = _end(_SPACE, text, 0)
        line = 1 + text.count("\n", 0, at)
        while at < len(text):
            start = at
            if text[at] == "[":
                table, at = self._header(at, line)
            else:
                at = self._entry(table, at, line)
            at = _end(_SPACE, text, at)
            line += text.count("\n", start, at)

    def line(self, path: Path) -> int:
        """The line of `path`, or of what it is in; 0 for the whole file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)

    def _meet(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _header(self, at: int, line: int) -> tuple[Path, int]:
        listed = self._text.startswith("[[", at)
        names, end = _dotted(self._text, at + 1 + listed)
        path: Path = ()
        for name in names[:-1]:
            path = self._member((*path, name))
        path = (*path, names[-1])
        if listed:
            self._counts[path] = self._counts.get(path, -1) + 1
        path = self._member(path)
        end += 1 + listed
        self.tables[path] = Place(line, at, end)
        self._meet(path, line)
        return path, end

    def _member(self, path: Path) -> Path:
        """The last member of the list of tables at `path`, or `path` itself."""
        return (*path, self._counts[path]) if path in self._counts else path

    def _entry(self, table: Path, at: int, line: int) -> int:
        names, at = _dotted(self._text, at)
        start = at + 1  # after the equals sign
        while self._text[start] in " \t":
            start += 1
        end = _value_end(self._text, start)
        self.keys[(*table, *names)] = Place(line, start, end)
        self._meet((*table, *names), line)
        return end


def _dotted(text: str, at: int) -> tuple[list[str], int]:
    """The parts of a key that begins at `at`, and where it ends."""
    names = []
    while True:
        match = _KEY.match(text, at)
        assert match is not None
        name = match[1]
        names.append(tomllib.loads(f"x = {name}")["x"] if name[0] in "\"'" else name)
        at = match.end()
        if text[at] != ".":
            return names, at
        at += 1


def _value_end(text: str, at: int) -> int:
    """The end of the value that begins at `at`: the line's, or that of the line in which its brackets close."""
    depth = 0
    end = at
    while at < len(text):
        match = _PIECE.match(text, at)
        assert match is not None
        piece = match[0]
        if not depth and piece[0] in "\n#":
            break
        depth += (piece in "[{") - (piece in "]}")
        at = match.end()
        if piece[0] != "#" and not piece.isspace():
            end = at - len(piece) + len(piece.rstrip(" \t\r"))
    return end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    assert match is not None
    return match.end()
