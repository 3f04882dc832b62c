"""How things look: safe whatever comes from outside, plain where no terminal is, laid out where one is."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cli import show
from mailer.cli.show import BLANK, Cell, Column, Fields, Line, Table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.terminal import Shell

HOSTILE = [
    "\x1b]52;c;cGF5bG9hZA==\x07",  # writes the clipboard
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",  # a link that is not what it says
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[H",  # clears the screen
    "\x9b31m\x90x\x9c",  # the same in C1
    "line\r\nmailer: forged line\n",
    "\u202emoc.elpmaxe@\u202c",  # bidirectional override
    "zero\u200bwidth\ufeff\u2060",
    "\u2028\u2029\x85",
    "\x00\x08\x7f",
    "[bold red]markup[/bold red] :smile:",
    "\ud800 half",
]
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

BLOCKS = [
    Line(["a ", Cell("word", "bad"), "  after"]),
    BLANK,
    Fields([("Name", "value"), ("Longer name", Cell("x", "good"))]),
    Table([Column("WHO"), Column("COUNT", right=True)], [["bob", "7"], ["ännchen", "1234"], [[Line(["one"]), Line(["two"])], "0"]]),
]


def plain(*blocks: show.Block) -> str:
    return "\n".join(show.plain(blocks))


def drawn(monkeypatch: pytest.MonkeyPatch, *blocks: show.Block, columns: int = 80, colour: bool = True) -> str:
    """What a terminal of that width gets."""
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    if colour:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", "1")
    show.show(blocks)
    return out.getvalue()


def test_plain_text_is_aligned_without_tabs_and_without_trailing_blanks() -> None:
    """For grep, awk and the eye."""
    assert plain(*BLOCKS).split("\n") == [
        "a word  after",
        "",
        "Name         value",
        "Longer name  x",
        "WHO       COUNT",
        "bob           7",
        "ännchen    1234",
        "one; two      0",
    ]


def test_wide_and_combining_characters_keep_the_columns() -> None:
    """A Chinese character takes two columns, an accent of its own none."""
    table = Table([Column("A"), Column("B")], [["漢字", "x"], ["e\u0301e", "y"], ["abcd", "z"]])
    assert plain(table).split("\n") == ["A     B", "漢字  x", "e\u0301e    y", "abcd  z"]


def test_a_terminal_gets_colour_and_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wider than it is."""
    text = drawn(monkeypatch, *BLOCKS, Table([Column("LONG")], [["word " * 60]]), columns=50)
    assert "\x1b[31mword\x1b[0m" in text
    assert all(len(line) <= 50 for line in re.sub("\x1b\\[[0-9;]*m", "", text).split("\n"))


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even bold."""
    assert "\x1b" not in drawn(monkeypatch, *BLOCKS, colour=False)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_outside_reaches_the_output_as_it_is(monkeypatch: pytest.MonkeyPatch, hostile: str) -> None:
    """In a line, a field, a cell and a stack of lines; on a terminal and elsewhere."""
    blocks = [Line([hostile]), Fields([("x", hostile)]), Table([Column("A"), Column("B")], [[hostile, [Line([Cell(hostile, "bad")])]]])]
    text = plain(*blocks)
    assert not UNSAFE.search(text)
    assert len(text.split("\n")) == 4, "it forged a line"
    on_terminal = drawn(monkeypatch, *blocks, columns=200, colour=False)
    assert not UNSAFE.search(on_terminal)
    if "[bold" in hostile:
        assert "[bold red]markup[/bold red] :smile:" in on_terminal


@given(st.text())
def test_no_text_at_all_does(text: str) -> None:
    """Any Unicode."""
    assert not UNSAFE.search(plain(Line(["  ", text, "  "])))
    assert "\n" not in plain(Line([text]))


def test_json_is_ascii_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It escapes what would act on a terminal, and reads back as it was."""
    show.json_line({"reply": "".join(HOSTILE)})
    line = capsys.readouterr().out
    assert line.isascii()
    assert not UNSAFE.search(line)
    assert line.count("\n") == 1
    assert json.loads(line) == {"reply": "".join(HOSTILE)}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_output_that_cannot_write_a_character_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """A cron job in the C locale is no reason to fail."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    show.show([Line(["a → 漢"])])
    sys.stdout.flush()
    assert raw.getvalue().startswith(b"a ")


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (90000, "1d"), (1e7, "115d")]
)
def test_a_length_of_time_is_in_its_largest_unit(seconds: float, words: str) -> None:
    """One unit is enough to decide what to do."""
    assert show.span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0s"), (57.4, "57s"), (59.7, "1m"), (899.5, "15m"), (3590, "1h"), (7199, "2h"), (86399, "1d"), (172799, "2d"), (1e7, "116d")],
)  # fmt: skip
def test_a_time_to_come_is_told_to_the_nearest_unit(seconds: float, words: str) -> None:
    """A pause of two hours that has just begun ends in two hours, and not in one."""
    assert show.ahead(seconds) == words


def test_times_are_relative_for_people_and_absolute_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gets RFC 3339."""
    monkeypatch.setattr(show, "terminal", lambda: True)
    assert [show.moment(at, 1000.0) for at in (1000.0, 940.0, 1240.0, None)] == ["now", "1m ago", "in 4m", "-"]
    monkeypatch.setattr(show, "terminal", lambda: False)
    assert show.moment(940.0, 1000.0) == "1970-01-01T00:15:40Z"


WATCH = """
import sys, time
from mailer.cli import show
n = 0
def make():
    global n
    n += 1
    return [show.Line([f"look {n // 2}"])]
show.watch(make, 0.02)
print("over")
"""


def test_watching_without_a_terminal_prints_what_changes_and_ends_with_a_signal() -> None:
    """Once per change, and cleanly."""
    process = subprocess.Popen([sys.executable, "-c", WATCH], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(2)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    assert lines == ["look 0\n", "look 1\n", "look 2\n"]
    assert rest.endswith("over\n")


def test_watching_on_a_terminal_redraws_and_ends_with_a_signal() -> None:
    """The cursor is back when it ends."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", WATCH], stdout=secondary, stderr=secondary, env={**os.environ, "TERM": "xterm"})
    os.close(secondary)
    said = b""
    while b"look 3" not in said:
        said += os.read(primary, 4096)
    process.send_signal(2)
    while b"over" not in said:
        said += os.read(primary, 4096)
    assert process.wait() == 0
    os.close(primary)
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l")


@pytest.mark.slow
def test_what_is_longer_than_the_terminal_is_shown_by_the_pager(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is not is just printed."""
    seen = tmp_path / "seen"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {seen}\n")
    pager.chmod(0o755)
    monkeypatch.setenv("PAGER", str(pager))
    assert "Nothing is queued" in shell.at_terminal("status").out
    assert not seen.exists()
    for _ in range(30):
        shell.office.put()
    assert "you@example.net" not in shell.at_terminal("queue", "list").out
    assert seen.read_text().count("you@example.net") == 30


def test_colour_is_had_without_a_terminal_where_it_is_wanted(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says; another word is a mistake."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in shell("status").out
    assert "\x1b[" in shell("status", "--color", "always").out
    assert "\x1b[" not in shell("status", "--color=never").out
    assert "\x1b[" not in shell("status").out
    said = shell("status", "--color", "sometimes")
    assert (said.code, said.out) == (64, "")
    assert "auto, always or never" in said.err
