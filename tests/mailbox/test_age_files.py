"""Files of age are opened as its library opens them."""

from __future__ import annotations

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mailbox.age_files import PIECE, AgeOpening

KEYS = [pyrage.x25519.Identity.generate() for _ in range(3)]
OPENING = AgeOpening([str(key) for key in KEYS[:2]])


def sealed(data: bytes, *keys: int) -> bytes:
    return bytes(pyrage.encrypt(data, [KEYS[key].to_public() for key in keys]))


@pytest.mark.parametrize("size", [0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7])
def test_what_was_sealed_is_opened(size: int) -> None:
    """Of any length, for any of the keys, beside others that it is for."""
    data = bytes(range(256)) * (size // 256 + 1)
    for keys in ((0,), (1,), (2, 1), (0, 2)):
        assert OPENING.open(sealed(data[:size], *keys)) == data[:size]


def test_what_is_for_others_is_not_opened() -> None:
    """Nor what is no file of age."""
    assert OPENING.open(sealed(b"x", 2)) is None
    for data in (
        b"",
        b"x",
        b"age-encryption.org/v1\n",
        b"age-encryption.org/v1\n---",
        b"age-encryption.org/v1\n-> X25519 \n--- x\n" + bytes(99),
    ):
        assert OPENING.open(data) is None


WHOLE = sealed(b"some text", 0)
LONG = sealed(bytes(2 * PIECE), 0)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_octet_can_be_another(at: int, change: int) -> None:
    """In the header, in what proves it, or in the body."""
    changed = WHOLE[:at] + bytes([WHOLE[at] ^ change]) + WHOLE[at + 1 :]
    assert OPENING.open(changed) is None


@given(st.integers(0, len(WHOLE) - 1))
def test_nothing_can_be_cut_off_or_added(at: int) -> None:
    """Nor can a piece of the body be the last that was not, or two change their places."""
    assert OPENING.open(WHOLE[:at]) is None
    assert OPENING.open(WHOLE + WHOLE[at:]) is None
    begin = len(LONG) - 2 * (PIECE + 16)
    one, two = LONG[begin : begin + PIECE + 16], LONG[begin + PIECE + 16 :]
    for body in (one, two, two + one, one + one, one + two + two):
        assert OPENING.open(LONG[:begin] + body) is None
