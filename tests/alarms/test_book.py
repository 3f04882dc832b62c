"""The book of alarms: what is met often is told once, and ends once."""

from __future__ import annotations

from typing import get_args

import pytest

from mailer.alarms import book as module
from mailer.alarms.book import INHERITED, AlarmBook
from mailer.alarms.kinds import KINDS, QUIET, worst
from mailer.events import Alarm, AlarmBegun, AlarmOver, Mended
from mailer.mail.alarm import AlarmKind, OpenAlarm
from tests.fakes.mail import NOW


def test_each_kind_is_described() -> None:
    """How bad it is, and when it is over."""
    assert set(KINDS) == set(get_args(AlarmKind))
    assert (worst([]), worst(["notice", "critical", "warning"])) == (None, "critical")


def test_what_is_met_a_thousand_times_begins_once_and_ends_once() -> None:
    """With how often it was met, since when, and what was said last."""
    book = AlarmBook()
    told = [book.heard(Alarm(NOW + at, "disk", f"{1000 - at} MB left")) for at in range(1000)]
    assert [type(each) for each in told if each] == [AlarmBegun]
    (alarm,) = book.alarms
    assert (alarm.since, alarm.last, alarm.times, alarm.text, alarm.severity) == (NOW, NOW + 999, 1000, "1 MB left", "critical")
    assert alarm.remedy
    over = book.heard(Mended(NOW + 1000, "disk", detail="there is room"))
    assert isinstance(over, AlarmOver)
    assert (over.alarm, over.detail) == (alarm, "there is room")
    assert book.heard(Mended(NOW + 1001, "disk")) is None
    assert book.alarms == []
    assert isinstance(book.heard(Alarm(NOW + 1002, "disk", "full")), AlarmBegun)


def test_each_key_is_an_alarm_of_its_own() -> None:
    """The end of one is none of the other; the worst stands first, then the oldest."""
    book = AlarmBook()
    book.heard(Alarm(NOW, "destination", "down", "mx:a", severity="notice"))
    book.heard(Alarm(NOW + 1, "destination", "down", "relay:b", "the host", "critical"))
    book.heard(Alarm(NOW + 2, "old", "an hour"))
    assert [alarm.key for alarm in book.alarms] == ["relay:b", "", "mx:a"]
    assert book.alarms[0].remedy == "the host"
    assert book.has("destination", "mx:a")
    book.heard(Mended(NOW + 3, "destination", "mx:a"))
    assert not book.has("destination", "mx:a")
    assert len(book.alarms) == 2


def test_what_nobody_can_see_the_end_of_ends_when_it_is_not_met() -> None:
    """A bug after an hour; a disk that is full only when somebody says so."""
    book = AlarmBook()
    for at in (0.0, 1000.0):
        book.heard(Alarm(NOW + at, "bug", "KeyError", "KeyError"))
    book.heard(Alarm(NOW, "disk", "full"))
    assert book.lapse(NOW + 1000 + QUIET - 1) == []
    (over,) = book.lapse(NOW + 1000 + QUIET)
    assert (over.alarm.kind, over.alarm.times, over.detail) == ("bug", 2, "it was not met again")
    assert book.lapse(NOW + 10**9) == []


def test_the_next_daemon_goes_on_with_what_was_open() -> None:
    """It is not told again, and it lasts since it began; what is not met again ends."""
    before = [
        OpenAlarm("destination", "relay:a", NOW, NOW + 5, 7, "critical", "down", "", told=True),
        OpenAlarm("disk", "", NOW, NOW + 5, 7, "critical", "full"),
    ]
    book = AlarmBook()
    book.heard(Alarm(NOW + 50, "disk", "fuller"))
    book.inherit(before, NOW + 60)
    assert book.heard(Alarm(NOW + 61, "destination", "still down", "relay:a", severity="critical")) is None
    (first, second) = book.alarms
    assert (first.since, first.text, first.told, first.times) == (NOW, "still down", True, 8)
    assert (second.since, second.text) == (NOW, "fuller")
    (over,) = book.lapse(NOW + 60 + INHERITED)
    assert (over.alarm.kind, over.detail) == ("disk", "it was not met again since the daemon started")
    assert [alarm.kind for alarm in book.alarms] == ["destination"]


def test_a_bug_is_over_when_its_process_is() -> None:
    """The next daemon may be another version: it goes on with what others have done wrong, and ends what was wrong with the last one."""
    before, after = AlarmBook(), AlarmBook()
    for book in (before, after):
        book.heard(Alarm(NOW, "bug", "KeyError: 'x'", "KeyError"))
    before.heard(Alarm(NOW, "bug", "ValueError: x", "ValueError"))
    before.heard(Alarm(NOW, "login", "refused", "relay out"))
    after.inherit(before.alarms, NOW + 1)
    assert after.lapse(NOW + 2) == []
    assert [(over.alarm.key, over.detail) for over in after.lapse(NOW + 12)] == [("ValueError", "the process that met it has ended")]
    assert {alarm.key for alarm in after.alarms} == {"KeyError", "relay out"}


def test_what_is_open_is_news_once() -> None:
    """Whenever something has changed, and at the beginning, since what was written before is out of date."""
    book = AlarmBook()
    first = book.news(NOW)
    assert first is not None
    assert (first.alarms, book.news(NOW)) == ([], None)
    book.heard(Alarm(NOW, "disk", "full"))
    news = book.news(NOW + 1)
    assert news is not None
    assert [alarm.kind for alarm in news.alarms] == ["disk"]
    book.tell_of(news.alarms[0])
    book.tell_of(news.alarms[0]._replace(key="gone"))
    again = book.news(NOW + 2)
    assert again is not None
    assert again.alarms[0].told
    assert book.news(NOW + 3) is None


def test_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand dead hosts leave room for what matters."""
    monkeypatch.setattr(module, "MOST", 3)
    book = AlarmBook()
    for at in range(10):
        book.heard(Alarm(NOW + at, "destination", "down", f"mx:{at}"))
    assert [alarm.key for alarm in book.alarms] == ["mx:0", "mx:1", "mx:2"]
    assert isinstance(book.heard(Alarm(NOW + 20, "disk", "x" * 10**6)), AlarmBegun)
    assert [alarm.key for alarm in book.alarms] == ["", "mx:1", "mx:2"]
    assert len(book.alarms[0].text) == module.LONGEST
    (over,) = book.lapse(NOW + 21)
    assert (over.alarm.key, over.at, "not followed any more" in over.detail) == ("mx:0", NOW + 20, True)
    assert (book.ended(), book.lapse(NOW + 22)) == ([over], [])


def test_what_is_only_good_to_know_costs_nothing_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand dead domains are no alarms, and nobody looks through those that are open for each."""
    book = AlarmBook()
    for nth in range(module.MOST):
        book.heard(Alarm(NOW, "record", "gone", str(nth)))
    monkeypatch.setattr(module, "min", None, raising=False)
    assert book.heard(Alarm(NOW, "destination", "down", "mx:a", severity="notice")) is None
    assert len(book.alarms) == module.MOST
