"""A report that a user's pipe brings, over the socket of the daemon: as large as a message may be, and from whoever calls."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.intake.handlers import Handlers
from mailer.operate import reports as operate
from mailer.reports import files
from mailer.reports.api import Facts, report_id
from mailer.spool.api import Reserve
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.handover import ask
from mailer.spool.files.store import SpoolDirectory

from .test_socket import LIMITS, running

LARGE = b"Subject: gone\r\n\r\n" + b"x" * 300_000 + b"\r\n"


def test_what_a_user_may_not_write_the_daemon_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question of this kind may be as long as one that hands mail in."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    handlers = Handlers(spool, IntakeTerms(1_000_000, 10), lambda _: None)
    with running(Path(spool.root), LIMITS._replace(largest=400_000), handlers.answer):
        facts = Facts("stdin", "bounces+x@example.com")
        assert ask(spool.root, "bounce", facts.as_line() + LARGE)[0] == report_id(LARGE)
        monkeypatch.setattr(operate.files, "take", _refused)
        assert operate.ingest(spool.root, LARGE + b"!", facts, Reserve(0, 0)) == report_id(LARGE + b"!")
    loaded = files.load(spool.root, report_id(LARGE + b"!"))
    assert loaded is not None
    assert loaded.content == LARGE + b"!"
    assert loaded.facts.peer == f"unix:{os.getuid()}"


def _refused(*_: object, **__: object) -> str:
    raise PermissionError(13, "Permission denied")
