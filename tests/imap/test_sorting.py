"""Messages are put in order by what they say, as every client can do it himself."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap import sorting
from mailer.imap.collation import casemap
from mailer.imap.sorting import ordered, unlike


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ABC"))), st.booleans(), st.booleans(), st.integers(1, 5))
def test_the_first_key_is_the_one_that_counts_most(rows: list[tuple[int, str]], one: bool, other: bool, piece: int) -> None:
    """RFC 5256 §3: then the next, and then the number; a reversed key turns no numbers round. However small the pieces are."""
    columns = [([row[0] for row in rows], one), ([row[1] for row in rows], other)]

    def key(place: int) -> tuple[int, int, int]:
        number, letter = rows[place]
        return (-number if one else number, -ord(letter) if other else ord(letter), place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "PIECE", piece)
        assert ordered(len(rows), columns) == sorted(range(len(rows)), key=key)


def test_a_key_that_comes_again_says_nothing() -> None:
    """Ten thousand keys are as many as there are names."""
    keys = [("DATE", True), ("CC", False)] * 5000 + [("DATE", False)]
    assert unlike(keys) == [("DATE", True), ("CC", False)]


def test_others_get_their_turn_while_many_are_sorted() -> None:
    """No step holds the interpreter for long: the largest is one of `PIECE`."""
    chance = random.Random(1)
    values = [chance.random() for _ in range(sorting.PIECE)]
    began = time.process_time()
    ordered(len(values), [(values, False)])
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRAßE"), ("ωμέγα", "ΩΜΈΓΑ"), ("é", "e\u0301"), ("ǆ", "ǅ"), ("привет", "ПРИВЕТ"), ("a", "A")],
)
def test_case_is_no_difference(one: str, other: str) -> None:
    """RFC 5051 §2, in any script, composed or not."""
    assert casemap(one) == casemap(other)


def test_letters_are_told_apart() -> None:
    """The simple mappings make no two letters of one: ß is no SS."""
    assert casemap("ß") == "ß"
    assert casemap("é") > casemap("e")
    assert casemap("a" * 5000) == "A" * 1000


@pytest.mark.parametrize("text", ["e" + "\u0301\u0323" * 100_000, "\ufdfa" * 100_000, "ß" * 1_000_000])
def test_no_text_takes_long(text: str) -> None:
    """What decomposes has a bound."""
    began = time.process_time()
    assert len(casemap(text)) <= 1000
    assert time.process_time() - began < 0.05
