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
