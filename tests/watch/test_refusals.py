"""Refusals: a large share of recipients refused for good is an alarm with a beginning and an end; of little mail nothing is said."""

from __future__ import annotations

import asyncio

from mailer.alarms.book import AlarmBook
from mailer.config import Config
from mailer.config.sections.alarm import AlarmSection
from mailer.events import AlarmBegun, AlarmOver, Event, Events, Tried
from mailer.io.component import Chores
from mailer.mail.outcome import Cause, Hop, Outcome
from mailer.watch.refusals import LEAST, PART, WINDOW, RefusedShare
from tests.fakes.mail import NOW, FakeClock, entry_of, outcome

REFUSED = outcome(0, "fail", text="we know you", hop=Hop("mx.example.net", "192.0.2.1", 25))
TAKEN = outcome(0)
PUT_OFF = outcome(0, "defer")


class Counter:
    """A daemon that counts what a test says became of mail."""

    def __init__(self, share: float = 0.1, before: AlarmBook | None = None, now: float = NOW) -> None:
        self.clock = FakeClock(now)
        self.book = AlarmBook()
        if before is not None:
            self.book.inherit(before.alarms, now)
        self.heard: list[str] = []
        self.events = Events([self], lambda error: self.heard.append(repr(error)), self.book)
        self.refusals = RefusedShare(_config(share), self.events, self.book, self.clock, Chores(print, print))
        asyncio.run(self.refusals.start())

    def told(self, event: Event) -> None:
        if isinstance(event, AlarmBegun):
            self.heard.append(f"begin {event.alarm.text}")
        elif isinstance(event, AlarmOver):
            self.heard.append(f"end {event.detail}")

    def tried(self, many: int, what: Outcome) -> None:
        """So many recipients were tried, each in a message of its own."""
        for _ in range(many):
            self.events.tell(Tried(self.clock.now(), entry_of(), [what]))

    def looks(self, after: float = PART) -> list[str]:
        """What is told when some time has passed; it is looked all the while."""
        self.heard.clear()
        end = self.clock.time + after
        while self.clock.time < end:
            self.clock.time += PART
            self.refusals.look()
        return [*self.heard]


def _config(share: float) -> Config:
    return Config().but(alarm=AlarmSection(refused=share))


def test_more_than_a_tenth_is_one_alarm_and_one_end() -> None:
    """It says how many, and the last reply; it is critical, has a remedy, and ends when the share is smaller again."""
    counter = Counter()
    counter.tried(90, TAKEN)
    counter.tried(10, REFUSED)
    assert counter.looks() == []
    counter.tried(1, REFUSED)
    (begin,) = counter.looks()
    assert begin == ("begin 11 of 101 recipients (11%) were refused for good within 15 minutes; last mx.example.net: 550 5.1.1 we know you")
    (alarm,) = counter.book.alarms
    assert (alarm.kind, alarm.severity, "mailer bounces" in alarm.remedy) == ("rejected", "critical", True)
    counter.tried(50, REFUSED)
    assert counter.looks() == []
    counter.tried(1000, TAKEN)
    assert counter.looks() == ["end 61 of 1151 recipients within the last 15 minutes"]


def test_what_was_long_ago_counts_no_more() -> None:
    """After a quarter of an hour without mail the alarm is over."""
    counter = Counter()
    counter.tried(LEAST, REFUSED)
    assert len(counter.looks()) == 1
    assert counter.looks(WINDOW - 3 * PART) == []
    assert counter.looks(4 * PART) == ["end 0 of 0 recipients within the last 15 minutes"]


def test_what_is_no_refusal_does_not_count() -> None:
    """Too few; what is put off; what was cancelled or is too old; what nobody was asked about."""
    counter = Counter()
    counter.tried(LEAST - 1, REFUSED)
    counter.tried(1000, PUT_OFF)
    counter.tried(1000, outcome(0, "cancel", cause=Cause.CANCELLED, counts=False))
    counter.tried(1000, outcome(0, "expire"))
    counter.tried(1000, REFUSED._replace(counts=False))
    assert counter.looks() == []
    counter.tried(1, REFUSED)
    assert len(counter.looks()) == 1


def test_a_new_daemon_goes_on_with_it_until_it_knows_better() -> None:
    """It does not end because nothing was counted yet, but when so much was that it is right, or after a quarter of an hour."""
    counter = Counter()
    counter.tried(LEAST, REFUSED)
    counter.looks()
    quiet = Counter(before=counter.book, now=NOW + 60)
    assert quiet.looks(WINDOW - 2 * PART) == []
    assert len(quiet.looks(3 * PART)) == 1
    busy = Counter(before=counter.book, now=NOW + 60)
    busy.tried(LEAST, TAKEN)
    assert len(busy.looks()) == 1


def test_a_reload_says_how_much_is_too_much_and_a_stop_ends_the_counting() -> None:
    """With 1 nothing is."""
    counter = Counter(1.0)
    counter.tried(LEAST, REFUSED)
    assert counter.looks() == []
    with counter.refusals.reload(_config(0.5)):
        pass
    assert len(counter.looks()) == 1
    with counter.refusals.reload(_config(1.0)):
        pass
    assert len(counter.looks()) == 1
    counter.looks(WINDOW)
    asyncio.run(counter.refusals.stop(0.0))
    counter.tried(LEAST, REFUSED)
    with counter.refusals.reload(_config(0.5)):
        pass
    assert counter.looks(2 * WINDOW) == []


def test_a_clock_that_is_set_back_leaves_nothing_behind() -> None:
    """What lies in the future is forgotten."""
    counter = Counter()
    counter.tried(LEAST, REFUSED)
    counter.clock.time -= 10 * WINDOW
    assert counter.looks() == []
