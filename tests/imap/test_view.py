"""The view of a session: its numbers are those that were told, and what is told is what changed."""

from __future__ import annotations

import itertools
import random
import re
import sys
import time
from array import array

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import NumberSet
from mailer.imap.lexer import Tokens
from mailer.imap.uids import UidRuns
from mailer.imap.view import FolderView


def view(*uids: int, modseq: int = 10) -> FolderView:
    return FolderView(1, "INBOX", 1, uids, modseq)


def asked(view: FolderView, said: bytes, *, uid: bool) -> list[tuple[int, int]]:
    return view.pairs(Tokens([said]).numbers(), uid=uid)


def test_numbers_become_uids() -> None:
    """As pairs of those that are there; what is between the ends of a pair and not there is nowhere."""
    seen = view(3, 4, 8, 9)
    assert asked(seen, b"1:*", uid=False) == [(3, 9)]
    assert asked(seen, b"4,1", uid=False) == [(3, 3), (9, 9)]
    assert asked(seen, b"*", uid=False) == [(9, 9)]
    assert asked(seen, b"2:3", uid=False) == [(4, 8)]


def test_uids_that_are_not_there_fall_out() -> None:
    """``n:*`` has the last message always, as the range has no direction (RFC 9051 §9)."""
    seen = view(3, 4, 8, 9)
    assert asked(seen, b"1:3,5:7,9", uid=True) == [(3, 3), (9, 9)]
    assert asked(seen, b"100:*", uid=True) == [(9, 9)]
    assert asked(seen, b"5:7", uid=True) == []
    assert asked(view(), b"1:*", uid=True) == []


@pytest.mark.parametrize(("uids", "said"), [((3, 4), b"3"), ((3, 4), b"1:3"), ((3, 4), b"3:*"), ((), b"1:*"), ((), b"*"), ((), b"1")])
def test_a_number_that_no_message_has_is_refused(uids: tuple[int, ...], said: bytes) -> None:
    """In an empty folder the star as well. RFC 9051 §9, seq-number"""
    with pytest.raises(BadCommand, match="there is no message"):
        asked(view(*uids), said, uid=False)
    with pytest.raises(BadCommand, match="there is no message 3"):
        view(*uids).uid(3)


@pytest.mark.parametrize(
    ("uids", "said", "found"),
    [
        ((3, 4), b"1000", []),
        ((3, 4), b"2:9,50", [(4, 4)]),
        ((3, 4), b"3:*", [(4, 4)]),
        ((3, 4), b"*:3", [(4, 4)]),
        ((), b"1:*", []),
        ((), b"*", []),
    ],
)
def test_what_is_looked_for_may_be_a_number_that_no_message_has(uids: tuple[int, ...], said: bytes, found: list[tuple[int, int]]) -> None:
    """It finds nothing, as a UID that is not there; the range up to the star has the last message. RFC 9051 §6.4.4"""
    assert view(*uids).found(Tokens([said]).numbers(), uid=False) == found


def test_what_went_keeps_its_number_until_it_may_be_told() -> None:
    """RFC 9051 §7.5.1; it is told from the last to the first."""
    seen = view(1, 2, 3, 4)
    seen.take([(4, b"(x)", 12)], [2, 3], 12)
    assert seen.news(expunges=False) == [b"4 FETCH (FLAGS (x))"]
    assert asked(seen, b"4", uid=False) == [(4, 4)]
    assert seen.waiting
    assert seen.news(expunges=True) == [b"3 EXPUNGE", b"2 EXPUNGE"]
    assert not seen.waiting
    assert list(seen.uids()) == [1, 4]


def test_a_message_that_came_has_a_number_when_it_was_told() -> None:
    """One that went before it was told was never there."""
    seen = view(1, 2)
    seen.take([(5, b"()", 11), (6, b"()", 11), (7, b"()", 11)], [], 11)
    seen.take([(7, b"(x)", 12)], [6], 12)
    assert len(seen) == 2
    assert seen.number(5) == 0
    assert seen.news(expunges=False) == [b"4 EXISTS"]
    assert (seen.number(5), seen.number(6), seen.number(7)) == (3, 0, 4)


def test_qresync_hears_of_uids_and_modseqs() -> None:
    """VANISHED once for all. RFC 7162 §3.2.10"""
    seen = view(*range(1, 11))
    seen.take([(9, b"(\\Seen)", 20)], [1, 2, 3, 7], 20)
    assert seen.news(expunges=True, qresync=True) == [b"VANISHED 1:3,7", b"5 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (20))"]


def test_a_client_of_condstore_hears_modseqs() -> None:
    """And UIDs where it is asked for. RFC 7162 §3.2.4, RFC 9051 §7.5.2"""
    seen = view(5)
    seen.take([(5, b"()", 20)], [], 20)
    assert seen.news(expunges=True, condstore=True, uids=True) == [b"1 FETCH (UID 5 FLAGS () MODSEQ (20))"]


