"""Space: the disk is asked before it is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.failure import Failure
from mailer.spool import Spool, space


def disk(monkeypatch: pytest.MonkeyPatch, **facts: int) -> None:
    """A disk of 1 GB in blocks of 1000 bytes, with a million inodes."""
    known = {"f_frsize": 1000, "f_blocks": 10**6, "f_bavail": 10**6, "f_files": 10**6, "f_favail": 10**6} | facts
    monkeypatch.setattr(os, "statvfs", lambda _: type("Disk", (), known))


def test_a_disk_with_room_lacks_nothing(spool: Spool) -> None:
    """Nor does one that is not there yet."""
    assert space.shortage(spool.root, 1, 1) == ""
    assert space.shortage(f"{spool.root}/none", 10**15, 10**15) == ""
    space.check(spool.root, 1, 1, 1000)


def test_what_must_stay_free(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message itself counts: it must not take the last of it."""
    disk(monkeypatch, f_bavail=60_000)
    assert space.shortage(spool.root, 50_000_000, 1000, 10_000_000) == ""
    assert space.shortage(spool.root, 50_000_000, 1000, 10_000_001).startswith("60 MB of space left, and 50 MB are to stay free")
    disk(monkeypatch, f_favail=999)
    assert space.shortage(spool.root, 1, 1000) == "room for 999 files left, and 1000 are to stay free (submission.min_free_inodes)"


@pytest.mark.parametrize("facts", [{"f_files": 0, "f_favail": 0}, {"f_blocks": 0, "f_bavail": 0}])
def test_a_file_system_that_does_not_say(spool: Spool, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any]) -> None:
    """One that makes inodes as it goes, or counts no blocks, is not full."""
    disk(monkeypatch, **facts)
    assert space.shortage(spool.root, 50_000_000, 1000) == ""


def test_who_hands_mail_in_is_told_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 75, one line that says what is short, how much, and where that is set."""
    disk(monkeypatch, f_bavail=5)
    with pytest.raises(Failure, match="5 KB of space left") as caught:
        space.check(str(tmp_path), 50_000_000, 1000, 10)
    assert caught.value.code == 75
    assert "submission.min_free_space" in str(caught.value)
