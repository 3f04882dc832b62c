"""The post office of these tests, and the pauses of its manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.queue import settle

from .post import Post


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """A post office with an empty spool."""
    return Post(tmp_path)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a disk does not take is tried again at once."""
    monkeypatch.setattr(settle, "PAUSE", 0.01)