def test_what_the_session_did_itself_is_no_news() -> None:
    """And what others did later, or before that and not to that message, is."""
    seen = view(1, 2, 3)
    seen.told([(1, 12), (2, 12)])
    seen.take([(1, b"(a)", 12), (2, b"(b)", 13), (3, b"(c)", 11)], [], 13)
    assert seen.news(expunges=True) == [b"2 FETCH (FLAGS (b))", b"3 FETCH (FLAGS (c))"]
    seen.take([(1, b"(d)", 14)], [], 14)
    seen.told([(1, 14)])
    assert seen.news(expunges=True) == []


def test_what_was_taken_is_not_told_again() -> None:
    """Where all entries of a folder are asked for, most of them are old."""
    seen = view(1, 2)
    seen.take([(1, b"(a)", 9), (2, b"(b)", 10)], [], 12)
    assert seen.news(expunges=True) == []
    assert seen.modseq == 12
    assert seen.lost([2]) == [1]


def test_what_was_found_and_went_is_not_found_any_more() -> None:
    """RFC 9051 §6.4.4.1: the result of SEARCH is kept, and messages fall out of it."""
    seen = view(1, 2, 3)
    seen.saved = [(1, 2)]
    assert seen.pairs(NumberSet(saved=True), uid=True) == [(1, 2)]
    seen.take([], [1], 11)
    seen.news(expunges=True)
    assert seen.pairs(NumberSet(saved=True), uid=False) == [(2, 2)]
    seen.saved = ()
    assert seen.pairs(NumberSet(saved=True), uid=False) == []


def test_a_view_against_a_model() -> None:
    """Whatever comes and goes: who counts along with what is told has the numbers of the view."""
    for seed in range(60):
        dice = random.Random(seed)
        there = sorted(dice.sample(range(1, 100), dice.choice([0, 3, 50, 90])))
        seen, heard, modseq = view(*there), [*there], 10
        for _ in range(30):
            modseq += 1
            highest = max([*there, *heard, 0])
            came = [*range(highest + 1, highest + 1 + dice.choice([0, 0, 1, 70]))]
            gone = dice.sample(there, dice.choice([0, 0, 1, len(there) // 2]) if there else 0)
            there = [uid for uid in there if uid not in gone] + came
            seen.take([(uid, b"()", modseq) for uid in dice.sample(there, min(3, len(there))) + came], sorted(gone), modseq)
            qresync, expunges = dice.choice([True, False]), dice.choice([True, False])
            for line in seen.news(expunges=expunges, qresync=qresync):
                counted(heard, there, line)
            assert list(seen.uids()) == heard
            assert len(seen) == len(heard)
            assert [seen.number(uid) for uid in heard] == [*range(1, len(heard) + 1)]
            assert [seen.uid(number + 1) for number in range(len(heard))] == heard
            assert [*seen.numbered(range(1, 200))] == [(heard.index(uid) + 1, uid) for uid in range(1, 200) if uid in heard]
            if expunges:
                assert heard == there


def counted(heard: list[int], there: list[int], line: bytes) -> None:
    """What a client does that hears `line`."""
    if found := re.fullmatch(rb"([0-9]+) EXPUNGE", line):
        del heard[int(found[1]) - 1]
    elif line.startswith(b"VANISHED "):
        for first, last in Tokens([line[9:]]).numbers().ranges:
            heard[:] = [uid for uid in heard if not first <= uid <= last]
    elif found := re.fullmatch(rb"([0-9]+) EXISTS", line):
        more = int(found[1]) - len(heard)
        heard += [uid for uid in there if uid not in heard and uid > max([*heard, 0])][:more]
    else:
        found = re.match(rb"([0-9]+) FETCH ", line)
        assert found is not None
        assert 0 < int(found[1]) <= len(heard)


def size(runs: UidRuns) -> int:
    return sum(sys.getsizeof(part) for part in (runs, runs._firsts, runs._places))


@pytest.mark.parametrize(("uids", "octets"), [
    (range(1, 10_001), 400), ([uid for uid in range(1, 20_001) if uid % 100], 4_000), (range(1, 20_001, 2), 41_000),
])  # fmt: skip
def test_ten_thousand_messages_cost_little(uids: range | list[int], octets: int) -> None:
    """A folder from which nothing was deleted costs nothing; one full of holes four octets a message."""
    assert size(UidRuns(uids)) < octets
    grown = UidRuns()
    for uid in itertools.islice(uids, 2000):
        grown.extend([uid])
    assert list(grown.all()) == list(itertools.islice(uids, 2000))


def test_what_changes_in_a_large_folder_takes_no_time() -> None:
    """One that goes, one that comes, sets of all kinds: with a hundred thousand messages and holes everywhere."""
    holes = array("I", [uid for uid in range(1, 150_000) if uid % 3])
    for uids in (range(1, 100_001), holes):
        began = time.process_time()
        seen = FolderView(1, "x", 1, uids, 1)
        for uid in range(1000, 1040, 4):
            seen.take([(160_000 + uid, b"()", uid)], [uid], uid)
            seen.news(expunges=True)
        asked(seen, b"1:*", uid=False)
        asked(seen, (b"1:4294967295," * 5000)[:64000].rstrip(b","), uid=True)
        asked(seen, b",".join(b"%d" % uid for uid in range(1, 20_000, 2)), uid=True)
        assert time.process_time() - began < 2.0
