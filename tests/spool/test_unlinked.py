"""Closing many files at once."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from mailer.spool.files.kept import close, together


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
