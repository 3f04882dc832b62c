"""What was found is said as the standards have it, octet by octet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.found import esearch_line, search_line


def test_the_old_answer() -> None:
    """RFC 3501 §7.2.5: numbers, or none; RFC 7162 §3.1.5 with a MODSEQ."""
    assert search_line([2, 84, 882]) == b"SEARCH 2 84 882"
    assert search_line([]) == b"SEARCH"
    assert search_line([2, 5], 917162500) == b"SEARCH 2 5 (MODSEQ 917162500)"
    assert search_line([], 917162500) == b"SEARCH"
    assert search_line([5, 3], 17, b"SORT") == b"SORT 5 3 (MODSEQ 17)"


def test_the_new_answer() -> None:
    """RFC 9051 §7.3.4, RFC 4731 §3.1, §3.2."""
    found = [2, 10, 11]
    assert esearch_line(b"A283", found, {"ALL"}) == b'ESEARCH (TAG "A283") ALL 2,10:11'
    assert esearch_line(b"A283", found, frozenset()) == b'ESEARCH (TAG "A283") ALL 2,10:11'
    assert esearch_line(b"a", found, {"MIN", "COUNT"}, uid=True) == b'ESEARCH (TAG "a") UID MIN 2 COUNT 3'
    assert esearch_line(b"a", found, {"MIN", "MAX", "ALL", "COUNT"}, 9) == b'ESEARCH (TAG "a") MIN 2 MAX 11 ALL 2,10:11 COUNT 3 MODSEQ 9'


def test_nothing_was_found() -> None:
    """RFC 4731 §3.1: no MIN, no MAX, no ALL, but how many; and no MODSEQ."""
    assert esearch_line(b"a", [], {"MIN", "MAX", "ALL"}, 5) == b'ESEARCH (TAG "a")'
    assert esearch_line(b"a", [], {"MIN", "COUNT"}, uid=True) == b'ESEARCH (TAG "a") UID COUNT 0'


def test_a_tag_is_a_string() -> None:
    """Whatever may be in one."""
    assert esearch_line(b"a]", [], {"ALL"}) == b'ESEARCH (TAG "a]")'


@given(st.lists(st.integers(1, 30), unique=True))
def test_a_set_keeps_the_order(numbers: list[int]) -> None:
    """RFC 5267 §3.1: what is sorted stays so, and those that follow each other are a range."""
    found: list[int] = []
    line = esearch_line(b"a", numbers, {"ALL"}).removeprefix(b'ESEARCH (TAG "a")').removeprefix(b" ALL ")
    for piece in line.split(b",") if numbers else []:
        first, _, last = piece.partition(b":")
        assert not last or int(first) < int(last)
        found += range(int(first), int(last or first) + 1)
    assert found == numbers
