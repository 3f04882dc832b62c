"""Jobs for a scheduler."""

from __future__ import annotations

from mailer.mail.history import History
from mailer.queue.attempt import Attempt, Job
from mailer.spool.api import Entry
from mailer.transport.route import Route
from tests.fakes.mail import NOW, envelope


def job(key: str, *, id: str = "", relay: bool = False, priority: str = "normal") -> Job:
    """A job of message `id` for the destination `key`."""
    letter = envelope(id=id, priority=priority)
    return Job(Attempt(Entry(letter.id, "queued", letter, 0, History(1), 0.0, NOW), NOW), Route(key, (), relay), [0])
