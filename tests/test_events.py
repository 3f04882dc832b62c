"""The switchboard: every listener hears every event, whatever the others do."""

from __future__ import annotations

from mailer.events import Alarm, Daemon, Event, Events


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
    events = Events(ears, lambda _: None)
    first, second = Daemon(1.0, "started"), Alarm(2.0, "spool", "full")
    events.tell(first)
    events.tell(second)
    assert [ear.heard for ear in ears] == [[first, second]] * 2


def test_a_listener_that_fails_is_reported_and_keeps_nobody_from_hearing() -> None:
    """Delivery is never stopped by who watches it."""
    bugs: list[Exception] = []
    error = RuntimeError("oops")
    broken, sound = Ear(error), Ear()
    events = Events([broken, sound], bugs.append)
    events.tell(Daemon(1.0, "started"))
    events.tell(Daemon(2.0, "ready"))
    assert bugs == [error, error]
    assert len(broken.heard) == len(sound.heard) == 2
