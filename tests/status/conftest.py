"""The post office of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.status.office import Office


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A spool and its status database, empty; IDs are as old as a test wants them."""
    monkeypatch.setattr("mailer.spool._last", 0)
    office = Office(tmp_path)
    yield office
    office.close()


@pytest.fixture(params=[False, True], ids=["sqlite", "memory"])
def either(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """As `office`, with each implementation of the status."""
    monkeypatch.setattr("mailer.spool._last", 0)
    office = Office(tmp_path, memory=request.param)
    yield office
    office.close()
