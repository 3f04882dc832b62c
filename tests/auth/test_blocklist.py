"""What a blocklist is asked and what its answers mean: only codes that are known count, and a broken list is not believed."""

from __future__ import annotations

import pytest

from mailer.auth.blocklist import CodePattern, entry, score, untrue, unusable


def test_the_name_of_an_entry() -> None:
    """RFC 5782 §2.1 and §2.4: the octets, or the nibbles, backwards."""
    assert entry("192.0.2.99", "bl.example") == "99.2.0.192.bl.example"
    assert entry("::ffff:192.0.2.99", "bl.example") == "99.2.0.192.bl.example"
    nibbles = entry("2001:db8:1:2:3:4:567:89ab", "bl.example")
    assert nibbles == "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example"


@pytest.mark.parametrize("record", ["127.255.255.252", "127.255.255.254", "127.0.0.1", "192.0.2.80", "10.0.0.1"])
def test_an_answer_that_no_list_gives_says_that_it_is_broken(record: str) -> None:
    """Codes of Spamhaus for errors, a parked domain, a resolver that invents."""
    assert record in unusable(["127.0.0.2", record])


def test_codes_and_nothing_are_answers() -> None:
    assert unusable(["127.0.0.2", "127.0.0.11", "127.0.10.3"]) == unusable([]) == ""


@pytest.mark.parametrize(
    ("listed", "not_listed", "true"),
    [(["127.0.0.2"], [], True), ([], [], False), (["127.0.0.2"], ["127.0.0.2"], False), (["127.255.255.254"], [], False)],
)
def test_a_list_has_to_know_its_own_test_entries(listed: list[str], not_listed: list[str], true: bool) -> None:
    """RFC 5782 §5."""
    assert (not untrue(listed, not_listed)) == true


@pytest.mark.parametrize(
    ("text", "record", "fits"),
    [
        ("127.0.0.2", "127.0.0.2", True),
        ("127.0.0.2", "127.0.0.20", False),
        ("127.0.0.4-7", "127.0.0.7", True),
        ("127.0.0.4-7", "127.0.0.8", False),
        ("127.0.*.3", "127.0.10.3", True),
        ("127.0.*.3", "127.0.10.2", False),
    ],
)
def test_codes_are_told_apart(text: str, record: str, fits: bool) -> None:
    assert CodePattern.read(text).fits(record) == fits


@pytest.mark.parametrize(
    "text", ["", "127.0.0", "127.0.0.2.3", "126.0.0.2", "127.0.0.256", "127.0.0.7-4", "127.0.0.x", "127.0.0.²", "127.0.0.-2"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        CodePattern.read(text)


def test_a_score_is_that_of_each_code_once() -> None:
    scores = [(CodePattern.read("127.0.0.2-3"), 4.0), (CodePattern.read("127.0.0.10-11"), 1.5), (CodePattern.read("127.0.*.3"), -2.0)]
    assert score(["127.0.0.2", "127.0.0.10"], 9.0, scores) == 5.5
    assert score(["127.0.10.3"], 9.0, scores) == -2.0
    assert score(["127.0.0.77"], 9.0, scores) == 0.0


def test_without_scores_a_listing_is_what_lists_usually_mean() -> None:
    assert score(["127.0.0.2", "127.0.0.4"], 3.0, ()) == 3.0
    assert score(["127.0.1.2"], 3.0, ()) == score([], 3.0, ()) == 0.0
