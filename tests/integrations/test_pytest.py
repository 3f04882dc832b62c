"""The fixture `mailer_sink`, in a suite of somebody else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SUITE = """
import os, smtplib, subprocess, sys
import mailer

def test_both_ways(mailer_sink):
    to = {"to": "Ann <ann@example.net>", "bcc": "b@example.net"}
    mailer.queue(mailer.Email(from_="shop@example.com", **to, subject="Gr\u00fc\u00dfe", text="queued"))
    with smtplib.SMTP(mailer_sink.host, mailer_sink.port) as smtp:
        smtp.sendmail("x@example.com", ["y@example.net"], b"Subject: direct\\r\\n\\r\\nbody\\r\\n")
    direct, queued = mailer_sink.wait(1)
    assert (direct["Subject"], direct.sender, direct.recipients) == ("direct", "x@example.com", ("y@example.net",))
    assert (queued["Subject"], queued.get_content().strip()) == ("Gr\u00fc\u00dfe", "queued")
    assert queued.recipients == ("ann@example.net", "b@example.net")

def test_each_test_has_its_own(mailer_sink):
    assert mailer_sink.messages == []
    code = "import mailer; mailer.queue(b'From: a@b.example\\\\n\\\\nx', recipients='c@d.example')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [one.recipients for one in mailer_sink.messages] == [("c@d.example",)]

def test_without_it_nothing_is_changed():
    assert "MAILER_CONFIG" not in os.environ
"""

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_suite_of_somebody_else(tmp_path: Path) -> None:
    """What was sent by SMTP and what was queued is there as messages, with their envelopes; the next test has nothing of it."""
    (tmp_path / "test_shop.py").write_text(SUITE, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAILER", "PYTEST", "XDG"))}
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "mailer.integrations.pytest",
        str(tmp_path),
    ]
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=tmp_path, env={**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, "3 passed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.slow
def test_pytest_finds_it_and_imports_nothing_for_it() -> None:
    """By its entry point; a suite that does not use it pays for one file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"mailer": "mailer.integrations.pytest"}
    code = "import sys, pytest; before = {*sys.modules}; import mailer.integrations.pytest; print(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(done.stdout.split()) <= {"mailer", "mailer.integrations", "mailer.integrations.pytest", "__future__"}
