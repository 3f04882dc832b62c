"""Sets of numbers are read and written, and flags."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap import flags, sets
from mailer.imap.command import NumberSet
from mailer.imap.lexer import Tokens
from mailer.mail.flags import PLAIN, Flag


def expanded(numbers: NumberSet, highest: int) -> set[int]:
    """What RFC 9051 §9 says that a set is, number by number."""
    ends = [(one or highest, other or highest) for one, other in numbers.ranges]
    return {number for one, other in ends for number in range(min(one, other), max(one, other) + 1)}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1), st.integers(1, 30))
def test_a_set_is_ordered(ranges: list[tuple[int, int]], highest: int) -> None:
    """Its ranges ascend, are apart, and have the numbers that it has."""
    found = sets.ordered(NumberSet(tuple(ranges)), highest)
    assert {number for first, last in found for number in range(first, last + 1)} == expanded(NumberSet(tuple(ranges)), highest)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))


@given(st.sets(st.integers(1, 60), min_size=1))
def test_a_written_set_is_read_again(numbers: set[int]) -> None:
    """It is as short as can be: a range for all that follow each other."""
    written = sets.written(sorted(numbers))
    assert expanded(Tokens([written]).numbers(), 0) == numbers
    assert written.count(b",") == sum(number + 1 not in numbers for number in numbers) - 1


def test_no_numbers_are_no_set() -> None:
    """Whoever says a set looks whether there is one to say."""
    assert sets.written([]) == b""


@pytest.mark.parametrize("said", [b"1:4294967295," * 4000, b"*:1," * 16000, b"1," * 32000, b"9,7," * 16000])
def test_a_line_full_of_ranges_takes_no_time(said: bytes) -> None:
    """64 kB of them, in the lexer and behind it: they become few."""
    began = time.process_time()
    found = sets.ordered(Tokens([said[:64000].rstrip(b",:")]).numbers(), 10_000)
    assert time.process_time() - began < 0.2
    assert len(found) <= 2


def test_flags_are_written_as_a_list() -> None:
    """With their parentheses; keywords come behind them."""
    assert flags.rendered(PLAIN) == b"()"
    assert flags.rendered(Flag.SEEN | Flag.DELETED) == rb"(\Deleted \Seen)"
    assert flags.rendered(Flag.SEEN, ("$Junk", "x")) == rb"(\Seen $Junk x)"
    assert flags.rendered(PLAIN, ("x",)) == b"(x)"


def test_flags_are_read_in_any_case() -> None:
    """What no client can set is none."""
    assert [flags.read(name) for name in ("\\seen", "\\DRAFT", "\\Recent", "Seen", "\\*")] == [Flag.SEEN, Flag.DRAFT, None, None, None]
