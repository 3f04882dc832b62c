"""The surroundings of commands: a home with a configuration and a spool of its own, and a spool with its status database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.home import WHOLE, Home
from tests.cli.terminal import Shell
from tests.status.office import Office

__all__ = ["WHOLE", "Home"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of its own."""
    return Home(tmp_path)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A spool and its status database, empty; no configuration of this machine is read."""
    monkeypatch.setattr("mailer.spool._last", 0)
    config = tmp_path / "config.toml"
    config.touch()
    monkeypatch.setenv("MAILER_CONFIG", str(config))
    office = Office(tmp_path)
    yield office
    office.close()


@pytest.fixture
def shell(office: Office, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands on that spool."""
    return Shell(office, capsys)
