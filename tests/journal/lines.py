"""Events for the tests of journals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mailer.journal.api import EventType, Journal, JournalEvent
from tests.fakes.mail import NOW

MESSAGE = "01KAHC00000000000000000001"


def happened(nth: int = 0, type: EventType = "delivered", at: float = NOW, **more: Any) -> JournalEvent:
    """An event at recipient `nth`."""
    return JournalEvent("", at, type, MESSAGE, to=f"r{nth}@example.net", code=250, reply="ok")._replace(**more)


def several(count: int, first: int = 0) -> list[JournalEvent]:
    """So many events, at different recipients."""
    return [happened(nth) for nth in range(first, first + count)]


def who(events: Iterable[JournalEvent]) -> list[int]:
    """Whose events these are, by the numbers of `happened`."""
    return [int(event.to[1:].partition("@")[0]) for event in events]


async def everything(journal: Journal, after: str = "", limit: int = 7) -> Sequence[JournalEvent]:
    """All that comes after an ID, page by page."""
    found: list[JournalEvent] = []
    while page := await journal.read(after, limit):
        assert len(page) <= limit
        found += page
        after = page[-1].id
    return found
