"""A door into an empty spool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.submit.door import Door


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)
