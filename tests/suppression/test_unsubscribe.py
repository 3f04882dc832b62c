"""The token of a link to unsubscribe: nobody makes one, changes one, or reads an address out of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.problem import Problem
from mailer.suppression.unsubscribe import NAME, UnsubscribeToken, keys_of, opened, sealed

KEY, OTHER = bytes(range(32)), bytes(32)
TOKEN = UnsubscribeToken("01M7XZE2ZPFN5M9C7PXGDNNSF8", "news", "ann@example.org")


def test_a_token_says_what_it_was_made_of() -> None:
    """The same each time, so that a message that is tried again has the same link; and it shows nobody's address."""
    text = sealed(TOKEN, [KEY])
    assert opened(text, [KEY]) == TOKEN
    assert sealed(TOKEN, [KEY]) == text
    assert text.isascii()
    assert len(text) < 120
    assert "ann" not in text


def test_older_keys_still_open() -> None:
    """A new one seals; without the old one its links are over."""
    text = sealed(TOKEN, [OTHER])
    assert opened(text, [KEY, OTHER]) == TOKEN
    assert opened(text, [KEY]) is None


def test_a_token_with_one_symbol_changed_is_none() -> None:
    text = sealed(TOKEN, [KEY])
    for at in range(len(text) - 1):  # the last symbol has bits that mean nothing
        assert opened(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :], [KEY]) is None
    assert opened(text[:-4], [KEY]) is None
    assert opened(text + "AAAA", [KEY]) is None


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_whatever_else_is_none(text: str) -> None:
    assert opened(text, [KEY]) is None


def test_long_texts_are_not_even_looked_at() -> None:
    assert opened("A" * 10_000_000, [KEY]) is None


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """For its owner alone; nothing is left beside it."""
    assert keys_of(str(tmp_path)) == []
    [key] = keys_of(str(tmp_path), make=True)
    assert keys_of(str(tmp_path), make=True) == [key]
    assert os.listdir(tmp_path) == [NAME]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "abc", "00" * 31, "zz" * 32, "00" * 32 + "\n00"])
def test_a_key_that_is_none_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Problem, match="hexadecimal"):
        keys_of(str(tmp_path))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys_of(str(tmp_path), make=True)
    (tmp_path / NAME).chmod(0o640)
    with pytest.raises(Problem, match="chmod 600"):
        keys_of(str(tmp_path))
