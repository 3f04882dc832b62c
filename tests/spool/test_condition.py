"""What is wrong in a spool directory is found by looking, and nothing is where nothing is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from mailer.spool.files import condition, mend
from mailer.spool.files.layout import share
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import put, suspend
from tests.fakes.sockets import make_socket


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    made = SpoolDirectory(str(tmp_path / "spool"))
    made.prepare()
    return made


def test_a_spool_as_it_was_made(spool: SpoolDirectory) -> None:
    """With mail in it, pauses, a note of a request, and open to other users."""
    for state in ("hold", "defer"):
        id = put(spool)
        if state == "hold":
            spool.hold(id)
    suspend(spool.root, "example.net", 2e9, "", 1e9)
    spool.remember("warmup", b"{}")
    assert condition.flaws(spool.root) == []
    share(spool.root)
    assert condition.flaws(spool.root) == []


def test_a_drop_that_others_can_list(spool: SpoolDirectory) -> None:
    """Or where nobody can leave anything."""
    share(spool.root)
    for mode in (0o3777, 0o700, 0o1733):
        os.chmod(f"{spool.root}/drop", mode)
        ((kind, path, _, wanted, _),) = condition.flaws(spool.root)
        assert (kind, path, wanted) == ("mode", f"{spool.root}/drop", 0o3733)
        assert list(mend.mend(spool.root, condition.flaws(spool.root), 0.0)) == [f"set to 3733: {path} (its mode is {mode:04o})"]


def test_a_spool_that_is_to_be_shared_and_is_not(spool: SpoolDirectory) -> None:
    """The place of other users is made, and once."""
    assert list(mend.completed(spool.root, shared=True)) == [f"made: {spool.root}/drop"]
    assert list(mend.completed(spool.root, shared=True)) == []
    assert list(mend.completed(spool.root, shared=False)) == []


def test_no_more_is_looked_at_than_a_look_may_take(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a directory with very many names."""
    monkeypatch.setattr(condition, "MOST", 3)
    for nth in range(9):
        Path(spool.root, "corrupt", str(nth)).touch()
    assert [flaw.kind for flaw in condition.flaws(spool.root)] == ["corrupt"] * 3


def test_what_has_changed_since_it_was_found_is_left_alone(spool: SpoolDirectory, tmp_path: Path) -> None:
    """A daemon has started; a link stands in the place of a directory."""
    bell, elsewhere = Path(spool.root, "doorbell"), tmp_path / "elsewhere"
    make_socket(bell)
    found = condition.flaws(spool.root)
    with FileLock(f"{spool.root}/daemon.lock", mode=0o600):
        assert list(mend.mend(spool.root, found, 0.0)) == []
        assert bell.exists()
    assert list(mend.mend(spool.root, found, 0.0)) == [f"removed: {bell} (nobody listens to it)"]
    elsewhere.mkdir(mode=0o755)
    os.chmod(f"{spool.root}/failed", 0o755)
    found = condition.flaws(spool.root)
    os.rmdir(f"{spool.root}/failed")
    os.symlink(elsewhere, f"{spool.root}/failed")
    assert list(mend.mend(spool.root, found, 0.0)) == []
    assert elsewhere.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("lead", [True, False])
def test_nobody_waits_for_what_the_owner_laid_there(spool: SpoolDirectory, tmp_path: Path, lead: bool) -> None:
    """Pipes in the place of notes, and links to one: they are found, and nobody hangs, root neither."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for name in ("keys/k", "clock", "pauses", "warmup"):
        place = Path(spool.root, name)
        place.unlink(missing_ok=True)
        place.symlink_to(pipe) if lead else os.mkfifo(place, 0o600)
    found = condition.flaws(spool.root)
    assert ("key" in [flaw.kind for flaw in found]) is not lead, "a link is not followed"
    assert spool.recall("warmup") == b""
    list(mend.mend(spool.root, found, 0.0))
