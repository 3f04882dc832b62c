"""Closing many files at once."""

from __future__ import annotations

import fcntl
import os
import resource
from pathlib import Path

import pytest

from mailer.spool import unlinked


def opened(directory: Path, count: int) -> list[int]:
    return [os.open(directory / str(nth), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC) for nth in range(count)]


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_files_are_brought_together_and_closed(tmp_path: Path) -> None:
    """Wherever their descriptors were; a file that is locked is free when all of it is closed, and not before."""
    descriptors = opened(tmp_path, 10)
    fcntl.flock(descriptors[3], fcntl.LOCK_EX)
    between = descriptors[4::2]
    runs = unlinked.together(descriptors[:4] + descriptors[5::2])
    try:
        assert [end - first for first, end in runs] == [7]
        again = os.open(tmp_path / "3", os.O_WRONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlinked.close(runs)
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not any(is_open(descriptor) for first, end in runs for descriptor in range(first, end))
        assert all(map(is_open, between))
    finally:
        for descriptor in (again, *between):
            os.close(descriptor)


def test_a_descriptor_that_somebody_else_has_is_never_closed(tmp_path: Path) -> None:
    """The numbers that are in use above `HIGH` split a run, and stay."""
    first, *rest = opened(tmp_path, 4)
    foreign = fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, unlinked.HIGH + 1)
    try:
        runs = unlinked.together(rest)
        assert sum(end - begin for begin, end in runs) == 3
        unlinked.close(runs)
        assert is_open(foreign)
        assert is_open(first)
    finally:
        os.close(foreign)
        os.close(first)


def test_without_high_numbers_the_files_are_closed_where_they_are(tmp_path: Path) -> None:
    """A process may be allowed as few as 1024 descriptors."""
    descriptors = opened(tmp_path, 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, unlinked.HIGH), hard))
    try:
        runs = unlinked.together(descriptors)
        assert [number for first, end in runs for number in range(first, end)] == descriptors
        unlinked.close(runs)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not any(map(is_open, descriptors))
