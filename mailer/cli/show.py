"""How things look. A command says what it shows as blocks (`Line`, `Fields`, `Table`); this prints them.

On a terminal they are laid out to its width and coloured, by rich, which is imported only then. Elsewhere they are
plain text in columns, not cut to any width, without colour and without tabs, so that grep and awk have an easy time. With
``NO_COLOR``, or on a terminal that cannot, there is no colour. What a person asked for decides before all that: ``--color``.
What is longer than the terminal is shown page by page, by ``PAGER``.

Every text passes `one_line` on its way out, whoever it came from: nothing that is printed here moves a cursor, writes
to a clipboard or forges a line. Text for programs is JSON (`json_line`), pure ASCII, which needs no such care.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Literal

    from rich.console import Console, RenderableType
    from rich.text import Text

GAP = "  "

STYLES = {"good": "green", "bad": "red", "wait": "yellow", "busy": "cyan", "quiet": "dim", "strong": "bold", "": ""}
"""What a style of a `Cell` means. Commands name meanings, never colours."""

MOODS = {
    "queued": "strong", "scheduled": "quiet", "sending": "busy", "deferred": "wait", "held": "busy", "sent": "good",
    "failed": "bad", "expired": "bad", "cancelled": "quiet", "bounced": "bad", "complained": "bad",
}  # fmt: skip
"""The style of each status, and of mail that was sent to leave later."""


class Cell(NamedTuple):
    """A piece of text and what it means."""

    text: str
    style: str = ""


def status(word: str) -> Cell:
    """A status in its style."""
    return Cell(word, MOODS.get(word, ""))


Piece = Cell | str


class Line(NamedTuple):
    """Cells one after the other."""

    cells: Sequence[Piece] = ()


Value = Cell | str | list[Line]
"""What can stand in a table. A list is several lines, one below the other."""


class Fields(NamedTuple):
    """Labels and their values, one below the other."""

    rows: Sequence[tuple[str, Piece]]


class Column(NamedTuple):
    """A column: its heading, numbers to the right, and whether a long text is cut rather than wrapped on a terminal."""

    heading: str
    right: bool = False
    cut: bool = False


class Table(NamedTuple):
    """Rows below headings; `apart`: with an empty line between two of them on a terminal, as their values have several lines."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    apart: bool = False


Block = Line | Fields | Table
BLANK = Line()


ROOMY = 110  # columns of a terminal from which on each thing has a column of its own

_WANTED = ["auto"]


@contextmanager
def colour(when: str) -> Iterator[None]:
    """Have colour and the layout of a terminal where there is one (``auto``), ``always``, or ``never``."""
    _WANTED.append(when)
    try:
        yield
    finally:
        _WANTED.pop()


def terminal() -> bool:
    """Whether it is for a person, who looks at standard output, or has it shown by a program that knows colour."""
    return _WANTED[-1] == "always" or sys.stdout.isatty()


def coloured() -> bool:
    """Whether what is shown may have colour."""
    return _WANTED[-1] == "always" or (_WANTED[-1] == "auto" and not os.environ.get("NO_COLOR") and sys.stdout.isatty())


def width() -> int:
    """The columns of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns


def show(blocks: Iterable[Block], *, pages: bool = True) -> None:
    """Print the blocks; page by page on a terminal that has not so many lines, unless something is asked behind them."""
    if terminal():
        console = _console()
        with console.capture() as drawn:
            console.print(_drawn(blocks), soft_wrap=False)
        if pages and sys.stdout.isatty():
            paged(drawn.get())
        else:
            sys.stdout.write(drawn.get())
        return
    for line in plain(blocks):
        say(line)


def preload() -> None:
    """Load all that a terminal takes, by drawing a little to nowhere: for whoever gives up the right to read the library."""
    if terminal():
        import click._termui_impl  # noqa: F401 - the pager's

        console = _console()
        with console.capture():
            console.print(_drawn([Table([Column("→")], [[[BLANK]]]), Fields([("", Cell("", "bad"))])]))


def paged(text: str) -> None:
    """Print `text` on the terminal; page by page, by ``PAGER``, where that has fewer lines, and it is one that can."""
    import shutil

    if text.count("\n") < shutil.get_terminal_size().lines or os.environ.get("TERM") in (None, "", "dumb") or not sys.stdin.isatty():
        sys.stdout.write(text)
        return
    import click

    os.environ.setdefault("LESS", "-FRX")
    click.echo_via_pager(text.removesuffix("\n"), color=coloured())


def say(line: str) -> None:
    """Print one line as it is; what the output cannot write becomes ``?``."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")


