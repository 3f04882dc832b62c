"""A journal on a disk: segments, torn ends, several processes, and a disk that fails."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import sys
from asyncio import run
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest

from mailer.io import durable
from mailer.journal import segment
from mailer.journal.files import FileJournal
from mailer.spool import put_at
from tests.fakes.mail import FakeClock

from .lines import everything, several, who

Opened = Callable[[], FileJournal]


def paths(directory: Path) -> list[Path]:
    """The segments, oldest first."""
    return sorted(directory.glob("*.jsonl"))


def test_segments_are_named_by_their_first_event(opened: Opened, directory: Path) -> None:
    """They are private, and begin where the one before was full."""

    async def scenario() -> None:
        journal = opened()
        for nth in range(40):
            await journal.append(several(1, nth))
        ids = [event.id for event in await everything(journal)]
        found = paths(directory)
        assert len(found) > 3
        assert {path.stem for path in found} < set(ids)
        assert found[0].stem == ids[0]
        assert all(2000 <= path.stat().st_size < 3000 for path in found[:-1])
        assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        await journal.close()

    run(scenario())


def test_another_process_reads_what_is_written(opened: Opened, directory: Path) -> None:
    """It waits until there is something."""

    async def scenario() -> None:
        journal = opened()
        await journal.append(several(3))
        program = (
            "import asyncio, sys\n"
            "from mailer.journal.files import FileJournal\n"
            "async def main():\n"
            "    journal = FileJournal(sys.argv[1])\n"
            "    after = await journal.last()\n"
            "    print('waits', flush=True)\n"
            "    await journal.wait(after)\n"
            "    print(*[event.to for event in await journal.read(after)])\n"
            "    await journal.move('other', await journal.last())\n"
            "asyncio.run(main())\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, directory], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert await asyncio.to_thread(process.stdout.readline) == "waits\n"
            told = await journal.append(several(1, 3))
            assert await asyncio.to_thread(process.stdout.read) == "r3@example.net\n"
        assert await journal.cursors() == {"other": told[0].id}

    run(scenario())


@pytest.mark.parametrize("torn", [b'{"id":"01', b"\0" * 5000, b"x" * 300_000, b""], ids=["line", "zeros", "long", "nothing"])
def test_what_a_crash_has_torn_reads_as_not_written(opened: Opened, directory: Path, torn: bytes) -> None:
    """Readers do not see it, and the next writer cuts it off."""

    async def scenario() -> None:
        told = await opened().append(several(5))
        before = paths(directory)[-1].read_bytes()
        paths(directory)[-1].write_bytes(before + torn)
        assert who(await everything(opened())) == [*range(5)]
        assert await opened().last() == told[-1].id
        after = await opened().append(several(3, 5))
        assert after[0].id > told[-1].id
        assert who(await everything(opened())) == [*range(8)]
        assert b"".join(path.read_bytes() for path in paths(directory)).startswith(before + b'{"id":"')

    run(scenario())


@pytest.mark.slow
def test_every_end_of_a_batch_can_be_torn(opened: Opened, directory: Path) -> None:
    """Whole lines of it are there, the others not, and what is written after that stands on lines of its own."""

    async def scenario() -> None:
        await opened().append(several(2))
        [path] = paths(directory)
        whole = path.read_bytes()
        edges = [at for end in (whole.index(b"\n"), len(whole) - 1) for at in range(end - 3, end + 2)]
        for length in sorted({*range(0, len(whole), 29), *edges}):
            path.write_bytes(whole[:length])
            left = [*range(whole[:length].count(b"\n"))]
            assert who(await everything(opened())) == left
            await opened().append(several(1, 9))
            assert who(await everything(opened())) == [*left, 9]
            for other in paths(directory)[1:]:
                other.unlink()

    run(scenario())


def test_a_line_in_the_middle_that_is_damaged_is_passed_over(opened: Opened, directory: Path) -> None:
    """Whatever became of it: all others are found, wherever one goes on."""

    async def scenario() -> None:
        told = await opened().append(several(2000))
        [path] = paths(directory)
        lines = path.read_bytes().splitlines(keepends=True)
        for nth in (0, 3, 999, 1000, 1001, 1500, 1999):
            lines[nth] = [b"\n", b"\xff\xfe\n", b"{}\n", lines[nth][:50] + b"\n", b"y" * 300_000 + b"\n"][nth % 5]
        path.write_bytes(b"".join(lines))
        left = [nth for nth in range(2000) if nth not in (0, 3, 999, 1000, 1001, 1500, 1999)]
        assert who(await everything(opened(), limit=500)) == left
        for nth in (0, 2, 998, 999, 1000, 1498, 1998):
            assert who(await opened().read(told[nth].id, 1)) == [each for each in left if each > nth][:1]
        assert await opened().last() == told[1998].id

    run(scenario())


@pytest.mark.slow
def test_any_place_in_a_large_segment_is_found(directory: Path, clock: FakeClock) -> None:
    """By halving, among lines of all lengths."""

    async def scenario() -> None:
        journal = FileJournal(str(directory), clock.now)
        told = await journal.append([event._replace(reply="x" * (nth * 7919 % 2000)) for nth, event in enumerate(several(3000))])
        assert len(paths(directory)) == 1
        for nth in range(0, 2999, 37):
            assert who(await FileJournal(str(directory)).read(told[nth].id, 1)) == [nth + 1]
        with open(paths(directory)[0], "rb") as file:
            ends = [segment.after(file.fileno(), event.id) for event in told]
        assert ends == sorted(set(ends))
        assert ends[-1] == paths(directory)[0].stat().st_size
        assert (await journal.read(told[0].id, 3000))[-1].id < told[-1].id, "a page has a bound in bytes"

    run(scenario())


def test_a_reader_bears_that_the_end_is_cut_back_under_it(opened: Opened, directory: Path) -> None:
    """The writer took back what was not synced, and wrote something else there."""

    async def scenario() -> None:
        told = await opened().append(several(3))
        [path] = paths(directory)
        kept = path.read_bytes()
        extra = told[-1]._replace(id=told[-1].id[:-1] + "Z", to="r77@example.net", reply="later taken back").as_line()
        path.write_bytes(kept + extra)
        reader = opened()
        seen = await everything(reader)
        assert who(seen) == [0, 1, 2, 77]
        path.write_bytes(kept)
        assert await reader.read(seen[-1].id) == []
        await opened().append(several(4, 3))
        assert who(await everything(reader, told[-1].id)) == [3, 4, 5, 6]
        assert [event for event in await everything(reader, seen[-1].id) if event.id <= seen[-1].id] == []

    run(scenario())


class Disk:
    """A disk of which one call fails, a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.left = 0
        real = getattr(os, name)

        def call(*given: object, **more: object) -> object:
            if self.left and sys._getframe(1).f_globals["__name__"] in ("mailer.journal.writer", "mailer.io.durable"):
                self.left -= 1
                if name == "write":
                    real(given[0], bytes(given[1])[:40])  # type: ignore[call-overload]
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*given, **more)

        monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("name", ["write", "fdatasync", "fsync", "open"])
