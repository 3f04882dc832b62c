"""A message that another user put into ``drop/``: dying and failing at every system call of its adoption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import victim, wreck
from .injected import Call, Victim, refused, side_by_side

pytestmark = pytest.mark.peer("strace")
VictimAt = Callable[..., Victim]


def adopted_next_time(root: Path) -> None:
    """The next adoption finds the message queued once, and nothing left to adopt."""
    assert set(wreck.messages(root).values()) <= {"queued"}
    victim.again("adopt", root)
    assert list(wreck.messages(root).values()) == ["queued"]  # under an ID of ours: its own is of another day
    assert not any(root.joinpath("drop").iterdir())


def test_dying_anywhere_in_adopt_loses_nothing_and_doubles_nothing(tmp_path: Path, victim_at: VictimAt) -> None:
    """Killed before any of its system calls, the message is still to be adopted, or is queued; the next adoption finishes."""

    def dies(call: Call) -> None:
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}", "drop")
        victim_at("adopt", root).die_at(call)
        adopted_next_time(root)

    side_by_side(dies, victim_at("adopt", wreck.prepared(tmp_path / "watched", "drop")).calls())


def test_an_error_anywhere_in_adopt_loses_nothing_and_doubles_nothing(tmp_path: Path, victim_at: VictimAt) -> None:
    """An error of the machine is not held against the message: it is never set aside as corrupt, and is adopted next time."""

    def fails(case: tuple[Call, str]) -> None:
        call, error = case
        root = wreck.prepared(tmp_path / f"{call.name}-{call.nth}-{error}", "drop")
        victim_at("adopt", root).fail_at(call, error)
        adopted_next_time(root)

    side_by_side(fails, refused(victim_at("adopt", wreck.prepared(tmp_path / "watched", "drop")).calls(), {}))
