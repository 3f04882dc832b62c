"""The next hop's own name for a message, in the words of those who say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.reply import queue_id


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("Ok: queued as 4XyZ1abcD", "4XyZ1abcD"),  # Postfix
        ("Ok: Queued as 01M7XZE2ZPFN5M9C7PXGDNNSF8", "01M7XZE2ZPFN5M9C7PXGDNNSF8"),  # mailer
        ("OK id=1tXyZ0-000000abcde-0a1b", "1tXyZ0-000000abcde-0a1b"),  # Exim
        ("Message Queued as D3B1A2F0-1111.1", "D3B1A2F0-1111.1"),  # Haraka
        ("Ok 0100019abcdef012-1a2b3c4d-000000", "0100019abcdef012-1a2b3c4d-000000"),  # SES
        ("OK 1732152929 d9443c01a7336-2127b0a1b2c3d4e5f.42 - gsmtp", "1732152929"),  # Gmail
        ("Ok: queued as 4XyZ1.", "4XyZ1"),
        ("Message accepted for delivery", ""),
        ("Ok", ""),
        ("", ""),
        ("queued as x", ""),
    ],
)
def test_the_name_is_found_where_there_is_one(text: str, id: str) -> None:
    """Nothing standardises it, and where it is not sure there is none."""
    assert queue_id(text) == id


@given(st.text(max_size=500))
def test_whatever_a_host_says_is_no_more_than_a_short_word(text: str) -> None:
    """No blanks, no control characters, at most 64 characters."""
    found = queue_id(text)
    assert len(found) <= 64
    assert found.isprintable()
    assert " " not in found


def test_a_hostile_reply_costs_a_moment() -> None:
    """64 KiB of what the patterns look for."""
    for piece in ("ok ", "queued as ", "id=", "ok a", "a1", "queued as a"):
        queue_id(piece * (65_536 // len(piece)))
