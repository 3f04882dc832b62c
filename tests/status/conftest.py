"""The post office of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.spool.files import layout
from tests.status.office import Office


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A spool and its status database, empty; IDs are as old as a test wants them."""
    monkeypatch.setattr(layout, "_last", 0)
    office = Office(tmp_path)
    yield office
    office.close()
