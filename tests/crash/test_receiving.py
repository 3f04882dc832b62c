"""A message of a stranger, and the daemon dying, or its disk failing, at each step between the dot and the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from tests.fakes import warm

from . import receiver, wreck
from .injected import Call, Victim, side_by_side

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]
SCRIPT = Path(receiver.__file__)
warm.SCRIPTS.add(str(SCRIPT))

STEPS = "access,openat,write,fsync,fdatasync,rename,unlink,mkdir,sendto"
ERRORS = ("ENOSPC", "EIO")
SIZES = [10, 100_000]
"""Octets of a message that goes with others, and of one that goes by itself."""

ReceiverAt = Callable[[Path], Victim]


@pytest.fixture(params=SIZES)
def receiver_at(request: pytest.FixtureRequest, tmp_path: Path) -> ReceiverAt:
    """``receiver_at(root)``: a message to a door in front of the spool at `root`."""
    return lambda root: Victim([sys.executable, SCRIPT, str(request.param), root], root / "trace")


def steps(receiver_at: ReceiverAt, root: Path) -> list[Call]:
    """The steps by which a message gets into the spool."""
    return receiver_at(wreck.prepared(root)).calls(STEPS)


def test_who_heard_250_has_his_message_kept(tmp_path: Path, receiver_at: ReceiverAt) -> None:
    """Killed before any step, there is the whole message, to both of its recipients, or nothing; and nobody was told 250."""

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}")
        said = receiver_at(root).die_at(call).out
        kept = wreck.messages(root)
        assert [*kept.values()] in ([], ["queued"]), call
        assert not said.startswith("250") or kept, call

    found = steps(receiver_at, tmp_path / "watched")
    assert {"fsync", "rename", "write"} <= {call.name for call in found}
    side_by_side(dies, found)


def test_a_disk_that_fails_is_said_to_the_client(tmp_path: Path, receiver_at: ReceiverAt) -> None:
    """Full or broken, wherever: he is told to come back, and nothing is left; or the message is there."""

    def fails(case: tuple[Call, str]) -> None:
        call, error = case
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}-{error}")
        done = receiver_at(root).fail_at(call, error)
        kept = wreck.messages(root)
        if done.out.startswith("250"):
            assert [*kept.values()] == ["queued"], case
        else:
            assert kept == {}, case
            assert done.out.startswith("452 4.3.1" if error == "ENOSPC" else "451 4.3.0"), (case, done)
            assert not any(root.joinpath("tmp").iterdir()), case

    root, wanted = tmp_path / "watched", ("openat", "write", "fsync", "rename")
    found = [call for call in steps(receiver_at, root) if call.name in wanted and str(root) in call.text]
    side_by_side(fails, product(found, ERRORS))
