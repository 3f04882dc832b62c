"""A request for figures keeps the interpreter from nobody, however much there is to count."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.events import AlarmBegun, Tried
from mailer.mail.alarm import OpenAlarm
from mailer.mail.history import History
from mailer.metrics.counts import Counts
from mailer.metrics.page import Figures, application
from mailer.metrics.queue_figures import QueueFigures
from mailer.metrics.readers import answer
from mailer.queue.invariants import Invariants
from mailer.spool.api import Entry
from mailer.transport.route import Route
from tests.fakes.mail import NOW, envelope, outcome
from tests.fakes.pauses import LONGEST, longest_pause
from tests.queue.post import Post

pytestmark = pytest.mark.slow

MANY = 10_000


def test_a_request_holds_up_nothing(tmp_path: Path) -> None:
    """With as many messages and destinations as there may be in memory, and a message to very many."""
    post, counts = Post(tmp_path), Counts()
    for at in range(MANY):
        post.scheduler.expect(f"{at:026}", NOW)
        post.scheduler.destination(Route(f"{at}.example", (), relay=False))
    letter = envelope(*(f"{at}@example.net" for at in range(MANY)))
    entry = Entry(letter.id, "queued", letter, 1, History(MANY), 0.0, NOW)
    outcomes = [outcome(to, "fail") for to in range(MANY)]
    served = application(Figures(counts, QueueFigures(post.manager), Invariants(post.manager)))
    page: list[bytes] = []

    def work() -> None:
        counts.told(Tried(NOW, entry, outcomes))
        counts.told(AlarmBegun(NOW, OpenAlarm("status", "", NOW, NOW, 1, "warning", "")))
        page.append(answer(served, b"GET /metrics HTTP/1.1\r\nAccept: */*\r\n\r\n"))

    work()  # what is imported or made once is no work
    assert longest_pause(lambda: work) < LONGEST
    assert b'mailer_recipients_total{outcome="failed"} 20000.0' in page[1]
    assert b"mailer_messages_waiting 10000.0" in page[1]
