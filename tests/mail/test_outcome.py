"""What became of a recipient, in words."""

from __future__ import annotations

import pytest

from mailer.mail.outcome import reply_line


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "line"),
    [
        (550, "5.1.1", "no such user", "550 5.1.1 no such user"),
        (550, "5.1.1", "5.1.1 unknown", "550 5.1.1 unknown"),
        (550, "5.1.1", "5.1.10 is another code", "550 5.1.1 5.1.10 is another code"),
        (550, "5.1.1", "", "550 5.1.1"),
        (0, "", "closed", "closed"),
    ],
)
def test_a_reply_as_one_line(code: int, enhanced: str, text: str, line: str) -> None:
    """Code, enhanced code and words; a code that the words repeat is not told twice."""
    assert reply_line(code, enhanced, text) == line
