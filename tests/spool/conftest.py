"""A spool in a scratch directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    return spool


@pytest.fixture
def drop(spool: Spool) -> Path:
    """The drop directory of a system-wide spool."""
    path = Path(spool.root, "drop")
    path.mkdir()
    path.chmod(0o1733)
    return path
