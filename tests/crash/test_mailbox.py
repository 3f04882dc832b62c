"""A mailbox dying and failing at every call: what was said to be there is, counts are true, and no message is lost or doubled.

Of the calls that write pages one after the other the first and the last are struck here, and all of them by `tests/long`.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.mailbox.box import OwnMailbox
from tests.fakes import warm

from . import postmaster
from .injected import Call, Victim, different, side_by_side
from .postmaster import ANN, DAY, NEW, NOW, THERE

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]

SCRIPT = str(Path(postmaster.__file__))
warm.SCRIPTS.add(SCRIPT)
STRUCK = frozenset(("mkdir", "openat", "write", "pwrite64", "fsync", "fdatasync", "link", "rename", "unlink", "ftruncate"))
"""The calls that change anything, or make ready for it."""

OPERATIONS = ["put", "replace", "move", "expunge", "sweep"]
ALIKE = ["append", "several"]
"""Those that make the same calls as others, of which more is struck by `tests/long`."""
CHANGES = ("write", "pwrite64", "fsync", "fdatasync", "link", "rename", "unlink")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mailbox as it is before."""
    root = tmp_path_factory.mktemp("template") / "mailboxes"
    postmaster.prepare(str(root))
    return root


@pytest.fixture
def victim(tmp_path: Path, template: Path) -> Callable[[str, str], Victim]:
    """``victim(operation, name)``: that operation on a copy of the template below `name`."""

    def made(operation: str, name: str) -> Victim:
        shutil.copytree(template, tmp_path / name)
        return Victim([sys.executable, SCRIPT, operation, tmp_path / name], tmp_path / f"{name}.trace")

    return made


def state(box: OwnMailbox) -> tuple[list[int], list[int], int]:
    """The UIDs of the inbox and of the archive, and how many files there are."""
    files = len(list(box.bodies.kept.listing(ANN.id)))
    return [entry.uid for entry in box.entries(1)], [entry.uid for entry in box.entries(6)], files


BEFORE = [2, 3, 4, 5, 6]
DONE = {
    "put": ([*BEFORE, 7, 8], []),
    "append": ([*BEFORE, 7], []),
    "several": ([*BEFORE, 7], [1]),
    "replace": ([2, 4, 5, 6], [1]),
    "move": ([5, 6], [1, 2, 3]),
    "expunge": ([5, 6], []),
    "sweep": (BEFORE, []),
}


def whole(root: Path, operation: str, *, done: bool) -> None:
    """What is left is as before or as after, and whole; the next attempt ends as one that was never disturbed."""
    box = postmaster.opened(str(root))
    inbox, archive, files = state(box)
    assert (inbox, archive) in ((BEFORE, []), DONE[operation])
    assert not done or (inbox, archive) == DONE[operation]
    assert box.check(bodies=True) == []
    assert files >= len(box.mails([entry.mail for folder in (1, 6) for entry in box.entries(folder)]))
    if operation == "put" or (inbox, archive) == (BEFORE, []):
        postmaster.OPERATIONS[operation](box)
    assert state(box)[:2] == DONE[operation]
    assert box.check(bodies=True) == []
    box.close()
    box = postmaster.opened(str(root), NOW + 20 * DAY)
    box.sweep(NOW + 20 * DAY)
    kept = {entry.mail for folder in (1, 6) for entry in box.entries(folder)}
    left = {each.id for each in box.bodies.kept.listing(ANN.id)} - kept
    assert not [id for id in left if each_is_old(root, id)]
    assert box.check(bodies=True) == []
    box.close()


def each_is_old(root: Path, id: str) -> bool:
    """Whether a sweep takes it that does not believe that a file of this moment is two days old."""
    (path,) = root.rglob(id)
    return path.stat().st_mtime < NOW + 18 * DAY


def struck(victim: Callable[[str, str], Victim], operation: str) -> list[Call]:
    """The calls that are struck."""
    return [call for call in victim(operation, "watched").calls() if call.name in STRUCK]


