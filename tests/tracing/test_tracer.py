"""The line of what is to be sent, and what becomes of it where nobody takes it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from mailer.events import Daemon, Tried
from mailer.tracing import tracer
from mailer.tracing.choice import Choice
from mailer.tracing.spans import Traced
from mailer.tracing.tracer import Tracer
from tests.fakes.mail import NOW, entry_of, outcome
from tests.fakes.processes import wait_until

EVENT = Tried(NOW, entry_of(), [outcome()])


class Way:
    """A way to a collector who says `why` he takes nothing, once he may answer."""

    def __init__(self, why: str = "", *, answers: bool = True) -> None:
        self.why = why
        self.taken: list[Traced] = []
        self.answers = threading.Event()
        self.asked = threading.Semaphore(0)
        if answers:
            self.answers.set()

    def send(self, attempts: Sequence[Traced]) -> str:
        self.asked.release()
        assert self.answers.wait(60)
        if self.why == "bug":
            raise KeyError(self.why)
        self.taken += [] if self.why else attempts
        return self.why

    def close(self) -> None:
        self.answers.set()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer, "GATHER", 0.0)


def test_what_is_chosen_is_sent() -> None:
    """And nothing else; at the end, also what has only just come."""
    way, troubles = Way(), []
    made = Tracer(Choice(1.0), lambda: way, troubles.append)
    made.start()
    for _ in range(5):
        made.told(EVENT)
    made.told(Daemon(NOW, "ready"))
    made.stop(60)
    assert ([attempt.entry for attempt in way.taken], troubles) == ([EVENT.entry] * 5, [])
    assert made.counts == {"sent": 5, "dropped": 0}


@pytest.mark.parametrize("why", ["it is down", "bug"])
def test_a_collector_that_takes_nothing_is_left_alone(why: str) -> None:
    """It is told once; what comes meanwhile is dropped at once, and counted. Mail hears nothing of it."""
    way, troubles = Way(why), []
    made = Tracer(Choice(1.0), lambda: way, troubles.append)
    made.start()
    made.told(EVENT)
    assert way.asked.acquire(timeout=60)
    wait_until("it is counted", lambda: made.counts["dropped"])
    for _ in range(10):
        made.told(EVENT)
    made.stop(60)
    assert made.counts == {"sent": 0, "dropped": 11}
    assert troubles == ["KeyError: 'bug'" if why == "bug" else why]


def test_a_collector_that_comes_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """He gets what comes then, and nothing of what was dropped."""
    monkeypatch.setattr(tracer, "REST", (0.0, 0.0))
    monkeypatch.setattr(tracer, "PAUSE", 0.0)
    way, troubles = Way("it is down"), []
    made = Tracer(Choice(1.0), lambda: way, troubles.append)
    made.start()
    made.told(EVENT)
    assert way.asked.acquire(timeout=60)
    wait_until("it is counted", lambda: made.counts["dropped"])
    way.why = ""
    for _ in range(2):
        made.told(EVENT)
    made.stop(60)
    assert (made.counts, troubles) == ({"sent": 2, "dropped": 1}, ["it is down", ""])


def test_the_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a collector says nothing, no more waits than may; and the end does not wait for him."""
    monkeypatch.setattr(tracer, "MOST", 10)
    way = Way(answers=False)
    made = Tracer(Choice(1.0), lambda: way, print)
    made.start()
    made.told(EVENT)
    assert way.asked.acquire(timeout=60)
    for _ in range(30):
        made.told(EVENT)
    assert made.counts == {"sent": 0, "dropped": 20}
    made.stop(0.0)


def test_no_more_is_chosen_than_a_second_has_room_for() -> None:
    """An hour in which all mail fails is not spent on telling that."""
    made = Tracer(Choice(1.0), Way, print)  # which has not begun
    for _ in range(tracer.A_SECOND * 5):
        made.told(EVENT)
    assert tracer.A_SECOND <= tracer.A_SECOND * 5 - made.counts["dropped"] <= tracer.A_SECOND * 2


def test_a_library_that_cannot_be_used_is_told() -> None:
    """One of another version, for instance: mail goes on, without traces."""

    def connect() -> Way:
        raise AttributeError("no such thing")

    troubles: list[str] = []
    made = Tracer(Choice(1.0), connect, troubles.append)
    made.start()
    made._thread.join(60)
    made.told(EVENT)
    made.stop(60)
    assert (troubles, made.counts) == (["AttributeError: no such thing"], {"sent": 0, "dropped": 1})
