"""Addresses without a person's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.masked import masked, masked_text


@pytest.mark.parametrize(
    ("address", "shown"),
    [("bob@example.com", "***@example.com"), ("", ""), ("root", "***"), ('"a@b"@example.com', "***@example.com")],
)
def test_an_address(address: str, shown: str) -> None:
    """The domain stays, and so does the null sender."""
    assert masked(address) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<bob@example.com>: no such user", "<***@example.com>: no such user"),
        ("bob+x@example.com and al.ice@example.net", "***@example.com and ***@example.net"),
        ('to:"bob smith"@example.com, full', "to:***@example.com, full"),
        ("queued at 10 @ noon", "queued at 10 @ noon"),
        ("nobody", "nobody"),
        ("@", "@"),
        ("büro@example.com", "***@example.com"),
    ],
)
def test_a_text(text: str, shown: str) -> None:
    """Whatever stands before an at-sign, up to what cannot be in an address; the rest stays."""
    assert masked_text(text) == shown


@given(st.from_regex(r"[a-z0-9.+_-]{1,20}", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_no_text_around_it_shows_a_name(name: str, before: str, behind: str) -> None:
    """Garbage in front and behind included; it raises nothing."""
    assert f"{name}@example.com" not in masked_text(f"{before} {name}@example.com {behind}")
