"""What to type for an extra that is missing: by the way the program came."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mailer.io import extras
from mailer.io.extras import installing


def test_by_pip_of_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of README."""
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert installing("otel") == "pip install 'mailer-mta[otel]'"
    assert installing("otel", newer=True) == "pip install -U 'mailer-mta[otel]'"


def test_by_the_pip_of_a_virtual_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its own one, for the shell that reads this may be in none; where it has none, whatever is called pip."""
    home = tmp_path / "a b"
    monkeypatch.setattr(sys, "prefix", str(home))
    assert installing("web") == "pip install 'mailer-mta[web]'"
    (home / "bin").mkdir(parents=True)
    (home / "bin/pip").write_text("#!/bin/sh\n")
    os.chmod(home / "bin/pip", 0o755)
    assert installing("web") == f"'{home}/bin/pip' install 'mailer-mta[web]'"


def test_in_the_package_and_in_the_image_nothing_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where something is all the same, what brought it brings it back: pip is in neither."""
    monkeypatch.setattr(sys, "prefix", extras.PACKAGED)
    monkeypatch.setattr(extras, "OF_DEBIAN", str(tmp_path / "mailer-mta.list"))
    assert "packaging/Containerfile" in installing("amqp")
    (tmp_path / "mailer-mta.list").touch()
    assert installing("amqp") == "apt-get install --reinstall mailer-mta"
