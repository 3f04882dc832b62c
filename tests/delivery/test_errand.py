"""Errands: done once, by whoever comes first, and never waited for in a queue."""

from __future__ import annotations

import threading

import pytest

from mailer.delivery.errand import Errand, Runner


def test_who_needs_it_first_does_it() -> None:
    """A result that nobody has begun to make is made by the one who asks, once."""
    done: list[str] = []
    errand = Errand(lambda: done.append(threading.current_thread().name) or 7)
    assert errand.result() == 7
    assert errand.result() == 7
    errand.run()
    assert done == [threading.current_thread().name]


def test_what_is_sent_is_done_elsewhere() -> None:
    """The runner does it on its own thread, in order."""
    runner = Runner()
    done: list[tuple[int, str]] = []
    errands = [runner.send(Errand(lambda n=n: done.append((n, threading.current_thread().name)))) for n in range(20)]  # type: ignore[misc]
    last = threading.Event()
    runner.send(Errand(last.set))
    assert last.wait(10)
    assert done == [(n, "errands") for n in range(20)]
    assert [errand.result() for errand in errands] == [None] * 20


def test_nobody_waits_behind_others() -> None:
    """While the runner is busy with one, another is done by the one who needs it; one that is begun is waited for."""
    runner = Runner()
    begun, go = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go.wait(10)
        return "slow"

    first = runner.send(Errand(slow))
    assert begun.wait(10)
    second = runner.send(Errand(lambda: "second"))
    assert second.result() == "second"
    threading.Timer(0.05, go.set).start()
    assert first.result() == "slow"


def test_what_it_raises_is_raised_where_it_is_needed() -> None:
    """Each time, and the runner goes on with the next."""
    runner = Runner()
    failing = runner.send(Errand(lambda: 1 // 0))
    fine = runner.send(Errand(lambda: 1))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing.result()
    assert fine.result() == 1