def json_line(value: object) -> None:
    """Print `value` as JSON on one line."""
    import json

    sys.stdout.write(json.dumps(value) + "\n")


def document(value: object) -> None:
    """Print `value` as JSON on several lines, for people to read as well."""
    import json

    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def note(*texts: str) -> None:
    """Lines on standard error that are no errors: what could not be read, or what to do next."""
    for text in texts:
        sys.stderr.write(f"mailer: {one_line(text)}\n")


def watch(make: Callable[[], Sequence[Block]], every: float = 1.0) -> None:
    """Show the blocks anew `every` so many seconds, until Ctrl-C; where no terminal is, print them again when they change."""
    try:
        _live(make, every) if sys.stdout.isatty() else _changes(make, every)
    except KeyboardInterrupt:
        return


def changes(make: Callable[[], Sequence[str]], every: float = 1.0) -> None:
    """Print these lines again whenever they change, looked at `every` so many seconds, until Ctrl-C."""
    before: Sequence[str] = ()
    try:
        while True:
            lines = make()
            if lines != before:
                for line in lines:
                    say(line)
                sys.stdout.flush()
            before = lines
            time.sleep(every)
    except KeyboardInterrupt:
        return


def _changes(make: Callable[[], Sequence[Block]], every: float) -> None:
    changes(lambda: list(plain(make())), every)


def _live(make: Callable[[], Sequence[Block]], every: float) -> None:
    from rich.live import Live

    with Live(_drawn(make()), console=_console(), auto_refresh=False) as live:
        while True:
            time.sleep(every)
            live.update(_drawn(make()), refresh=True)


# Plain text


def plain(blocks: Iterable[Block]) -> Iterator[str]:
    """The blocks as lines of text."""
    for block in blocks:
        if isinstance(block, Line):
            yield _joined(block)
        elif isinstance(block, Fields):
            wide = max((len(label) for label, _ in block.rows), default=0)
            yield from (f"{label:<{wide}}{GAP}{_plain(value)}".rstrip() for label, value in block.rows)
        else:
            yield from _columns(block)


def _columns(table: Table) -> Iterator[str]:
    rows = [[column.heading for column in table.columns], *([_plain(cell) for cell in row] for row in table.rows)]
    widths = [max(_width(row[at]) for row in rows) for at in range(len(table.columns))]
    for row in rows:
        cells = [_padded(text, widths[at], right=table.columns[at].right) for at, text in enumerate(row)]
        yield GAP.join(cells).rstrip()


def _padded(text: str, wanted: int, *, right: bool) -> str:
    fill = " " * (wanted - _width(text))
    return fill + text if right else text + fill


def _plain(cell: Value) -> str:
    if isinstance(cell, list):
        return "; ".join(_joined(line) for line in cell)
    return one_line(cell if isinstance(cell, str) else cell.text)


def _joined(line: Line) -> str:
    return "".join(_piece(cell).text for cell in line.cells)


def _piece(cell: Piece) -> Cell:
    """A cell of a line made safe; the blanks at its edges stay, for they part it from its neighbours."""
    text, style = (cell, "") if isinstance(cell, str) else cell
    inner = one_line(text)
    before = text[: len(text) - len(text.lstrip(" "))]
    after = text[len(text.rstrip(" ")) :] if inner else ""
    return Cell(before + inner + after, style)


