"""A spool in a scratch directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.spool.files.store import SpoolDirectory


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    """An empty spool."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    return spool


@pytest.fixture
def drop(spool: SpoolDirectory) -> Path:
    """The drop directory of a system-wide spool."""
    path = Path(spool.root, "drop")
    path.mkdir()
    path.chmod(0o1733)
    return path
