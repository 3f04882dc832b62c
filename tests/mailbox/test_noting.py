"""What clients note at folders: RFC 5464."""

from __future__ import annotations

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox import noting
from mailer.mailbox.api import Annotation, NoFolder, TooMany
from mailer.mailbox.backups.rows import copy_rows
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.moving.balance import differing
from mailer.mailbox.moving.tables import TABLES, same

from .premises import Premises, number_of, put

COMMENT = "/private/comment"


def noted(premises: Premises, name: str) -> dict[str, bytes]:
    """What is noted at a folder."""
    with premises.ann() as box:
        return {each.entry: each.value for each in box.annotations(number_of(box, name))}


def test_what_is_noted_is_there(premises: Premises) -> None:
    """Octet by octet, under its name in any case, spelled as it was first; None removes it."""
    with premises.ann() as box:
        a, b = box.create("a").id, box.create("b").id
        value = bytes(range(256)) * 128
        box.annotate(a, [(COMMENT, b"x"), ("/shared/Vendor/acme/Colour", value)])
        box.annotate(b, [(COMMENT, b"")])
        box.annotate(0, [("/private/vendor/acme/all", b"1")])
        assert [(each.entry, each.value) for each in box.annotations(a)] == [(COMMENT, b"x"), ("/shared/Vendor/acme/Colour", value)]
        box.annotate(a, [("/PRIVATE/comment", b"y"), ("/shared/vendor/ACME/colour", None)])
        modseq = premises.told[-1][2]
        assert premises.told[-1][1] == a
        assert box.annotations(a) == [Annotation(a, COMMENT, b"y", modseq)]
        assert {(folder, entry) for folder, entry, _ in box.annotation_marks()} == {
            (0, "/private/vendor/acme/all"), (a, COMMENT), (b, COMMENT),
        }  # fmt: skip
        assert [each.folder for each in box.annotations()] == [0, a, b]


def test_it_goes_with_its_folder(premises: Premises) -> None:
    """RFC 5464 §4.1: to another name, and away; from the inbox it is copied."""
    with premises.ann() as box:
        box.create("a")
        for name in ("a", "INBOX"):
            box.annotate(number_of(box, name), [(COMMENT, name.encode())])
        put(box, "INBOX")
        box.rename("a", "c")
        box.rename("INBOX", "old")
        box.create("a")
    assert [noted(premises, name) for name in ("a", "c", "old", "INBOX")] == [{}, {COMMENT: b"a"}, {COMMENT: b"INBOX"}, {COMMENT: b"INBOX"}]
    with premises.ann() as box:
        box.delete("c")
        box.create("c")
    assert noted(premises, "c") == {}


def test_all_or_nothing_is_noted(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is one too many, or too long, keeps the others away too; a folder that is gone has no notes."""
    monkeypatch.setattr(noting, "MOST", 3)
    monkeypatch.setattr(noting, "MOST_IN_ALL", 4)
    monkeypatch.setattr(noting, "MOST_OCTETS", 100_000)
    with premises.ann() as box:
        a, b = box.create("a").id, box.create("b").id
        box.annotate(a, [("/private/1", b"1"), ("/private/2", b"2"), ("/private/3", b"3")])
        with pytest.raises(TooMany, match="3 entries are noted at a folder at most"):
            box.annotate(a, [("/private/1", None), ("/private/4", b"4"), ("/private/5", b"5")])
        with pytest.raises(TooMany, match="4 entries, and 100000 octets in them, are noted in a mailbox"):
            box.annotate(b, [("/private/1", b"1"), ("/private/2", b"2")])
        monkeypatch.setattr(noting, "MOST_OCTETS", 50_000)
        with pytest.raises(TooMany, match="50000 octets"):
            box.annotate(a, [("/private/1", bytes(32768)), ("/private/2", bytes(32768))])
        with pytest.raises(Problem, match="32768 octets at most"):
            box.annotate(a, [("/private/1", b"x"), ("/private/2", bytes(32769))])
        with pytest.raises(Problem, match="500 letters in its name"):
            box.annotate(a, [("/private/" + "x" * 500, b"x")])
        with pytest.raises(NoFolder):
            box.annotate(99, [("/private/1", b"x")])
        assert [each.value for each in box.annotations(a)] == [b"1", b"2", b"3"]
        box.annotate(a, [("/private/1", None), ("/private/4", b"4")])
        assert [each.entry for each in box.annotations(a)] == ["/private/2", "/private/3", "/private/4"]


def test_it_goes_into_backups_and_to_other_stores(premises: Premises) -> None:
    """With the names that are subscribed: whatever copies a mailbox copies them, and a move sees where they differ."""
    with premises.ann() as box:
        box.annotate(box.create("a").id, [(COMMENT, b"\0x")])
        box.subscribe("nothing", True)
        for bring in (copy_rows, moved):
            target = MemoryEngine(7)
            bring(box.engine, target)
            there = OwnMailbox(box.owner, target, MemoryBodies(lambda: premises.now))
            assert ([each.value for each in there.annotations()], list(there.wanted())) == ([b"\0x"], ["nothing"])
            assert "annotation" not in differing(box.engine, target)
            there.annotate(number_of(there, "a"), [(COMMENT, b"\0y")])
            assert "annotation" in differing(box.engine, target)


def moved(source: Engine, target: Engine) -> None:
    """All tables, as a move brings them."""
    for name in TABLES:
        same(source, target, name)
