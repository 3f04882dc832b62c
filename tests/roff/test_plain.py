"""Manual pages without man(1): every page of ours has the words that groff prints."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.roff.plain import render

PAGES = sorted(Path(__file__).parents[2].glob("man/*.[1-8]"))


def words(text: str) -> list[str]:
    """The words of a page, hyphens and quotes alike, without headers, footers and list marks."""
    text = re.sub(r"[‐−]", "-", text.translate({0x2018: "'", 0x2019: "'", 0x00B7: "•"}))
    return [word for line in text.splitlines() if not re.match(r"MAILER\S*\(\d\)|mailer .*\(\d\)$", line) for word in line.split()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_has_the_words_that_groff_prints(page: Path) -> None:
    """In the same order, tables and examples too."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    command = ["groff", "-t", "-man", "-Tutf8", "-P-cbou", "-rHY=0", "-rLL=200n", "-rcR=1", "-dAD=l", page]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert words(render(page.read_text(), 200)) == words(printed)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_lines_keep_to_the_width(page: Path) -> None:
    """Those of examples apart, and words that are longer than a line."""
    source = page.read_text()
    literal = {render(f".EX\n{line}\n.EE\n").strip() for line in source.splitlines() if not line.startswith(".")}
    for line in render(source, 80).splitlines():
        assert len(line) <= 80 or line.strip() in literal or " " not in line.strip(), line


def test_fonts_end_with_their_line() -> None:
    """A pager shows lines one by one, so each says the font that it is in; without `styled` there is no sign of them."""
    source = ".SH NAME\n.B one two three four\nfive\n"
    styled = render(source, 20, styled=True)
    assert [line.strip() for line in styled.splitlines()] == [
        "\x1b[1mNAME\x1b[0m",
        "\x1b[1mone two three\x1b[0m",
        "\x1b[1m       four\x1b[0m five",
    ]
    assert render(source, 20) == re.sub(r"\x1b\[\dm", "", styled)


@given(st.text(alphabet=st.sampled_from(".\\\"'()[]fTPBIRSHEXu0aq- \n@;l"), max_size=200), st.integers(10, 100))
def test_no_page_makes_it_fail(source: str, width: int) -> None:
    """Whatever it is: what is not understood is left out."""
    assert render(source, width).endswith("\n")