@pytest.mark.parametrize("begun", [0, 1, 30])
def test_a_disk_that_fails_leaves_no_line_and_no_gap(opened: Opened, monkeypatch: pytest.MonkeyPatch, name: str, begun: int) -> None:
    """The batch is there once, when it was written again."""
    disk = Disk(monkeypatch, name)

    async def scenario() -> None:
        journal = opened()
        for nth in range(begun):
            await journal.append(several(1, nth))
        if begun == 30:
            await journal.append(several(20, 100))  # the segment is full: the next batch begins another one
        before = who(await everything(journal))
        disk.left = 1
        try:
            await journal.append(several(5, 50))
        except OSError:
            assert who(await everything(opened())) == before
            assert not disk.left
            await journal.append(several(5, 50))
        disk.left = 0
        assert who(await everything(opened())) == [*before, *range(50, 55)]
        await journal.append(several(1, 60))
        events = await everything(opened())
        assert who(events) == [*before, *range(50, 55), 60]
        assert [event.id for event in events] == sorted({event.id for event in events})

    run(scenario())


def test_after_a_sync_that_failed_another_segment_is_begun(opened: Opened, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what the disk has of the one before, and a second sync would say yes to pages that were thrown away."""
    disk = Disk(monkeypatch, "fdatasync")

    async def scenario() -> None:
        journal = opened()
        await journal.append(several(1))
        disk.left = 1
        with pytest.raises(OSError, match="No space"):
            await journal.append(several(1, 1))
        await journal.append(several(1, 1))
        assert len(paths(directory)) == 2
        assert who(await everything(journal)) == [0, 1]

    run(scenario())


def test_a_directory_that_somebody_has_removed_is_made_again(opened: Opened, directory: Path) -> None:
    """What is written after that is there; nothing is written to files without a name."""

    async def scenario() -> None:
        journal = opened()
        await journal.append(several(2))
        for path in paths(directory):
            path.unlink()
        directory.rmdir()
        await journal.append(several(2, 2))
        assert who(await everything(opened())) == [2, 3]

    run(scenario())


def test_what_a_cursor_says_is_synced(opened: Opened, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, then its name; what a crash left beside it is nobody's cursor."""
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)

    async def scenario() -> None:
        [event] = await opened().append(several(1))
        (directory / "cursors").mkdir()
        (directory / "cursors" / ".amqp.new").write_bytes(b"torn")
        (directory / "cursors" / "bad").write_bytes(b"nonsense\n")
        synced.clear()
        await opened().move("amqp", event.id)
        assert synced == [str(directory / "cursors")]
        assert (directory / "cursors" / "amqp").read_bytes() == event.id.encode() + b"\n"
        assert await opened().cursors() == {"amqp": event.id}
        assert sorted(os.listdir(directory / "cursors")) == ["amqp", "bad"]

    run(scenario())


