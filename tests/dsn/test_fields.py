"""Text from outside, made fit for a report."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailer.dsn.fields import ascii_line, one_line

anything = st.text(st.characters(codec=None))  # lone surrogates too


@given(anything)
def test_a_line_is_one_line(text: str) -> None:
    """Whatever came, the result is one printable line of at most 900 characters, and stays what it is."""
    line = one_line(text)
    assert not line or line.isprintable()
    assert len(line) <= 900
    assert one_line(line) == line
    assert ascii_line(text).isascii()


def test_what_a_terminal_or_a_header_would_act_on_is_gone() -> None:
    """Line ends, escape sequences, NUL and the signs that turn text around become blanks."""
    assert one_line("a\r\nBcc: x\0\x1b[31m\u202etxt\u2028end\x85") == "a Bcc: x [31m txt end"
    assert ascii_line("Grüße\r\n\x7f") == "Gr??e"


def test_a_long_line_is_cut() -> None:
    """A reply of any length becomes 900 characters, and says that it was longer."""
    assert one_line("x" * 5000) == "x" * 897 + "..."
