"""The journals of these tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.journal.api import Journal
from mailer.journal.files import FileJournal
from mailer.journal.memory import MemoryJournal
from tests.fakes.mail import FakeClock

SEGMENT = 2000  # bytes, which is a few events


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the writer."""
    return FakeClock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a journal is kept."""
    return tmp_path / "journal"


@pytest.fixture(params=["files", "memory"])
def journal(request: pytest.FixtureRequest, directory: Path, clock: FakeClock) -> Journal:
    """An empty journal of each kind; segments are small."""
    return MemoryJournal(clock.now) if request.param == "memory" else FileJournal(str(directory), clock.now, SEGMENT)


@pytest.fixture
def opened(directory: Path, clock: FakeClock) -> Callable[[], FileJournal]:
    """Opens the journal on the disk, as one process more would."""
    return lambda: FileJournal(str(directory), clock.now, SEGMENT)
