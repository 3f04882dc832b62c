"""Names of folders in modified UTF-7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.names import from_modified_utf7, modified_utf7


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Entwürfe", "Entw&APw-rfe"),
        ("Tom & Jerry", "Tom &- Jerry"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # the example of RFC 3501 §5.1.3
        ("😀", "&2D3eAA-"),
        ("", ""),
    ],
)
def test_a_name_is_written_and_read(name: str, said: str) -> None:
    """As the standard has it, there and back."""
    assert modified_utf7(name) == said
    assert from_modified_utf7(said) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_each_name_comes_back(name: str) -> None:
    """Whatever is in it."""
    assert from_modified_utf7(modified_utf7(name)) == name


@pytest.mark.parametrize("said", ["&", "&AAA", "&AAA-", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "ü", "&AGE-", "&====-", "&2D0-", "a&\x00-"])
def test_what_is_wrong_is_refused(said: str) -> None:
    """A run without an end, what is no base 64 or no UTF-16, and a second way to write a name."""
    with pytest.raises(ValueError, match=r"."):
        from_modified_utf7(said)


def test_what_cannot_be_said_is_replaced() -> None:
    """A surrogate that stands alone."""
    assert modified_utf7("a\ud800") == "a&AD8-"
