"""What an owner says about his mail is kept, bounded, and his; what came of it is remembered for as long as somebody asks."""

from __future__ import annotations

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.scripts import LASTING, MOST_FORWARDS, MOST_RULES, MOST_SCRIPTS, MOST_TRIES, REMEMBERED

from .premises import NOW, Premises


def test_one_script_is_active(premises: Premises) -> None:
    """The one that was activated last, and whatever is put in its place; none where that was said."""
    with premises.ann() as box:
        scripts = box.scripts
        assert scripts.instructions().script is None
        for name in ("a", "b"):
            scripts.put_script(name, "keep;", NOW)
            scripts.activate(name)
        scripts.put_script("b", "discard;", NOW + 1)
        found = scripts.instructions()
        assert [(each.name, each.active, each.at) for each in found.scripts] == [("a", False, NOW), ("b", True, NOW + 1)]
        assert found.script is not None
        assert found.script.source == "discard;"
        scripts.activate("")
        scripts.delete_script("b")
        assert [each.active for each in scripts.instructions().scripts] == [False]
        for act in (scripts.activate, scripts.delete_script):
            with pytest.raises(Problem, match="there is no script 'b'"):
                act("b")


def test_there_are_bounds(premises: Premises) -> None:
    """Of scripts, rules and forwards, and of names; what is beyond is not kept."""
    with premises.ann() as box:
        scripts = box.scripts
        for nth in range(MOST_SCRIPTS):
            scripts.put_script(f"{nth}", "keep;", NOW)
        for name in ("one more", "", "x" * 129, "a\nb"):
            with pytest.raises(Problem):
                scripts.put_script(name, "keep;", NOW)
        with pytest.raises(Problem, match="at most 200 rules"):
            scripts.set_rules(["{}"] * (MOST_RULES + 1))
        for nth in range(MOST_FORWARDS):
            scripts.add_forward(f"{nth}@example.org", "copy", NOW)
        with pytest.raises(Problem, match="20 forwards, and no more"):
            scripts.add_forward("more@example.org", "copy", NOW)
        found = scripts.instructions()
        assert (len(found.scripts), len(found.rules), len(found.forwards)) == (MOST_SCRIPTS, 0, MOST_FORWARDS)


def test_rules_and_the_answer(premises: Premises) -> None:
    """They are kept in their order, and replaced as a whole."""
    with premises.ann() as box:
        box.scripts.set_rules(["1", "2", "3"])
        box.scripts.set_rules(["3", "1"])
        box.scripts.set_vacation("away")
        box.scripts.set_vacation("gone")
        assert (box.scripts.instructions().rules, box.scripts.instructions().vacation) == (["3", "1"], "gone")
        box.scripts.set_vacation("")
        assert box.scripts.instructions().vacation == ""


def test_a_forward_counts_when_its_code_was_given(premises: Premises) -> None:
    """In time, in few tries, however the address is written; another kind of the same address stays confirmed."""
    with premises.ann() as box:
        scripts = box.scripts
        assert scripts.add_forward("Carl@example.org", "copy", NOW, code="c").confirmed == 0
        assert not scripts.confirm_forward("carl@example.org", "x", NOW)
        assert not scripts.confirm_forward("carl@example.org", "", NOW)
        assert scripts.confirm_forward("carl@EXAMPLE.org", "c", NOW + 5)
        assert scripts.add_forward("carl@example.org", "move", NOW + 9, code="d").confirmed == NOW + 5
        assert [(each.address, each.kind) for each in scripts.instructions().forwards] == [("Carl@example.org", "move")]
        scripts.delete_forward("CARL@example.org")
        with pytest.raises(Problem, match="no forward"):
            scripts.confirm_forward("carl@example.org", "c", NOW)
        with pytest.raises(Problem, match="no forward"):
            scripts.delete_forward("carl@example.org")


def test_a_code_cannot_be_guessed(premises: Premises) -> None:
    """After a few tries, and after a week, it is none; a new one is."""
    with premises.ann() as box:
        scripts = box.scripts
        scripts.add_forward("a@example.org", "copy", NOW, code="c")
        for _ in range(MOST_TRIES):
            assert not scripts.confirm_forward("a@example.org", "x", NOW)
        assert not scripts.confirm_forward("a@example.org", "c", NOW)
        scripts.add_forward("a@example.org", "copy", NOW, code="c")
        assert not scripts.confirm_forward("a@example.org", "c", NOW + LASTING + 1)
        assert scripts.confirm_forward("a@example.org", "c", NOW + LASTING)


def test_what_was_sent_is_remembered(premises: Premises) -> None:
    """For a month: who got which answer when, how many there were, and which messages were sent."""
    with premises.ann() as box:
        scripts = box.scripts
        scripts.note("1", NOW, handle="h", sender="bob@example.net")
        scripts.note("2", NOW + 1, handle="told")
        scripts.note("3", NOW + 2)
        scripts.note("1", NOW + 3, handle="h", sender="bob@example.net")
        assert [scripts.carried(id) for id in "1234"] == [True, True, True, False]
        assert (scripts.answered("h", "bob@example.net"), scripts.answered("h", "carl@example.net")) == (NOW + 3, 0.0)
        assert (scripts.answers(NOW - 1), scripts.answers(NOW + 3)) == (1, 0)
        premises.now = NOW + REMEMBERED + 10
        box.sweep(premises.now)
        assert [scripts.carried(id) for id in "123"] == [False, False, False]
        assert scripts.answered("h", "bob@example.net") == 0.0


def test_they_are_each_owners_own(premises: Premises) -> None:
    """Where rows are shared, too."""
    with premises.ann() as box, premises.boxes.of("bob@example.com", make=True) as other:
        box.scripts.put_script("a", "keep;", NOW)
        box.scripts.set_rules(["1"])
        box.scripts.add_forward("x@example.org", "copy", NOW)
        box.scripts.note("1", NOW, handle="h", sender="x")
        found = other.scripts.instructions()
        assert (list(found.scripts), list(found.rules), found.vacation, list(found.forwards)) == ([], [], "", [])
        assert not other.scripts.carried("1")
        other.scripts.activate("")
        other.scripts.set_rules([])
        assert box.scripts.instructions().rules == ["1"]
