"""People type some words, and the message that they mean stands first, over each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailer.mail.query import Contains
from mailer.mailbox import ranking
from mailer.mailbox.api import NewMail
from mailer.mailbox.box import OwnMailbox

from .premises import Premises


def put(box: OwnMailbox, *letters: str, folder: str = "INBOX") -> None:
    """Put messages, each of a subject and a text."""
    for letter in letters:
        subject, _, text = letter.partition("|")
        head = f"From: Bob <bob@example.net>\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        box.put([NewMail(folder, head.encode())])


def uids(box: OwnMailbox, words: str, folder: str | None = None) -> list[int]:
    """The UIDs that are found."""
    where = box.folder(folder) if folder else None
    return [each.uid for each in box.ranked(words, where and where.id)]


@pytest.fixture
def box(premises: Premises) -> Iterator[OwnMailbox]:
    """A mailbox that stays open for the test."""
    with premises.ann() as box:
        yield box


def test_a_word_in_the_subject_weighs_more(box: OwnMailbox) -> None:
    """Than in the body; and all words have to be there, or their beginnings."""
    put(box, "holidays|the report comes later", "the report|as promised", "lunch|no")
    assert uids(box, "report") == [2, 1]
    assert uids(box, "REP promi") == [2]
    assert uids(box, "report lunch") == []
    assert uids(box, "eport") == []
    assert uids(box, "bob") == [3, 2, 1]


def test_words_of_all_scripts_are_found(box: OwnMailbox) -> None:
    """Without regard to case; where words are not divided, anywhere in them, alone and together with others."""
    put(box, "Überweisung|明日は東京都へ行きます Tokyo", "Straße|привет", "other|大阪")
    assert uids(box, "über") == [1]
    assert uids(box, "京都") == [1]
    assert uids(box, "TOKYO 京都") == [1]
    assert uids(box, "tokyo 大阪") == []
    assert uids(box, "STRASSE") == [2]
    assert uids(box, "ПРИВ") == [2]


def test_what_comes_later_is_found_too(box: OwnMailbox) -> None:
    """The index has what came since somebody asked, and what it lost."""
    put(box, "one|apple")
    assert uids(box, "apple") == [1]
    put(box, "two|apple apple")
    assert sorted(uids(box, "apple")) == [1, 2]
    for table in ("word", "ranked") if box.engine.dialect == "sqlite" else ("word",):
        box.engine.change(lambda rows, table=table: rows.change(DROP[box.engine.dialect, table]))
    assert sorted(uids(box, "apple")) == [1, 2]


DROP = {
    ("sqlite", "word"): "DROP TABLE word",
    ("sqlite", "ranked"): "DROP TABLE ranked",
    ("postgresql", "word"): "DELETE FROM word",
}


def test_a_mailbox_is_put_into_the_index_in_portions(box: OwnMailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a transaction of its own; all of it is found."""
    monkeypatch.setattr(ranking, "PORTION", 2)
    put(box, *(f"apple {number}|" for number in range(7)))
    assert len(uids(box, "apple")) == 7
    put(box, *(f"apple {number}|" for number in range(4)))
    assert len(uids(box, "apple")) == 11


def test_one_folder_is_searched_alone(box: OwnMailbox) -> None:
    """Or all of them."""
    put(box, "one|apple")
    put(box, "two|apple", "three|apple", folder="Archive")
    assert uids(box, "apple", "Archive") == [2, 1]
    assert len(uids(box, "apple")) == 3


def test_what_was_erased_is_not_found(premises: Premises, box: OwnMailbox) -> None:
    """Neither by its words nor by those of others."""
    put(box, "one|apple", "two|apple")
    assert len(uids(box, "apple")) == 2
    folder = box.folder("INBOX")
    assert folder is not None
    box.expunge(folder.id, ((1, 1),), marked=False)
    assert uids(box, "apple") == [2]
    box.sweep(premises.now + 30 * 86400)
    assert uids(box, "apple") == [2]


@pytest.mark.parametrize(
    "words", ["", " ", '"', "'", "\\", "a\0b", "*", "(", "NEAR(a b)", "a OR b", "-a", "a'b:*", "a & b | !c", "ſ", "x" * 5000, "%"]
)
def test_no_text_is_taken_for_a_query_of_the_database(box: OwnMailbox, words: str) -> None:
    """Whatever somebody types is words, or nothing."""
    put(box, "a|b or near")
    box.ranked(words)


def test_words_are_found_by_a_search_as_by_rank(box: OwnMailbox) -> None:
    """The exact key finds those that the index does."""
    put(box, "Grüße|foo_bar 1.5 a-b", "x|barfoo", "y|Foo")
    for words in ("foo", "bar", "gr", "a b", "1"):
        assert sorted(uids(box, words)) == [each.uid for each in box.search(Contains("words", words))], words
