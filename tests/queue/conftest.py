"""The post office of these tests, and the pauses of its manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.queue import settle

from .post import Post


@pytest.fixture
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Post:
    """A post office with an empty spool, on files unless a test asks for another."""
    return Post(tmp_path, memory=getattr(request, "param", "files") == "memory")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a disk does not take is tried again at once."""
    monkeypatch.setattr(settle, "PAUSE", 0.01)
