"""A manual page as text for a terminal, where there is no man(1): `mailer help` shows our own pages with it.

It reads the macros of man(7) that our pages use, and tables of tbl(1) without spanned cells. What it does not know it leaves out; no page
makes it fail. A test holds every page of ours against what groff makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import cycle

BASE, PART, HANG = 7, 3, 7
"""Columns: where text begins, where the heading of a part does, and how far what a tag says stands to the right of it."""

BOLD, ITALIC, ROMAN = "\x01", "\x02", "\x03"
SIGNS = {BOLD: "\x1b[1m", ITALIC: "\x1b[4m", ROMAN: "\x1b[0m"}
FONTS = {"B": BOLD, "I": ITALIC, "R": ROMAN, "P": ROMAN}
NAMED = {
    "aq": "'",
    "lq": "“",
    "rq": "”",
    "oq": "‘",
    "cq": "’",
    "bu": "•",
    "sc": "§",
    "co": "©",
    "em": "—",
    "en": "–",
    "dq": '"',
    "ti": "~",
    "ha": "^",
}
ESCAPE = re.compile(r"\\(?:f(.)|\((..)|\[([^]]*)\]|(.))")
ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|((?:\\.|\S)+)')
LITERAL = {"-": "-", "e": "\\", " ": "\xa0", "~": "\xa0", "0": "\xa0", "'": "'", "`": "`", ".": ".", "\\": "\\"}


def render(source: str, width: int = 80, *, styled: bool = False) -> str:
    """The page `source` in lines of at most `width` columns where words allow it; with `styled`, in bold and underlined."""
    page = _Page(width)
    lines = iter(source.splitlines())
    for line in lines:
        page.read(line, lines)
    page.flush()
    text = "\n".join(_closed(page.lines)).strip("\n") + "\n"
    for mark, sign in SIGNS.items():
        text = text.replace(mark, sign if styled else "")
    return text.replace("\xa0", " ")


def _closed(lines: list[str]) -> Iterator[str]:
    """Each line with the fonts that it begins and ends in said within it, for pagers show lines one by one; no two empty ones together."""
    font, empty = ROMAN, True
    for line in lines:
        begun = "" if font == ROMAN else font
        marks = [char for char in line if char in SIGNS]
        font = marks[-1] if marks else font
        if not line and empty:
            continue
        empty = not line
        yield begun + line.rstrip() + ("" if font == ROMAN else ROMAN)


class _Page:
    """What was read so far: finished `lines`, and the words of a paragraph that is being filled."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []
        self.heading = ""  # the last one
        self.words: list[str] = []
        self.indent = BASE
        self.filled = True
        self.tag: str | None = None  # stands to the left of the paragraph
        self.tagged = False  # the next line is a tag

    def read(self, line: str, rest: Iterator[str]) -> None:
        """Take in one line; a table takes its others from `rest`."""
        if line.startswith((".", "'")):
            name, _, given = line[1:].strip().partition(" ")
            self._macro(name, given.strip(), rest)
        elif not line.strip() and self.filled:
            self._paragraph()
        else:
            self._text(_inline(line))

    def _macro(self, name: str, given: str, rest: Iterator[str]) -> None:
        if name == "TH":
            page, section, *_ = [*_arguments(given), "", ""]
            self.lines.append(f"{page}({section})")
        elif name in ("SH", "SS"):
            self._paragraph()
            self.heading = " " * (0 if name == "SH" else PART) + BOLD + " ".join(_arguments(given)) + ROMAN
            self.lines.append(self.heading)
        elif name in ("PP", "P", "LP"):
            self._paragraph()
        elif name == "TP":
            self._paragraph()
            self.indent, self.tagged = BASE + HANG, True
        elif name == "IP":
            self._paragraph()
            tag, *wide = _arguments(given) or [""]
            self.tag, self.indent = tag, BASE + (int(wide[0]) if wide and wide[0].isdigit() else HANG)
        elif name == "br":
            self.flush()
        elif name in ("EX", "nf", "EE", "fi"):
            self.flush()
            self.filled = name in ("EE", "fi")
        elif name == "TS":
            self._table(rest)
        elif name in ("B", "I"):
            self._text(FONTS[name] + " ".join(_arguments(given)) + ROMAN)
        elif len(name) == 2 and set(name) <= {"B", "I", "R"}:
            pieces = zip(cycle(name), _arguments(given), strict=False)
            self._text("".join(f"{FONTS[font]}{piece}{ROMAN}" for font, piece in pieces))

    def _text(self, text: str) -> None:
        if self.tagged:
            self.tag, self.tagged = text, False
        elif self.filled:
            self.words += text.split(" ")
        else:
            self.lines.append(" " * self.indent + text)

    def _paragraph(self) -> None:
        self.flush()
        if self.lines[-1:] != [self.heading]:
            self.lines.append("")
        self.indent, self.filled, self.tagged = BASE, True, False

    def flush(self) -> None:
        """End the line, and fill what was gathered."""
        before = " " * self.indent
        if self.tag is not None:
            lead = " " * BASE + self.tag
            if _columns(lead) < self.indent:
                before = lead + " " * (self.indent - _columns(lead))
            else:
                self.lines += _wrapped(self.tag.split(" "), " " * BASE, " " * BASE, self.width)
            self.tag = None
            if not any(self.words) and before.strip():
                self.lines.append(before)
        self.lines += _wrapped(self.words, before, " " * self.indent, self.width)
        self.words = []

    def _table(self, rest: Iterator[str]) -> None:
        self._paragraph()
        separator, rows, begun = "\t", [], False
        for line in rest:
            if line == ".TE":
                break
            if begun:
                rows.append([_inline(cell) for cell in line.split(separator)])
            elif found := re.search(r"tab\((.)\);", line):
                separator = found[1]
            begun = begun or line.endswith(".")
        wide = [max(_columns(row[at]) for row in rows if at < len(row)) + 3 for at in range(max(map(len, rows), default=0))]
        for row, font in zip(rows, (BOLD, *[ROMAN] * len(rows)), strict=False):
            *cells, last = row
            before = " " * BASE + "".join(cell + " " * (wide[at] - _columns(cell)) for at, cell in enumerate(cells))
            lines = _wrapped(last.split(" "), before, " " * _columns(before), self.width)
            self.lines += [font + line + ROMAN for line in lines]
        self.lines.append("")


def _wrapped(words: list[str], before: str, margin: str, width: int) -> Iterator[str]:
    """`words` in lines, of which the first begins with `before` and the others with `margin`."""
    line, empty = before, True
    for word in filter(None, words):
        if not empty and _columns(line) + 1 + _columns(word) > width:
            yield line
            line, empty = margin, True
        line += word if empty else f" {word}"
        empty = False
    if not empty:
        yield line


def _columns(text: str) -> int:
    return sum(char not in SIGNS for char in text)


def _arguments(given: str) -> list[str]:
    """The arguments of a macro, which may stand in double quotes."""
    return [_inline(quoted.replace('""', '"') or bare) for quoted, bare in ARGUMENT.findall(given)]


def _inline(text: str) -> str:
    """`text` with what its escapes mean; fonts are marks."""

    def meant(found: re.Match[str]) -> str:
        font, short, long, char = found.groups()
        if font:
            return FONTS.get(font, "")
        if char:
            return LITERAL.get(char, "")
        name = short or long
        if re.fullmatch(r"u[0-9A-F]{4,5}", name):
            return chr(int(name[1:], 16))
        return NAMED.get(name, "")

    return ESCAPE.sub(meant, text.partition('\\"')[0])
