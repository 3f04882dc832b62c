"""The real ``mailer send``: dying, and a machine that says no, at every system call from the first that touches the spool."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from . import wreck
from .injected import Call, Victim, side_by_side

pytestmark = pytest.mark.peer("strace")

BODY = b"\r\nThe body, all of it.\r\n"
MAILER = Path(__file__).parents[2] / "bin" / "mailer"
TOLD = re.compile(r"[0-9A-Z]{26}\n")
SendAt = Callable[[Path], Victim]


@pytest.fixture(scope="session")
def send_at(tmp_path_factory: pytest.TempPathFactory) -> SendAt:
    """``send_at(root)``: the command that queues one message in the spool at `root`."""
    start = [sys.executable, "-X", f"pycache_prefix={tmp_path_factory.mktemp('pycache')}"]

    def at(root: Path, *options: str) -> Victim:
        argv = [*start, *options, MAILER, "send", "--spool", root, "-f", "me@example.com", "you@example.net"]
        return Victim(
            argv, root / "trace", begin=f"{root}/tmp/", input=b"Subject: a test\n\nThe body, all of it.\n", env={"HOME": str(root)}
        )

    assert at(wreck.prepared(tmp_path_factory.mktemp("warm"))).run().code == 0
    return lambda root: at(root, "-B")


def test_dying_anywhere_in_send_leaves_all_of_a_message_or_none(tmp_path: Path, send_at: SendAt) -> None:
    """Killed before any system call: an ID was printed only if its message is in the spool, and it is whole."""

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}")
        told = send_at(root).die_at(call).out
        found = wreck.messages(root, BODY)
        assert len(found) <= 1, call
        if told:
            assert TOLD.fullmatch(told), call
            assert found == {told.strip(): "queued"}, call

    side_by_side(dies, send_at(wreck.prepared(tmp_path / "watched")).calls())


def test_an_error_anywhere_in_send_is_one_line_and_leaves_nothing(tmp_path: Path, send_at: SendAt) -> None:
    """A full disk or no descriptor at any call: exit 0 and the message is queued, or one line, the right code and nothing queued."""

    def fails(case: tuple[Call, str]) -> None:
        call, error = case
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}-{error}")
        done = send_at(root).fail_at(call, error)
        found = wreck.messages(root, BODY)
        if done.code == 0:
            assert list(found.values()) == ["queued"], case
        else:
            assert found == {}, (case, done)
            assert (done.code, len(done.err.splitlines())) == (74 if error == "EIO" else 75, 1), (case, done)

    calls = [call for call in send_at(wreck.prepared(tmp_path / "watched")).calls() if call.name != "newfstatat"]
    side_by_side(fails, product(calls, ("ENOSPC", "EIO", "EMFILE")))
