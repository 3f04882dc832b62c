"""What is told of drop/: a line for each user, however much he left there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mailer.intake import adoption
from mailer.intake.adoption import QUIET, Adoption, Refusals
from mailer.io.clock import SystemClock
from mailer.spool.files import layout
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.pickup import Adopted, Renamed
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import envelope, spool_file


def found(**more: dict[int, int]) -> Adopted:
    """What a pass found of users, with a reason for each."""
    done = Adopted()
    for name, counts in more.items():
        getattr(done, name).update(counts)
        done.why.update((uid, "x: it is no regular file") for uid in counts)
    return done


def test_a_user_is_told_of_in_one_line() -> None:
    """How much was deleted and how much is left, and why for one of them."""
    refusals = Refusals()
    refusals.add(found(deleted={1000: 19_999, 1001: 1}, left={1000: 2}))
    refusals.add(found(deleted={1000: 1}, left={1000: 2}))
    assert refusals.lines(0.0) == [
        "user 1000 left in drop/ what cannot be taken as it is: 20000 deleted and 2 left there; x: it is no regular file",
        "user 1001 left in drop/ what cannot be taken as it is: 1 deleted; x: it is no regular file",
    ]
    assert refusals.lines(QUIET) == []


def test_a_user_who_goes_on_fills_no_log() -> None:
    """A line a minute, and another user does not wait for it; nothing is left out of the count."""
    refusals = Refusals()
    refusals.add(found(deleted={1000: 1}))
    assert len(refusals.lines(0.0)) == 1
    for at in range(5):
        refusals.add(found(deleted={1000: 10}))
        assert refusals.lines(at) == []
    refusals.add(found(deleted={1001: 1}))
    assert ["user 1001" in line for line in refusals.lines(QUIET - 1)] == [True]
    (line,) = refusals.lines(QUIET)
    assert "50 deleted" in line


def test_an_id_of_ours_is_told() -> None:
    """In the same line: under which the user left his message, and what it is called now."""
    refusals = Refusals()
    done = Adopted()
    done.renamed = [Renamed("0" * 26, 1000, "01" + "A" * 24), Renamed("0" * 25 + "1", 1000, "01" + "B" * 24)]
    refusals.add(done)
    (line,) = refusals.lines(0.0)
    assert line.startswith("user 1000 ")
    assert f"2 taken under another ID; {'0' * 26} says another time" in line
    assert line.endswith(f"is {'01' + 'A' * 24} now")
    assert refusals.lines(QUIET) == []


def test_what_is_left_is_told_once() -> None:
    """Each pass finds it again; only more of it is news."""
    refusals = Refusals()
    told = []
    for at, count in enumerate((2, 2, 1, 1, 5, 5)):
        refusals.add(found(left={1000: count}))
        told += refusals.lines(at * QUIET)
    assert [line.partition(": ")[2][:12] for line in told] == ["2 left there", "5 left there"]


# When drop/ is looked at


class Drop:
    """A spool with ``drop/``; how often somebody looked what is there, and what was adopted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spool = SpoolDirectory(str(root))
        self.spool.prepare()
        layout.share(self.spool.root)
        self.path = root / "drop"
        self.looks = 0
        self.found: list[str] = []
        self.adoption = Adoption(self.spool, lambda: IntakeTerms(10_000, 10), SystemClock(), self.found.extend, lambda _: None)
        scandir = os.scandir

        def counted(path: str) -> object:
            self.looks += path == str(self.path)
            return scandir(path)

        monkeypatch.setattr("mailer.spool.files.drop.os.scandir", counted)

    def leave(self, at: float) -> str:
        letter = envelope(at=at)
        path = self.path / letter.id
        path.write_bytes(spool_file(letter))
        path.chmod(0o600)
        return letter.id

    def leave_empty(self, count: int) -> None:
        for nth in range(count):
            self.path.joinpath(f"empty{nth}").touch()

    @property
    def left(self) -> int:
        return len(os.listdir(self.path))


@pytest.fixture
def drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drop:
    monkeypatch.setattr(adoption, "ROUND", 10)
    return Drop(tmp_path / "spool", monkeypatch)


def test_many_files_are_taken_in_rounds_and_not_looked_for_in_each(drop: Drop) -> None:
    """To look takes as long as there are files; what is left of one look is for the next rounds. By a pass and by a daemon."""
    drop.leave_empty(300)
    drop.adoption.now()
    assert (drop.left, drop.looks) == (0, 1)

    async def daemon() -> None:
        drop.leave_empty(300)
        drop.adoption.scan()
        while drop.left:
            await asyncio.sleep(0.001)
        await drop.adoption.close()

    asyncio.run(asyncio.wait_for(daemon(), 60))
    assert drop.looks == 2


def test_what_came_behind_a_look_is_found_by_the_next(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who asks for a look while the files of another are taken gets one when these are through; at once, if he knows its name."""
    came: list[str] = []
    take = adoption.adopt

    def meanwhile(*arguments: object, **more: object) -> Adopted:
        done = take(*arguments, **more)  # type: ignore[arg-type]
        if not came:
            came.extend(drop.leave(1_700_000_000.0) for _ in range(2))
            loop.call_soon_threadsafe(drop.adoption.scan)
            loop.call_soon_threadsafe(drop.adoption.rung, came[:1])
        return done

    monkeypatch.setattr(adoption, "adopt", meanwhile)

    async def daemon() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        drop.leave_empty(100)
        drop.adoption.scan()
        while len(drop.found) < 1:
            await asyncio.sleep(0)
        assert drop.left > 50
        while drop.left:
            await asyncio.sleep(0.001)
        await drop.adoption.close()

    loop: asyncio.AbstractEventLoop
    asyncio.run(asyncio.wait_for(daemon(), 60))
    assert len(drop.found) == len(drop.spool.ids("queued")) == 2


def test_the_end_waits_for_one_round_and_not_for_all(drop: Drop) -> None:
    """What is left there is taken by whoever starts next."""

    async def daemon() -> None:
        drop.leave_empty(300)
        drop.adoption.scan()
        while drop.left == 300:
            await asyncio.sleep(0)
        await drop.adoption.close()

    asyncio.run(asyncio.wait_for(daemon(), 60))
    assert drop.left >= 200
