"""A sender of webhooks is killed a hundred times, and each event arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hooks.test_process import kills


@pytest.mark.timeout(1200)
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    """Each event at least once, under its ID, those of a message in order, each signed anew."""
    kills(tmp_path, 100)
