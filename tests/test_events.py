"""The switchboard: every listener hears every event, whatever the others do."""

from __future__ import annotations

from mailer.alarms.book import AlarmBook
from mailer.events import Alarm, AlarmBegun, AlarmOver, Daemon, Event, Events, Mended


class Ear:
    """Takes note, and fails if it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[Event] = []
        self.error = error

    def told(self, event: Event) -> None:
        self.heard.append(event)
        if self.error:
            raise self.error


def test_all_listeners_hear_in_their_order() -> None:
    """Each event once, to each."""
    ears = [Ear(), Ear()]
    events = Events(ears, lambda _: None, AlarmBook())
    first, second = Daemon(1.0, "started"), Daemon(2.0, "ready")
    events.tell(first)
    events.tell(second)
    assert [ear.heard for ear in ears] == [[first, second]] * 2


def test_a_listener_that_fails_is_reported_and_keeps_nobody_from_hearing() -> None:
    """Delivery is never stopped by who watches it."""
    bugs: list[Exception] = []
    error = RuntimeError("oops")
    broken, sound = Ear(error), Ear()
    events = Events([broken, sound], bugs.append, AlarmBook())
    events.tell(Daemon(1.0, "started"))
    events.tell(Daemon(2.0, "ready"))
    assert bugs == [error, error]
    assert len(broken.heard) == len(sound.heard) == 2


def test_an_alarm_is_told_once_and_so_is_its_end() -> None:
    """However often it is met, and however often somebody sees that all is well."""
    ear = Ear()
    events = Events([ear], lambda _: None, AlarmBook())
    for at in (1.0, 2.0, 3.0):
        events.tell(Alarm(at, "disk", "full"))
    for at in (4.0, 5.0):
        events.tell(Mended(at, "disk"))
    assert [type(event) for event in ear.heard] == [AlarmBegun, AlarmOver]
