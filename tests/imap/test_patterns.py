"""Patterns of LIST, and how long they take."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.patterns import LONGEST, MOST_KEPT, ListPattern, ListPatterns, as_inbox


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*", ["a", "a/b", "INBOX"], []),
        ("%", ["a", "INBOX"], ["a/b", "INBOX/a"]),
        ("a/%", ["a/b", "a/bc"], ["a", "a/b/c", "b/a"]),
        ("a/*", ["a/b", "a/b/c"], ["a", "ab"]),
        ("a*", ["a", "ab", "a/b"], ["A", "ba"]),
        ("%/%", ["a/b"], ["a", "a/b/c"]),
        ("*/c", ["a/c", "a/b/c"], ["c", "a/cc"]),
        ("a%b*c", ["abc", "axb/yc", "aab/c"], ["a/bc", "ab"]),
        ("%*%", ["a", "a/b/c"], []),
        ("a.b", ["a.b"], ["axb"]),
        ("inbox", ["INBOX"], ["inboxes", "Inboxes"]),
        ("inbox/%", ["INBOX/a"], ["INBOX", "INBOX/a/b"]),
        ("iN%", ["INBOX", "iNa"], ["INa", "in"]),
        ("inboxes*", ["inboxes"], ["INBOX", "INBOXES", "INBOX/es"]),
        ("%x", ["INBOx", "ax"], ["INBOX", "AX"]),
        ("e\u0301*", ["\xe9t\xe9", "e\u0301te\u0301"], ["ete"]),
        ("", [], ["a", "INBOX"]),
    ],
)  # fmt: skip
def test_a_pattern_says_which_names_fit(pattern: str, fitting: list[str], others: list[str]) -> None:
    """RFC 9051 §6.3.9: * is anything, % anything but the end of a level; INBOX is one in any case, and a letter however it is composed."""
    patterns = ListPatterns([pattern])
    assert [name for name in (*fitting, *others) if patterns.fit(name)] == fitting


@given(st.lists(st.sampled_from(["a", "b", "/", "*", "%", "*", "%", "I", "n"]), max_size=9), st.text("ab/In", min_size=1, max_size=12))
def test_it_is_what_a_regular_expression_says(pieces: list[str], name: str) -> None:
    """Which would take for ever with some."""
    made = "".join(".*" if each == "*" else "[^/]*" if each == "%" else each for each in pieces)
    assert ListPatterns(["".join(pieces)]).fit(name) is bool(re.fullmatch(made, name))


@pytest.mark.parametrize("pattern", ["%*%*%*%*" * 100, "*a" * 1000 + "b", "%a" * 1000 + "*b", "*%a/" * 500, "a" * 60_000 + "*"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """However many wildcards it has: what a name takes does not grow with them. The bound is a hundred times what it needs."""
    names = ["a" * 900 + "/" + "ab" * 40 + str(number) for number in range(100)]
    began = time.process_time()
    fitting = [name for name in names if ListPattern(pattern).fits(name)] if len(pattern) > LONGEST * 3 else [
        name for patterns in [ListPatterns([pattern])] for name in names if patterns.fit(name)
    ]  # fmt: skip
    assert time.process_time() - began < 5
    assert len(fitting) in (0, 100)


def test_what_is_kept_of_a_pattern_is_bounded() -> None:
    """However many different letters the names have."""
    patterns = ListPatterns(["*a*b*"])
    for number in range(MOST_KEPT // 2, MOST_KEPT * 2):
        assert patterns.fit(f"a{chr(0x4E00 + number)}b")
    assert len(patterns._wild[0]._whole._steps) == MOST_KEPT


def test_several_patterns_are_alternatives() -> None:
    """RFC 5258 §3: a name fits if one of them does."""
    patterns = ListPatterns(["inbox", "Sent/%", "b"])
    assert [name for name in ("INBOX", "Sent", "Sent/a", "b", "c") if patterns.fit(name)] == ["INBOX", "Sent/a", "b"]
    assert as_inbox("inbox/inbox") == "INBOX/inbox"
    assert as_inbox("inboxes") == "inboxes"
