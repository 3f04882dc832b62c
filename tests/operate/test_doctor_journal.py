"""What the doctor says of the journal."""

from __future__ import annotations

import time
from asyncio import run
from math import inf
from pathlib import Path

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config import Config
from mailer.config.file import config_of
from mailer.journal.api import JournalEvent
from mailer.journal.files import FileJournal
from mailer.operate.doctor import journal

QUEUE = '[amqp]\nurl_file = "/nowhere/url"\nevents = "mailer.events"\n'


def config_at(path: Path, more: str = QUEUE) -> Config:
    """A spool below `path`."""
    return config_of(str(path / "config.toml"), f'[mailer]\nspool = "{path}"\n{more}'.encode())


def looked(path: Path, more: str = QUEUE) -> list[tuple[str, str]]:
    """How each finding counts, and what it says."""
    found: list[Finding] = run(journal.journal(config_at(path, more)))
    return [(each.result, each.evidence) for each in found]


def filled(path: Path, ago: float, size: int = 1 << 24) -> FileJournal:
    """Ten events of so long ago, of which the message queue has had the first."""

    async def fill() -> FileJournal:
        kept = FileJournal(str(path / "journal"), size=size)
        at = time.time() - ago
        told = [(await kept.append([JournalEvent("", at, "delivered", to=f"r{nth}@x.example")]))[0] for nth in range(10)]
        await kept.move("amqp", told[0].id)
        return kept

    return run(fill())


def test_where_nobody_subscribes_nothing_is_said(tmp_path: Path) -> None:
    """Unless somebody did."""
    assert looked(tmp_path, "") == []
    filled(tmp_path, 0)
    [(verdict, text)] = looked(tmp_path, "")
    assert verdict == PASS
    assert text.endswith("nobody subscribes any more")


def test_who_is_a_little_behind_is_well(tmp_path: Path) -> None:
    """What happened within the hour is on its way."""
    filled(tmp_path, 60)
    [(verdict, text)] = looked(tmp_path)
    assert (verdict, text.startswith("keeps 10 events in ")) == (PASS, True)


def test_who_is_far_behind_is_named(tmp_path: Path) -> None:
    """With how many events, and how old."""
    filled(tmp_path, 3 * 3600)
    assert looked(tmp_path)[1:] == [(WARN, "amqp is 9 events behind, the oldest 3 h old")]


def test_who_has_lost_events_is_named(tmp_path: Path) -> None:
    """That cannot be put right any more."""
    run(filled(tmp_path, 60, 300).keep(inf, 1000, ["amqp"]))
    [(verdict, text)] = looked(tmp_path)[1:]
    assert verdict == FAIL
    assert text.startswith("amqp has lost ")


def test_a_journal_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """With what to look at."""
    (tmp_path / "journal").write_text("no directory")
    [(verdict, text)] = looked(tmp_path)
    assert verdict == FAIL
    assert text.startswith("cannot be read: Not a directory")
