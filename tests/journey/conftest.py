"""The world, one for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A host of one's own; whatever was started in it is stopped at the end."""
    made = World(tmp_path)
    try:
        yield made
    finally:
        made.close()
