"""The suppression list, and whoever changes it dying at each system call: a change is there as a whole or not at all."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from mailer.suppression.sqlite import SqliteSuppression, health

from . import leaver
from .injected import Call, Victim, side_by_side

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]

STRUCK = frozenset(("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "link", "unlink", "rename"))
"""The calls that change anything on a disk."""

State = tuple[list[object], list[object]]


def state(root: Path, act: str = "") -> State:
    """The entries and the log, after `act` if there is one."""

    async def seen() -> State:
        entries = SqliteSuppression(str(root))
        try:
            if act:
                await leaver.change(entries, act)
            lines = [line for line in await entries.log() if line.before != line.after]
            return [*await entries.listing()], [(line.act, line.address, line.before, line.after) for line in lines]
        finally:
            await entries.close()

    return asyncio.run(seen())


@pytest.mark.parametrize("act", ["make", "add", "remove", "import"])
def test_dying_anywhere_in_a_change_leaves_all_of_it_or_none(tmp_path: Path, act: str) -> None:
    """What was said to be done is; and whoever does it again ends where one who was never disturbed does."""
    started, whole = tmp_path / "started", tmp_path / "whole"
    started.mkdir()
    leaver.before(started, act)
    shutil.copytree(started, whole)
    old, new = state(whole), state(whole, act)
    assert old != new

    def victim(root: Path) -> Victim:
        shutil.copytree(started, root)
        return Victim([sys.executable, "-B", leaver.__file__, act, root], root.with_suffix(".trace"))

    calls = [call for call in victim(tmp_path / "watched").calls() if call.name in STRUCK and "<stdout>" not in call.text]
    assert {call.name for call in calls} & {"fsync", "fdatasync"}, "nothing was synced"

    def dies(call: Call) -> None:
        root = tmp_path / f"{call.name}-{call.nth}"
        assert victim(root).die_at(call).out == "" or state(root) == new, call
        assert health(str(root)).trouble == "", call
        assert state(root) in (old, new), call
        if act != "remove" or state(root) == old:
            assert state(root, act) == new, call

    side_by_side(dies, calls)
