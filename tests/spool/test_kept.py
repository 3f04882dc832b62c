"""What is kept of files: contents and descriptors of what waits, within bounds; and runs of descriptors that are closed together."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from mailer.spool.files.claim import FileEntry
from mailer.spool.files.kept import Kept, close, together


def entry(size: int, directory: Path | None = None) -> FileEntry:
    """One with a content of that size, and an open file where there is a directory."""
    said: tuple[Any, ...] = ("id", "queued", None, size, None, 0.0, 0.0)
    fd = os.open(directory, os.O_RDONLY) if directory else -1
    entry = FileEntry(*said)
    entry.fd, entry.inode, entry.content, entry.counted, entry.leased = fd, 0, b"x" * size, False, False
    return entry


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_kept_is_given_back_to_the_byte() -> None:
    """Whatever was kept; a message larger than all of it is kept alone. What there is no room for is given away once."""
    kept = Kept(100)
    entries = [entry(size) for size in (60, 60, 40)]
    for one in entries:
        kept.keep(one)
    assert [one.counted for one in entries] == [True, False, True]
    assert kept.used == 100
    for one in (*entries, *entries):
        kept.forget(one)
    assert kept.used == 0
    large, small = entry(500), entry(1)
    kept.keep(large)
    kept.keep(small)
    assert (large.counted, small.counted) == (True, False)


def test_what_has_waited_long_makes_room_for_what_is_new(tmp_path: Path) -> None:
    """Who waits for a host that does not answer has his file closed and his content read again; who is being served keeps both."""
    time = Time()
    kept = Kept(100, 2, time)
    served, stuck, new = entries = [entry(50, tmp_path) for _ in range(3)]
    for one, at in ((served, 0.0), (stuck, 0.1)):
        time.now = at
        assert kept.wants_file()
        kept.keep(one)
    time.now = 0.9
    assert not kept.wants_file()
    kept.taken(served)
    time.now = 1.5
    kept.keep(new)
    assert [one.content is not None for one in entries] == [True, False, True]
    assert kept.wants_file()
    assert (stuck.fd, kept.open) == (-1, 1)
    os.close(served.fd)
    kept.forget(new)


def test_who_has_lost_his_file_can_lose_his_content_too(tmp_path: Path) -> None:
    """The files of a host that does not answer are closed before the memory is full; its messages must not stay there for that."""
    time = Time()
    kept = Kept(100, 1, time)
    stuck, new = entry(80, tmp_path), entry(80)
    kept.keep(stuck)
    time.now = 2.0
    assert kept.wants_file()
    assert (stuck.fd, stuck.content) == (-1, b"x" * 80)
    kept.keep(new)
    assert (stuck.content, new.content, kept.used) == (None, b"x" * 80, 80)


# Files that are closed together


def opened(directory: Path, count: int) -> list[int]:
    return [os.open(directory / str(nth), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC) for nth in range(count)]


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_files_side_by_side_are_closed_at_once(tmp_path: Path) -> None:
    """In whatever order they come; a file that is locked is free when all of it is closed, and not before."""
    descriptors = opened(tmp_path, 10)
    fcntl.flock(descriptors[3], fcntl.LOCK_EX)
    runs = together(reversed(descriptors))
    again = os.open(tmp_path / "3", os.O_WRONLY)
    try:
        assert sum(end - first for first, end in runs) == 10
        assert len(runs) < 10
        with pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        close(runs)
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not any(map(is_open, descriptors))
    finally:
        os.close(again)


def test_a_descriptor_that_somebody_else_has_is_never_closed(tmp_path: Path) -> None:
    """One in between splits a run, and stays open."""
    descriptors = opened(tmp_path, 9)
    others = descriptors[2::3]
    runs = together(set(descriptors) - set(others))
    close(runs)
    assert [descriptor for descriptor in descriptors if is_open(descriptor)] == others
    for descriptor in others:
        os.close(descriptor)


def test_nothing_to_close() -> None:
    """No files make no run."""
    assert together([]) == []
