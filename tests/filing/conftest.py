"""A letterbox for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from .letterbox import Letterbox


@pytest.fixture
def letterbox(tmp_path: Path) -> Letterbox:
    """See `Letterbox`."""
    return Letterbox(tmp_path)
