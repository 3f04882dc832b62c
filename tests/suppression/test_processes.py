"""Several processes write the list at the same moment, and one dies: what was told to be done is there, once, and all of each change."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mailer.io import database
from mailer.mail.problem import Problem
from mailer.suppression.api import Reason, SuppressionEntry, SuppressionTerms
from mailer.suppression.sqlite import SqliteSuppression, health

T = TypeVar("T")
WRITER = """
import asyncio, sys
from mailer.suppression.api import Reason, SuppressionEntry, SuppressionTerms
from mailer.suppression.sqlite import SqliteSuppression

root, name, many, together = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

async def main():
    entries = SqliteSuppression(root)
    for at in range(many):
        new = [
            SuppressionEntry(f"{name}{at}-{nth}@example.org", "news", Reason.HARD, evidence=f"{name}{at}", at=1.0)
            for nth in range(together)
        ]
        new.append(SuppressionEntry("all@example.org", "news", Reason.HARD, evidence="the same report", at=1.0))
        await entries.add(new, terms=SuppressionTerms())
        print(at, flush=True)

asyncio.run(main())
"""


def writer(root: Path, name: str, many: int, together: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(root), name, str(many), str(together)], stdout=subprocess.PIPE, text=True)


def addresses(root: Path) -> set[str]:
    async def read() -> set[str]:
        entries = SqliteSuppression(str(root))
        try:
            return {each.address for each in await entries.listing(limit=100_000)}
        finally:
            await entries.close()

    return asyncio.run(read())


def test_writers_at_the_same_moment_lose_nothing(tmp_path: Path) -> None:
    """The file is made by whoever is first; a report that all of them have acts once."""
    processes = [writer(tmp_path, name, 20) for name in "abc"]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert addresses(tmp_path) == {"all@example.org", *(f"{name}{at}-0@example.org" for name in "abc" for at in range(20))}
    lines = asyncio.run(SqliteSuppression(str(tmp_path)).log("all@example.org"))
    assert len([line for line in lines if line.address == "all@example.org"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_was_told_to_be_done_outlives_its_process(tmp_path: Path, after: int) -> None:
    """Killed at whatever moment: of a change that was not told, there is all or nothing, and the next one has no trouble."""
    process = writer(tmp_path, "a", 10_000, 50)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.communicate()
    found = addresses(tmp_path)
    for at in told:
        assert {f"a{at}-{nth}@example.org" for nth in range(50)} <= found
    changes = {address.partition("-")[0] for address in found if "-" in address}
    assert len([address for address in found if "-" in address]) == 50 * len(changes)
    assert len(changes) <= len(told) + 1
    done = writer(tmp_path, "b", 1)
    done.communicate(timeout=60)
    assert "b0-0@example.org" in addresses(tmp_path)
    whole = health(str(tmp_path))
    assert (whole.trouble, whole.entries) == ("", len(addresses(tmp_path)))


def test_whoever_writes_for_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And readers wait for nobody."""
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    entries = SqliteSuppression(str(tmp_path))
    asyncio.run(entries.add([SuppressionEntry("ann@example.org", at=1.0)]))
    entries.close_now()
    other = sqlite3.connect(tmp_path / "suppress.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Problem, match="try again") as caught:
        asyncio.run(entries.add([SuppressionEntry("bob@example.org", at=1.0)]))
    assert caught.value.kind == "try-again"
    assert entries.look_now([("ann@example.org", "")], 2.0)[0] is not None
    other.execute("ROLLBACK")
    other.close()
    asyncio.run(entries.add([SuppressionEntry("bob@example.org", at=1.0)]))
    entries.close_now()


def test_a_file_that_another_one_has_to_itself_holds_up_no_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As whoever mends it after a crash does: the loop, which lets go of it here, goes on meanwhile."""
    monkeypatch.setattr(database, "PATIENCE", 60.0)
    entries = SqliteSuppression(str(tmp_path))
    asyncio.run(entries.add([SuppressionEntry("ann@example.org", at=1.0)]))
    entries.close_now()

    async def meanwhile(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with closing(sqlite3.connect(tmp_path / "suppress.sqlite3", isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            asking = asyncio.ensure_future(ask())
            await asyncio.sleep(0.1)
            assert not asking.done()
        try:
            return await asking
        finally:
            entries.close_now()

    async def main() -> None:
        assert not await meanwhile(entries.is_empty)
        assert (await meanwhile(lambda: entries.look([("ann@example.org", "")], 2.0)))[0] is not None
        assert await meanwhile(entries.count) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    "what", ["damaged", "cut off", "emptied", "another program's", "of a later version", "no file", "others may write it", "gone"]
)
def test_a_file_that_is_not_ours_is_never_an_empty_list(tmp_path: Path, what: str) -> None:
    """Reading and writing say what is wrong, and leave it as it is."""
    path = tmp_path / "suppress.sqlite3"
    entries = SqliteSuppression(str(tmp_path))
    asyncio.run(entries.add([SuppressionEntry("ann@example.org", at=1.0)]))
    if what != "gone":
        entries.close_now()
        entries = SqliteSuppression(str(tmp_path))
    if what == "damaged":
        path.write_bytes(b"\xff" * 8192)
    elif what == "cut off":
        path.write_bytes(b"")
    elif what == "emptied":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.executescript("PRAGMA user_version = 0; VACUUM")
        path.chmod(0o600)
    elif what == "another program's":
        path.unlink()
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE mine (x)")
        db.commit()
        db.close()
        path.chmod(0o600)
    elif what == "of a later version":
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 99")
        db.close()
    elif what == "no file":
        path.unlink()
        path.mkdir()
    elif what == "others may write it":
        path.chmod(0o666)
    else:
        path.unlink()
    for _ in range(2):
        with pytest.raises(Problem, match=r"suppress\.sqlite3"):
            entries.look_now([("ann@example.org", "")], 2.0)
        with pytest.raises(Problem, match=r"suppress\.sqlite3"):
            asyncio.run(entries.add([SuppressionEntry("bob@example.org", reason=Reason.MANUAL, at=1.0)], terms=SuppressionTerms()))
    assert path.exists() == (what != "gone")
    entries.close_now()


def test_a_copy_that_is_put_back_is_read(tmp_path: Path) -> None:
    """Without a restart of whoever reads."""
    source, target = tmp_path / "a", tmp_path / "b"
    for place in (source, target):
        place.mkdir()
    first = SqliteSuppression(str(source))
    asyncio.run(first.add([SuppressionEntry("ann@example.org", at=1.0)]))
    first.close_now()
    entries = SqliteSuppression(str(target))
    asyncio.run(entries.add([SuppressionEntry("bob@example.org", at=1.0)]))
    assert entries.look_now([("ann@example.org", ""), ("bob@example.org", "")], 2.0)[0] is None
    for name in ("suppress.sqlite3-wal", "suppress.sqlite3-shm"):
        (target / name).unlink(missing_ok=True)
    (source / "suppress.sqlite3").rename(target / "suppress.sqlite3")
    found = entries.look_now([("ann@example.org", ""), ("bob@example.org", "")], 2.0)
    assert [each is not None for each in found] == [True, False]
    entries.close_now()
