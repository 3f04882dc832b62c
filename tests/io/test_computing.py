"""One thread computes at a time, as long as that keeps nobody from anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from mailer.io import computing
from mailer.io.computing import Computing, waiting


def test_one_computes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait until he leaves."""
    monkeypatch.setattr(computing, "PATIENCE", 60.0)
    turns, at_work, most = Computing(), [0], [0]
    start = Barrier(4)

    def work(_: int) -> None:
        start.wait()
        for _ in range(200):
            with turns:
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
                at_work[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1]


def test_who_waits_lets_others_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    """And has his turn again after that, also where he waited within a wait."""
    monkeypatch.setattr(computing, "PATIENCE", 60.0)
    turns, done = Computing(), Event()

    def other() -> None:
        with turns:
            done.set()

    with ThreadPoolExecutor(1) as pool, turns:
        with waiting():
            pool.submit(other)
            assert done.wait(10)
            with waiting():
                pass
        done.clear()
        last = pool.submit(other)
        assert not done.is_set()
        with waiting():
            assert done.wait(10)
        last.result()


def test_whoever_gets_no_turn_computes_all_the_same() -> None:
    """So that no lock that somebody else holds meanwhile stops anybody."""
    turns, is_in, is_over = Computing(), Event(), Event()

    def hog() -> None:
        with turns:
            is_in.set()
            assert is_over.wait(10)

    with ThreadPoolExecutor(1) as pool:
        hogging = pool.submit(hog)
        assert is_in.wait(10)
        with turns, waiting():
            is_over.set()
        hogging.result()


def test_a_thread_without_turns_waits_as_it_is() -> None:
    """What waits for the disk is used by others, too."""
    with waiting():
        pass


def test_a_turn_ends_with_an_error() -> None:
    """The next one has it at once."""
    turns = Computing()
    with pytest.raises(ValueError, match="so"), turns:
        raise ValueError("so")
    assert turns._turn.acquire(blocking=False)
