"""Flags and keywords of messages, and what others had changed meanwhile."""

from __future__ import annotations

import pytest

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import MOST_KEYWORDS, FolderEntry

from .premises import Premises, put


def state(entries: list[FolderEntry]) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(entry.uid, int(entry.flags), entry.keywords) for entry in entries]


def test_flags_are_added_removed_and_set(premises: Premises) -> None:
    """Of those that were asked for alone; the folder counts what is unseen and what is marked as deleted."""
    with premises.ann() as box:
        put(box, many=4)
        box.flag(1, [(1, 2), (4, 9)], "add", Flag.SEEN | Flag.DELETED, ["b", "A"])
        box.flag(1, [(2, 2)], "remove", Flag.DELETED, ["a", "c"])
        done = box.flag(1, [(4, 4)], "set", Flag.DRAFT, ["x"])
        assert state(box.entries(1)) == [(1, 9, ("A", "b")), (2, 1, ("b",)), (3, 0, ()), (4, 16, ("x",))]
        assert done.entries == box.entries(1, [(4, 4)])
        folder = box.folder("INBOX")
        assert folder is not None
        assert (folder.unseen, folder.deleted, folder.modseq) == (2, 1, done.modseq)
        box.flag(1, None, "set", PLAIN)
        assert {each[1:] for each in state(box.entries(1))} == {(0, ())}


def test_what_has_a_flag_already_is_not_changed(premises: Premises) -> None:
    """It keeps its MODSEQ, RFC 7162 §3.1.3, and nobody is told."""
    with premises.ann() as box:
        put(box, many=2, flags=Flag.SEEN)
        before, told = box.entries(1), len(premises.told)
        done = box.flag(1, None, "add", Flag.SEEN)
        assert done.entries == before == box.entries(1)
        assert box.flag(1, None, "remove", PLAIN, ["nothing"]).entries == before
        assert len(premises.told) == told
        assert box.flag(1, [(7, 9)], "add", Flag.SEEN).entries == []


def test_what_another_has_changed_meanwhile_is_refused(premises: Premises) -> None:
    """RFC 7162 §3.1.3: those with a higher MODSEQ are named and left, the others are changed."""
    with premises.ann() as box:
        put(box, many=3)
        folder = box.folder("INBOX")
        assert folder is not None
        box.flag(1, [(2, 2)], "add", Flag.FLAGGED)
        done = box.flag(1, None, "add", Flag.SEEN, unchanged_since=folder.modseq)
        assert (done.refused, [entry.uid for entry in done.entries]) == ([2], [1, 3])
        assert [int(entry.flags) for entry in box.entries(1)] == [1, 4, 1]
        done = box.flag(1, None, "set", PLAIN, unchanged_since=0)
        assert (done.refused, done.entries) == ([1, 2, 3], [])


def test_keywords_are_spelled_as_they_were_first(premises: Premises) -> None:
    """RFC 9051 §2.3.2: they are the same in capital letters; each folder has its own."""
    with premises.ann() as box:
        put(box, keywords=("Work", "wORK"))
        put(box, "Sent", keywords=("WORK",))
        assert box.flag(1, None, "add", PLAIN, ["work", "$Forwarded"]).entries[0].keywords == ("$Forwarded", "Work")
        box.copy(1, None, "Sent")
        assert [entry.keywords for entry in box.entries(box.folder("Sent").id)] == [("WORK",), ("$Forwarded", "WORK")]  # type: ignore[union-attr]


def test_a_folder_has_a_bounded_number_of_keywords(premises: Premises) -> None:
    """One more is refused with what to do; those that no message has any more make room."""
    with premises.ann() as box:
        put(box)
        for number in range(0, MOST_KEYWORDS, 10):
            box.flag(1, None, "add", PLAIN, [f"k{each}" for each in range(number, number + 10)])
        with pytest.raises(Problem, match="a folder has 100 keywords at most; take one off"):
            box.flag(1, None, "add", PLAIN, ["one-more"])
        assert len(box.entries(1)[0].keywords) == MOST_KEYWORDS
        box.flag(1, None, "remove", PLAIN, ["k1"])
        assert len(box.flag(1, None, "add", PLAIN, ["One-more"]).entries[0].keywords) == MOST_KEYWORDS


@pytest.mark.parametrize("word", ["", "a b", "a\\b", "a(b", "a%", "a*", 'a"b', "a]", "{a", "\xe9", "a\r", "x" * 101])
def test_what_is_no_keyword_is_refused(premises: Premises, word: str) -> None:
    """RFC 9051 §9 (flag-keyword)."""
    with premises.ann() as box:
        put(box)
        with pytest.raises(Problem, match="a keyword has 1 to 100") as caught:
            box.flag(1, None, "add", PLAIN, [word])
        assert caught.value.kind == "usage"


def test_whoever_marks_junk_has_judged(premises: Premises) -> None:
    """Once for each message and verdict, until somebody says the reverse."""
    with premises.ann() as box:
        one, two = put(box, many=2)
        box.flag(1, None, "add", PLAIN, ["$junk"])
        box.flag(1, [(1, 1)], "set", PLAIN, ["$NotJunk"])
        box.flag(1, [(1, 1)], "set", PLAIN, ["$Junk"])
        box.flag(1, [(1, 1)], "set", PLAIN, ["$Junk", "more"])
        id = box.owner.id
        assert premises.judged == [(id, one, "spam"), (id, two, "spam"), (id, one, "ham"), (id, one, "spam")]


def test_a_set_of_many_pieces_is_one_look(premises: Premises) -> None:
    """Whatever it has; UIDs that are not there are passed over."""
    with premises.ann() as box:
        put(box, many=60)
        odd = [(uid, uid) for uid in range(1, 100_000, 2)]
        assert [entry.uid for entry in box.entries(1, odd)] == list(range(1, 60, 2))
        assert len(box.flag(1, odd, "add", Flag.SEEN).entries) == 30
        assert [entry.uid for entry in box.entries(1, [(2, 3), (50, 4_294_967_294)])] == [2, 3, *range(50, 61)]
        assert box.entries(1, []) == []
        far = [(uid, uid) for uid in range(1000, 1100, 2)]
        assert box.entries(1, far) == []
