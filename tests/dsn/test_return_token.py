"""The token in a reverse-path: known again whatever hosts do to its case, and by nobody else's key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dsn.return_token import LARGEST, LONGEST_NAME, WHOLE, Mark, find, is_marked, mark

ID = "01JD6Q4Z8K0123456789ABCDEF"
AT = "bounces@example.com"
KEY, OTHER = bytes(32), bytes([1]) * 32


@given(st.integers(0, LARGEST), st.binary(min_size=32, max_size=32))
def test_what_was_marked_is_found(position: int, key: bytes) -> None:
    """By the same key, in capitals or not, and within the octets of a local part."""
    address = mark(AT, ID, position, key)
    assert find(address, AT, [key]) == find(address.upper(), AT, [OTHER, key]) == Mark(ID, position)
    assert len(address.partition("@")[0]) <= 64


def test_the_longest_name_and_position_have_room() -> None:
    """RFC 5321 §4.5.3.1.1: 64 octets; a position beyond that stands for the whole."""
    long = "b" * LONGEST_NAME + "@example.com"
    assert len(mark(long, ID, LARGEST, KEY).partition("@")[0]) <= 64
    assert find(mark(long, ID, LARGEST + 1, KEY), long, [KEY]) == Mark(ID, WHOLE)


def test_a_retry_leaves_with_the_same_sender() -> None:
    """Greylisting knows it again: nothing of the attempt is in it."""
    assert mark(AT, ID, 1, KEY) == mark(AT, ID, 1, KEY) != mark(AT, ID, 2, KEY)


def test_one_symbol_changed_is_no_token() -> None:
    """Wherever in it that is."""
    address = mark(AT, ID, 12, KEY)
    name, _, domain = address.partition("@")
    for at in range(len("bounces+"), len(name)):
        other = "x" if name[at] != "x" else "y"
        assert find(f"{name[:at]}{other}{name[at + 1 :]}@{domain}", AT, [KEY]) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "bounces@example.com", "bounces+@example.com", "bounces+x@example.com", f"bounces+{ID}-0-@example.com",
        f"bounces+{ID}-00-ABCDEFGHJK@example.com", f"bounces+{ID}--1-ABCDEFGHJK@example.com", "bounces+" + "-" * 50 + "@example.com",
        f"bounces+{ID}-٣-ABCDEFGHJK@example.com", f"bounces+{ID}-1-ÄBCDEFGHJK@example.com", "x" * 10**6,
        "bounces+" + "a" * 10**6 + "@example.com",
    ],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    """Any text may be asked about."""
    assert find(text, AT, [KEY]) is None


def test_a_token_holds_for_its_key_and_its_address() -> None:
    """Of a key that is gone, or of another spool, or at another domain, it says nothing; but it looks like one."""
    address = mark(AT, ID, 0, KEY)
    assert find(address, AT, [OTHER]) is None
    assert find(address, "bounces@example.net", [KEY]) is None
    assert find(address, "bounce@example.com", [KEY]) is None
    assert find(address, AT, []) is None
    assert is_marked(address, AT)
    assert not is_marked(AT, AT)


def test_an_address_without_a_domain_cannot_be_marked() -> None:
    """The configuration has none."""
    with pytest.raises(ValueError, match="no address"):
        mark("bounces", ID, 0, KEY)
