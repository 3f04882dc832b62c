"""A message on its way into the spool: dying, and a disk that says no, at every system call."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from . import victim, wreck
from .injected import Call, Victim, refused, side_by_side

pytestmark = pytest.mark.peer("strace")
VictimAt = Callable[..., Victim]
AGAIN = "01KAHC00000000000000000002"


def test_dying_anywhere_in_put_leaves_all_of_a_message_or_none(tmp_path: Path, victim_at: VictimAt) -> None:
    """Killed before any of put's system calls, the spool holds the whole message or nothing; "ok" was not said."""

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}")
        assert victim_at("put", root).die_at(call).out == ""
        assert wreck.messages(root) in ({}, {victim.ID: "queued"}), call

    side_by_side(dies, victim_at("put", wreck.prepared(tmp_path / "watched")).calls())


def test_an_error_anywhere_in_put_is_told_and_leaves_nothing(tmp_path: Path, victim_at: VictimAt) -> None:
    """ENOSPC, EIO, EDQUOT or EMFILE at any call: either the message is there and "ok" is said, or neither, and no litter."""

    def fails(case: tuple[Call, str]) -> None:
        call, error = case
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}-{error}")
        done = victim_at("put", root).fail_at(call, error)
        if done.code == 0:
            assert wreck.messages(root) == {victim.ID: "queued"}, case
        else:
            assert wreck.messages(root) == {}, case
            assert not any(root.joinpath("tmp").iterdir()), case
            assert (done.out, len(done.err.splitlines())) == ("", 1), done
            assert done.code == (74 if error == "EIO" else 75), done

    side_by_side(fails, refused(victim_at("put", wreck.prepared(tmp_path / "watched")).calls(), {}))


def test_a_message_whose_id_was_chosen_is_put_again_after_a_crash(tmp_path: Path, victim_at: VictimAt) -> None:
    """A report has the same ID each time: what a crash left of it does not keep it from being put."""

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}")
        victim_at("put", root).die_at(call)
        victim.again("put", root)
        assert wreck.messages(root) == {victim.ID: "queued"}, call

    side_by_side(dies, victim_at("put", wreck.prepared(tmp_path / "watched")).calls())


def test_a_request_made_again_after_a_crash_is_in_the_spool_once(tmp_path: Path, victim_at: VictimAt) -> None:
    """Killed anywhere, then made again with the same request id: "ok", and exactly one message."""

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}")
        victim_at("put_once", root).die_at(call)
        assert len(wreck.messages(root)) <= 1, call
        victim.again("put_once", root, AGAIN)
        assert list(wreck.messages(root).values()) == ["queued"], call

    side_by_side(dies, victim_at("put_once", wreck.prepared(tmp_path / "watched")).calls())


def test_a_request_made_again_after_an_error_is_in_the_spool_once(tmp_path: Path, victim_at: VictimAt) -> None:
    """An error anywhere leaves nothing queued; the same request made again is put, never taken for done."""

    def fails(case: tuple[Call, str]) -> None:
        call, error = case
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}-{error}")
        done = victim_at("put_once", root).fail_at(call, error)
        assert list(wreck.messages(root).values()) == ([] if done.code else ["queued"]), case
        victim.again("put_once", root, AGAIN)
        assert list(wreck.messages(root).values()) == ["queued"], case

    side_by_side(fails, refused(victim_at("put_once", wreck.prepared(tmp_path / "watched")).calls(), {}))


@pytest.mark.parametrize("room", [0, 10, 100, 1000, 2900])
def test_a_file_that_gets_no_more_room_leaves_nothing(tmp_path: Path, victim_at: VictimAt, room: int) -> None:
    """A write that is cut short in the middle (here by the limit on a file's size) is an error, not a short message."""
    root = wreck.prepared(tmp_path / "spool")
    done = subprocess.run(
        victim_at("put", root).argv,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert done.returncode == 74
    assert wreck.messages(root) == {}
    assert not any(root.joinpath("tmp").iterdir())