def test_nothing_but_segments_is_read(opened: Opened, directory: Path) -> None:
    """Names that are none of ours are left alone."""

    async def scenario() -> None:
        directory.mkdir()
        (directory / "notes.jsonl").write_text("{}\n")
        (directory / "00000000000000000000000000.txt").write_text("{}\n")
        await opened().append(several(1))
        assert who(await everything(opened())) == [0]
        await opened().keep(0.0, 0, ())
        assert len(os.listdir(directory)) == 3

    run(scenario())


def test_what_is_lost_is_counted_before_it_is_deleted(opened: Opened, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not take the count keeps the events."""

    async def scenario() -> None:
        journal = opened()
        told = [(await journal.append([event]))[0] for event in several(40)]
        await journal.move("amqp", told[0].id)
        (directory / "lost").mkdir()
        with pytest.raises(OSError, match="directory"):
            await journal.keep(inf, 4000, ["amqp"])
        assert len(await everything(journal)) == 40

    run(scenario())


def test_a_segment_that_goes_while_it_is_read_is_passed_over(opened: Opened, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention is another process."""

    async def scenario() -> None:
        journal = opened()
        for nth in range(40):
            await journal.append(several(1, nth))
        names = segment.names(str(directory))
        monkeypatch.setattr(segment, "names", lambda _: names)
        paths(directory)[1].unlink()
        found = who(await everything(opened(), limit=100))
        assert found[0] == 0
        assert found[-1] == 39
        assert len(found) < 40
        assert (await opened().held()).events == len(found)
        assert put_at(names[0]) == pytest.approx((await opened().held()).since)

    run(scenario())
