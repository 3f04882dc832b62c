"""What is told of drop/: a line for each user, however much he left there."""

from __future__ import annotations

from mailer.intake.adoption import QUIET, Refusals
from mailer.spool.adopt import Adopted, Renamed


def found(**more: dict[int, int]) -> Adopted:
    """What a pass found of users, with a reason for each."""
    done = Adopted()
    for name, counts in more.items():
        getattr(done, name).update(counts)
        done.why.update((uid, "x: it is no regular file") for uid in counts)
    return done


def test_a_user_is_told_of_in_one_line() -> None:
    """How much was deleted and how much is left, and why for one of them."""
    refusals = Refusals()
    refusals.add(found(deleted={1000: 19_999, 1001: 1}, left={1000: 2}))
    refusals.add(found(deleted={1000: 1}, left={1000: 2}))
    assert refusals.lines(0.0) == [
        "user 1000 left in drop/ what cannot be taken as it is: 20000 deleted and 2 left there; x: it is no regular file",
        "user 1001 left in drop/ what cannot be taken as it is: 1 deleted; x: it is no regular file",
    ]
    assert refusals.lines(QUIET) == []


def test_a_user_who_goes_on_fills_no_log() -> None:
    """A line a minute, and another user does not wait for it; nothing is left out of the count."""
    refusals = Refusals()
    refusals.add(found(deleted={1000: 1}))
    assert len(refusals.lines(0.0)) == 1
    for at in range(5):
        refusals.add(found(deleted={1000: 10}))
        assert refusals.lines(at) == []
    refusals.add(found(deleted={1001: 1}))
    assert ["user 1001" in line for line in refusals.lines(QUIET - 1)] == [True]
    (line,) = refusals.lines(QUIET)
    assert "50 deleted" in line


def test_an_id_of_ours_is_told() -> None:
    """In the same line: under which the user left his message, and what it is called now."""
    refusals = Refusals()
    done = Adopted()
    done.renamed = [Renamed("0" * 26, 1000, "01" + "A" * 24), Renamed("0" * 25 + "1", 1000, "01" + "B" * 24)]
    refusals.add(done)
    (line,) = refusals.lines(0.0)
    assert line.startswith("user 1000 ")
    assert f"2 taken under another ID; {'0' * 26} says another time" in line
    assert line.endswith(f"is {'01' + 'A' * 24} now")
    assert refusals.lines(QUIET) == []


def test_what_is_left_is_told_once() -> None:
    """Each pass finds it again; only more of it is news."""
    refusals = Refusals()
    told = []
    for at, count in enumerate((2, 2, 1, 1, 5, 5)):
        refusals.add(found(left={1000: count}))
        told += refusals.lines(at * QUIET)
    assert [line.partition(": ")[2][:12] for line in told] == ["2 left there", "5 left there"]
