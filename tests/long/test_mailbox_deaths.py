"""A mailbox that is struck at each call that it makes, also at each of the many by which pages are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import test_mailbox as box
from tests.crash import test_sealing as sealing
from tests.crash.injected import Victim
from tests.crash.test_mailbox import template, victim

__all__ = ["template", "victim"]  # fixtures

pytestmark = pytest.mark.peer("strace")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("strike", [box.dying_at, box.failing_at], ids=["dying", "failing"])
@pytest.mark.parametrize("operation", [*box.OPERATIONS, *box.ALIKE])
def test_a_mailbox_is_whole(tmp_path: Path, victim: Callable[[str, str], Victim], operation: str, strike: Callable[..., None]) -> None:
    """Killed, or told an error, at any call."""
    strike(box.struck(victim, operation), tmp_path, victim, operation)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("strike", [sealing.dying_at, sealing.failing_at], ids=["dying", "failing"])
@pytest.mark.parametrize("act", [*sealing.ACTS, "off"])
def test_what_is_sealed_is_whole(tmp_path: Path, act: str, strike: Callable[..., None]) -> None:
    """Killed, or told an error, at any call."""
    strike(sealing.struck(act, tmp_path / "watched"), tmp_path, act)
