"""Reports are kept alike wherever they are: in a spool on a disk, and in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.reports.api import Facts, ReportRow, Reports, SettledReport, report_id
from mailer.reports.files import FileReports, latest
from mailer.reports.memory import MemoryReports

STDIN = Facts("stdin", at=1_700_000_000.0)
FULL = Facts("box", "bounces+X@example.com", "mailer-daemon@example.net", "192.0.2.1", "TLSv1.3", 1_700_000_000.5)


@pytest.fixture(params=["files", "memory"])
def reports(request: pytest.FixtureRequest, tmp_path: Path) -> Reports:
    if request.param == "memory":
        return MemoryReports()
    return FileReports(f"{tmp_path}/spool")


def rows(reports: Reports) -> list[ReportRow]:
    """All that is kept, in the order of IDs."""
    if isinstance(reports, MemoryReports):
        return reports.rows
    assert isinstance(reports, FileReports)
    return sorted(latest(reports.root), key=lambda row: row.id)


def done(id: str, **note: object) -> SettledReport:
    return SettledReport(id, "done", note)


def test_what_was_taken_waits_and_is_loaded(reports: Reports) -> None:
    """With its octets as they came, whatever they are, and all that is known of how."""

    async def scenario() -> None:
        assert await reports.waiting(10) == []
        contents = [b"", b"\x00\xff\n\r", b"From: x\r\n\r\nhello\r\n", b"\n{}\n"]
        ids = [await reports.take(content, FULL) for content in contents]
        assert await reports.waiting(10) == sorted(ids)
        loaded = await reports.load(ids)
        assert [(each.id, each.facts, each.content) for each in loaded] == [(id, FULL, c) for id, c in zip(ids, contents, strict=True)]

    asyncio.run(scenario())


def test_the_same_octets_are_the_same_report(reports: Reports) -> None:
    """Whoever brings them, in whatever state it is, within one handful, too; the facts of the first count."""

    async def scenario() -> None:
        first = await reports.take(b"report", STDIN)
        assert first == report_id(b"report")
        assert await reports.take_all([(b"report", FULL), (b"other", FULL), (b"other", STDIN)]) == [first, *[report_id(b"other")] * 2]
        assert len(await reports.waiting(10)) == 2
        for state in ("done", "unmatched"):
            await reports.settle([SettledReport(first, state, {})])  # type: ignore[arg-type]
            assert await reports.take(b"report", FULL) == first
            assert await reports.waiting(10) == [report_id(b"other")]
        (loaded,) = await reports.load([first])
        assert loaded.facts == STDIN

    asyncio.run(scenario())


def test_what_waits_is_given_in_parts(reports: Reports) -> None:
    """In the order of IDs, each from behind the last."""

    async def scenario() -> None:
        ids = sorted(await reports.take_all([(b"%d" % number, STDIN) for number in range(7)]))
        assert await reports.waiting(3) == ids[:3]
        assert await reports.waiting(3, ids[2]) == ids[3:6]
        assert await reports.waiting(3, ids[6]) == []

    asyncio.run(scenario())


def test_what_is_settled_is_listed_with_its_note(reports: Reports) -> None:
    """The last note counts; settling twice, and what is gone, harm nothing."""

    async def scenario() -> None:
        ids = sorted(await reports.take_all([(b"%d" % number, FULL) for number in range(5)]))
        await reports.settle([done(ids[0], why="a\nb"), SettledReport(ids[1], "unmatched", {"kind": "bounce"}), done("0" * 26)])
        await reports.settle([done(ids[0], why="again", to=["x"])])
        found = rows(reports)
        assert [(row.id, row.state, row.note) for row in found[:3]] == [
            (ids[0], "done", {"why": "again", "to": ["x"]}),
            (ids[1], "unmatched", {"kind": "bounce"}),
            (ids[2], "new", {}),
        ]
        assert (found[0].size, found[0].facts) == (1, FULL)
        assert [row.id for row in found[3:]] == ids[3:]
        assert {each.id for each in await reports.load(ids)} == set(ids)

    asyncio.run(scenario())


def test_only_what_is_settled_goes(reports: Reports) -> None:
    """When it was settled longer ago than the retention; what nobody has acted upon stays for ever."""

    async def scenario() -> None:
        old, new = await reports.take_all([(b"old", STDIN), (b"new", STDIN)])
        await reports.settle([done(old)])
        assert await reports.sweep(0.0, 3600.0) == 0
        assert await reports.sweep(4e9, 3600.0) == 1
        assert await reports.load([old]) == []
        assert await reports.waiting(10) == [new]

    asyncio.run(scenario())
