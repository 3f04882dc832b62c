"""A message in the spool that gets a record, is put off, given up, dropped or moved: dying and failing at every call."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from . import victim, wreck
from .injected import Call, Victim, refused, side_by_side

VictimAt = Callable[..., Victim]

MOVES = {
    "record": ("queued", "queued"),
    "defer": ("queued", "deferred"),
    "fail": ("queued", "failed"),
    "drop": ("queued", ""),
    "hold": ("queued", "held"),
    "release": ("held", "queued"),
    "retry": ("deferred", "queued"),
    "cancel": ("deferred", "failed"),
}
"""Where the message is before each operation and after it; ``""`` is out of the spool."""


def check(operation: str, root: Path, *, done: bool) -> None:
    """The message is where it was or where it goes; once there, everything that led there is on record."""
    before, after = MOVES[operation]
    state = wreck.messages(root).get(victim.ID, "")
    assert state in ({after} if done else {before, after})
    if not state:
        return
    verdicts = {to: last.verdict for to, last in wreck.history(root).last.items()}
    if operation == "record":
        assert verdicts in ({0: "delivered"}, {} if not done else None)
    elif state == "deferred" and operation == "defer":
        assert verdicts == {0: "delivered", 1: "defer"}
        assert (root / "deferred" / victim.ID).stat().st_mtime == victim.DUE
    elif state == "failed":
        assert set(verdicts) == {0, 1}


@pytest.mark.peer("strace")
@pytest.mark.parametrize("operation", MOVES)
def test_dying_anywhere_leaves_the_message_before_the_step_or_after_it(tmp_path: Path, victim_at: VictimAt, operation: str) -> None:
    """Killed before any system call, the message is whole, in one directory, and the step can be made again."""
    before, _ = MOVES[operation]

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}", before)
        victim_at(operation, root).die_at(call)
        check(operation, root, done=False)
        if before in wreck.messages(root).values():
            victim.again(operation, root)
            check(operation, root, done=True)

    side_by_side(dies, victim_at(operation, wreck.prepared(tmp_path / "watched", before)).calls())


@pytest.mark.peer("strace")
@pytest.mark.parametrize("operation", MOVES)
def test_an_error_anywhere_leaves_the_message_before_the_step_or_after_it(tmp_path: Path, victim_at: VictimAt, operation: str) -> None:
    """Whatever the kernel refuses, at any call: the message is whole, in one directory, and the step can be made again."""
    before, _ = MOVES[operation]

    def fails(case: tuple[Call, str]) -> None:
        call, error = case
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}-{error}", before)
        done = victim_at(operation, root).fail_at(call, error)
        check(operation, root, done=done.code == 0)
        if before in wreck.messages(root).values():
            victim.again(operation, root)
            check(operation, root, done=True)

    side_by_side(fails, refused(victim_at(operation, wreck.prepared(tmp_path / "watched", before)).calls()))


@pytest.mark.parametrize("room", [1, 2, 30, 80])
def test_a_record_that_is_cut_short_reads_as_not_written(tmp_path: Path, victim_at: VictimAt, room: int) -> None:
    """The disk takes only `room` bytes of a record; the next record is none the worse for it."""
    root = wreck.prepared(tmp_path / "spool", "queued")
    size = (root / "queued" / victim.ID).stat().st_size + room
    argv = victim_at("record", root).argv
    done = subprocess.run(argv, capture_output=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    assert done.returncode == 74
    assert wreck.history(root).outcomes == []
    assert subprocess.run(argv, capture_output=True).returncode == 0
    assert [outcome.to for outcome in wreck.history(root).outcomes] == [0]
