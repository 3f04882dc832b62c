"""Mailboxes as parts of the daemon: looked into side by side, trouble told once, waits that grow, and another configuration."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from mailer.config import Config
from mailer.config.sections.bounce import Bounce
from mailer.config.sections.report_source import ReportSource
from mailer.events import Alarm, Event, Mended
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.reports import component
from mailer.reports import maildir as mailbox
from mailer.reports.api import Facts, SettledReport
from mailer.reports.component import ReportSources, ReportSweep
from mailer.reports.files import FileReports
from mailer.reports.memory import MemoryReports

from .servers import LETTER, FakePop3, listening, make_maildir, ndr


def maildir(path: Path, name: str = "box", **more: Any) -> ReportSource:
    return ReportSource(name=name, kind="maildir", path=str(path), poll=0.01, max_report=100_000, **more)


def config(*sources: ReportSource) -> Config:
    return Config(bounce=Bounce(address="bounces@example.com"), report_sources=sources)


class Watched:
    """The component, what it tells, and how long it sleeps."""

    def __init__(self, given: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[Event] = []
        self.slept: list[float] = []
        self.reports = MemoryReports()
        self.arrivals = 0
        self.part = ReportSources(given, self.reports, self.told.append, SystemClock(), self._arrived, lambda: 1.0)
        self._rest = real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            await real(0.01)

        monkeypatch.setattr(component.asyncio, "sleep", sleep)

    def _arrived(self) -> None:
        self.arrivals += 1

    @property
    def alarms(self) -> list[Alarm]:
        return [event for event in self.told if isinstance(event, Alarm)]

    async def until(self, asked: Any) -> None:
        """Wait until it is so."""
        for _ in range(3000):
            if asked():
                return
            await self._rest(0.01)
        raise AssertionError("it never came to that")


def test_what_comes_is_taken_and_whoever_acts_upon_it_is_rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again, at the next look."""
    path = make_maildir(tmp_path / "box", ndr(1))

    async def scenario() -> None:
        watched = Watched(config(maildir(path)), monkeypatch)
        await watched.part.start()
        await watched.until(lambda: watched.arrivals == 1)
        (path / "new" / "later").write_bytes(ndr(2))
        await watched.until(lambda: watched.arrivals == 2)
        await watched.part.stop(1.0)
        assert len(await watched.reports.waiting(10)) == 2
        assert watched.alarms == []

    asyncio.run(scenario())


def test_letters_without_end_are_not_read_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more letters than are remembered some are always new: after as many looks in vain there is a rest."""
    path = make_maildir(tmp_path / "box", *(LETTER + b"%d\r\n" % number for number in range(9)))
    monkeypatch.setattr(mailbox, "A_LOOK", 1)
    monkeypatch.setattr(mailbox, "REMEMBERED", 3)
    monkeypatch.setattr(component, "IN_VAIN", 3)

    async def scenario() -> None:
        watched = Watched(config(maildir(path)), monkeypatch)
        await watched.part.start()
        await watched.until(lambda: len(watched.slept) > 2)
        (path / "new" / "0").write_bytes(ndr(1))
        os.utime(path / "new" / "0", (1, 1))
        await watched.until(lambda: watched.arrivals)
        await watched.part.stop(1.0)

    asyncio.run(scenario())


def test_trouble_is_an_alarm_that_ends_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits grow from a minute to half an hour."""
    good = make_maildir(tmp_path / "good")

    async def scenario() -> None:
        watched = Watched(config(maildir(tmp_path / "bad", "bad"), maildir(good, "good")), monkeypatch)
        await watched.part.start()
        await watched.until(lambda: len(watched.alarms) > 7)
        (good / "new" / "x").write_bytes(ndr(1))
        await watched.until(lambda: watched.arrivals)
        assert {(alarm.what, alarm.key) for alarm in watched.alarms} == {("mailbox", "bad")}
        assert [wait for wait in watched.slept if wait > 1][:7] == [60.0, 120.0, 240.0, 480.0, 960.0, 1800.0, 1800.0]
        make_maildir(tmp_path / "bad")
        await watched.until(lambda: any(isinstance(event, Mended) and event.key == "bad" for event in watched.told))
        await watched.part.stop(1.0)

    asyncio.run(scenario())


def test_a_message_that_is_too_large_is_an_alarm_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox is well."""
    path = make_maildir(tmp_path / "box", ndr(1) + b"x" * 100_000)

    async def scenario() -> None:
        watched = Watched(config(maildir(path)), monkeypatch)
        await watched.part.start()
        await watched.until(lambda: watched.alarms)
        assert watched.alarms[0].key == "box larger"
        await watched.part.stop(1.0)

    asyncio.run(scenario())


def test_a_new_configuration_ends_what_is_asked_for_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a look, too; what is as it was goes on."""
    path = make_maildir(tmp_path / "box")
    fake = FakePop3([ndr(1)])

    async def hanging(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with listening(hanging) as port:
            source = ReportSource(
                name="pop", kind="pop3", host="127.0.0.1", port=port, tls="none", username="me", password_env="NONE", done="delete"
            )
            watched = Watched(config(maildir(path), source), monkeypatch)
            await watched.part.start()
            kept = watched.part._tasks["box"][1]
            with watched.part.reload(config(maildir(path))):
                pass
            assert watched.part._tasks.keys() == {"box"}
            assert watched.part._tasks["box"][1] is kept
            with watched.part.reload(config(maildir(path, done="delete"))):
                pass
            assert watched.part._tasks["box"][1] is not kept
            await watched.part.stop(1.0)
        assert fake.said == []

    asyncio.run(scenario())


def test_what_was_settled_long_ago_goes_while_the_clock_is_believed(tmp_path: Path) -> None:
    """Not before."""

    async def scenario() -> None:
        reports = FileReports(f"{tmp_path}/spool")
        (id,) = await reports.take_all([(b"x", Facts("stdin"))])
        await reports.settle([SettledReport(id, "done", {})])
        clock = SystemClock(wall=lambda: 4e9)
        believed: list[bool] = []
        sweep = ReportSweep(config(), reports, clock, Chores(lambda _: None, lambda _: None), lambda: bool(believed))
        await sweep._sweep()
        assert await reports.load([id])
        believed.append(True)
        await sweep._sweep()
        assert await reports.load([id]) == []
        reports.close()

    asyncio.run(scenario())