def _width(text: str) -> int:
    """The columns that `text` takes: some characters take two, and marks that combine take none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


# The terminal


def _console() -> Console:
    from rich.console import Console

    forced = True if _WANTED[-1] == "always" else None
    colours: Literal["auto", "standard"] | None = None if not coloured() else "auto" if sys.stdout.isatty() else "standard"
    return Console(color_system=colours, force_terminal=forced, no_color=not coloured(), markup=False, emoji=False, highlight=False)


def _drawn(blocks: Iterable[Block]) -> RenderableType:
    from rich.console import Group

    return Group(*map(_draw, blocks))


def _draw(block: Block) -> RenderableType:
    if isinstance(block, Line):
        return _text(block.cells)
    return _grid(block) if isinstance(block, Fields) else _table(block)


def _grid(fields: Fields) -> RenderableType:
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=STYLES["quiet"], no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in fields.rows:
        grid.add_row(label, _text([value]))
    return grid


def _table(table: Table) -> RenderableType:
    from rich.table import Table as RichTable

    drawn = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=STYLES["quiet"])
    for column in table.columns:
        side: Literal["left", "right"] = "right" if column.right else "left"
        cut = column.cut or column.right
        too_long: Literal["ellipsis", "fold"] = "ellipsis" if cut else "fold"
        drawn.add_column(column.heading, justify=side, no_wrap=cut, overflow=too_long)
    for at, row in enumerate(table.rows, 1):
        cells = [_stack(cell) if isinstance(cell, list) else _text([cell]) for cell in row]
        if table.apart and at < len(table.rows):
            cells[-1].append("\n")
        drawn.add_row(*cells)
    return drawn


def _stack(lines: list[Line]) -> Text:
    from rich.text import Text

    return Text("\n").join(_text(line.cells) for line in lines)


def _text(cells: Iterable[Piece]) -> Text:
    from rich.text import Text

    text = Text()
    for cell in map(_piece, cells):
        text.append(cell.text, style=STYLES[cell.style])
    return text


# Numbers in words


def span(seconds: float) -> str:
    """A length of time in its largest unit: ``45s``, ``12m``, ``3h``, ``5d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(max(seconds, 0))}s"


def ahead(seconds: float) -> str:
    """A length of time that is still to come, to the nearest unit: two hours less a second are ``2h``."""
    hours = round(seconds / 3600)
    if hours >= 24:
        return f"{round(hours / 24)}d"
    minutes = round(seconds / 60)
    return f"{hours}h" if minutes >= 60 else f"{minutes}m" if seconds >= 59.5 else f"{round(max(seconds, 0))}s"


def local(at: float) -> str:
    """A time (seconds since the epoch) as people are shown it: RFC 3339 to the second, by the clock here. JSON has it in UTC."""
    offset = time.localtime(at).tm_gmtoff
    text = rfc3339(int(at) + offset).removesuffix("Z")
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{text}{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}" if offset else f"{text}Z"


def localized(text: str, now: float) -> str:
    """A text of ours with the times in it, which are in UTC for logs and JSON, by the clock on the wall here."""
    if "Z" not in text:
        return text
    import re

    def shown(found: re.Match[str]) -> str:
        return clock(parse_rfc3339(found[0]), now)

    try:
        return re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown, text, flags=re.ASCII)
    except ValueError:  # what looks like a time and is none
        return text


def moment(at: float | None, now: float) -> str:
    """A time (seconds since the epoch) for a list: how far away it is on a terminal, else `local`."""
    if at is None:
        return "-"
    if not terminal():
        return local(at)
    if at > now:
        return f"in {ahead(at - now)}"
    return f"{span(now - at)} ago" if now - at >= 1 else "now"


def clock(at: float, now: float) -> str:
    """A time (seconds since the epoch) by the clock on the wall here: ``21:27``, with its date where that is not today's."""
    when, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if when[:3] == today[:3] else "%Y-%m-%d %H:%M", when)


def exact(at: float | None, now: float) -> str:
    """A time (seconds since the epoch) for a single message: `local`, and how far away that is."""
    if at is None:
        return "-"
    if not terminal():
        return local(at)
    return f"{local(at)}  ({moment(at, now)})"