def dying_at(calls: list[Call], tmp_path: Path, victim: Callable[[str, str], Victim], operation: str) -> None:
    """Let it be killed before each of `calls`."""

    def dies(call: Call) -> None:
        name = f"{call.name}-{call.nth}"
        assert victim(operation, name).die_at(call).out == ""
        whole(tmp_path / name, operation, done=False)

    side_by_side(dies, calls)


def failing_at(calls: list[Call], tmp_path: Path, victim: Callable[[str, str], Victim], operation: str) -> None:
    """Let each of `calls` be told an error."""

    def fails(call: Call) -> None:
        name = f"{call.name}-{call.nth}"
        done = victim(operation, name).fail_at(call, "EIO" if call.nth % 2 else "ENOSPC")
        assert (done.code, len(done.err.splitlines())) in ((0, 0), (75, 1)), done
        whole(tmp_path / name, operation, done=done.code == 0)

    side_by_side(fails, calls)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_dying_anywhere_leaves_it_done_or_not(tmp_path: Path, victim: Callable[[str, str], Victim], operation: str) -> None:
    """Killed before any of these calls; nothing is in two folders or in none, and the next attempt does it once."""
    dying_at(different(struck(victim, operation)), tmp_path, victim, operation)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_error_anywhere_is_told(tmp_path: Path, victim: Callable[[str, str], Victim], operation: str) -> None:
    """A full disk, or one that is ill: a line says so, and whatever it says, the mailbox is whole."""
    failing_at(different(struck(victim, operation)), tmp_path, victim, operation)


def steps(made: Victim, root: Path) -> list[str]:
    """The calls that change something, in order, as ``name place``; one that repeats stands once."""
    inside = re.compile(re.escape(f"{root}/u/{ANN.id[-2:]}/{ANN.id}/") + r"(\w+(?:\.sqlite3(?:-\w+)?)?)")
    row: list[str] = []
    for call in made.calls():
        if call.name in CHANGES and (found := inside.search(call.text)):
            step = f"{call.name} {found[1]}"
            row += [step] if step not in row[-1:] else []
    return row


def test_a_put_is_said_when_all_of_it_survives_a_power_failure(tmp_path: Path, victim: Callable[[str, str], Victim]) -> None:
    """The bodies are on the disk before they have their names, those before there are rows, and those before anybody hears."""
    row = steps(victim("put", "order"), tmp_path / "order")
    rows = [step for step in row if "index.sqlite3-wal" in step]
    bodies = [step for step in row if "index" not in step]
    assert bodies == ["write tmp", "fsync tmp", "link tmp", "fsync mail", "unlink tmp"]
    assert rows[-1] in ("fsync index.sqlite3-wal", "fdatasync index.sqlite3-wal")
    assert row.index("fsync mail") < row.index("pwrite64 index.sqlite3-wal")


@pytest.mark.parametrize("operation", ["move", "expunge"])
def test_a_change_of_rows_is_said_when_it_is_synced(tmp_path: Path, victim: Callable[[str, str], Victim], operation: str) -> None:
    """And touches no message."""
    row = steps(victim(operation, "order"), tmp_path / "order")
    assert row[-1] in ("fsync index.sqlite3-wal", "fdatasync index.sqlite3-wal")
    assert not [step for step in row if step.endswith((" mail", " tmp"))]


def test_a_file_goes_when_its_row_has_gone_for_good(tmp_path: Path, victim: Callable[[str, str], Victim]) -> None:
    """Word of it stays until it is gone."""
    row = steps(victim("sweep", "order"), tmp_path / "order")
    at = row.index("unlink mail")
    assert row[at - 1] in ("fsync index.sqlite3-wal", "fdatasync index.sqlite3-wal")
    assert "pwrite64 index.sqlite3-wal" in row[at:]


def test_the_figures_of_this_file_are_so(template: Path) -> None:
    """What the template has."""
    box = postmaster.opened(str(template))
    assert state(box) == (BEFORE, [], THERE + 1)
    assert len(BEFORE) == THERE
    assert len(DONE["put"][0]) == THERE + NEW
    box.close()
