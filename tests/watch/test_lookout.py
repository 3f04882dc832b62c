"""The lookout: what is too old, and what others see of this machine, are alarms before somebody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.alarms.book import AlarmBook
from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config import Config
from mailer.config.sections.alarm import AlarmSection
from mailer.config.sections.relay import Relay
from mailer.events import Alarm, Event, Events
from mailer.io.component import Chores
from mailer.watch import lookout as module
from mailer.watch.lookout import HOURLY, SOON, DailyLookout
from tests.fakes.mail import NOW, FakeClock
from tests.queue.post import DAY, Post, play

SPF = Finding("SPF", "example.com", PASS, "it has 192.0.2.1", domain="example.com")
NO_SPF = Finding("SPF", "example.com", FAIL, "it does not have 192.0.2.1", "publish it", domain="example.com")
DMARC = Finding("DMARC", "_dmarc.example.com", FAIL, "there is none", "begin with one", domain="example.com")
LISTED = Finding("blocklist", "192.0.2.1 at zen", FAIL, "listed", "ask zen")
KEY = Finding("DKIM", "s1._domainkey.example.com", FAIL, "the record is missing", "publish it", domain="example.com")
UNSIGNED = Finding("DKIM", "example.com", FAIL, "no key: its mail is not signed", domain="example.com")
LOGIN = Finding("relay", "out", FAIL, "535 no", "username and password of [relay.out], then: mailer probe out")
ENDS = Finding("certificate", "the one that relay out shows", WARN, "ends in 3 days", "renew it")
CONFIG = Config().but(relays={"out": Relay(name="out", host="127.0.0.1")})


class Tower:
    """A lookout that sees what a test shows, and the daemons that come after each other on one spool."""

    def __init__(self, root: Path, config: Config = CONFIG, *, before: AlarmBook | None = None, now: float = NOW) -> None:
        self.clock = FakeClock(now)
        self.book = AlarmBook()
        if before is not None:
            self.book.inherit(before.alarms, now)
        self.heard: list[Event] = []
        self.seen: list[Finding] = []
        self.looks = 0
        self.events = Events([self], print, self.book)
        nothing: Any = None
        self.lookout = DailyLookout(
            config, str(root), nothing, nothing, self.book, self.clock, self.events.tell, Chores(print, print), lambda: 0.0, self._see
        )
        asyncio.run(self.lookout.start())

    def told(self, event: Event) -> None:
        self.heard.append(event)

    async def _see(self, _config: Config, _now: float) -> Sequence[Finding]:
        self.looks += 1
        return self.seen

    def look(self, *seen: Finding, after: float = 0.0) -> list[str]:
        """One look, and the alarms that are open then."""
        self.clock.time += after
        self.seen = [*seen]
        asyncio.run(self.lookout.outside())
        return [f"{alarm.kind} {alarm.key}" for alarm in self.book.alarms]


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_route", lambda: True)


def test_the_first_look_comes_soon_and_the_next_in_a_day(tmp_path: Path) -> None:
    """Not at each start, and not while there is no network."""
    tower = Tower(tmp_path)
    assert tower.look(LISTED, after=SOON - 1) == []
    tower.book.heard(Alarm(tower.clock.now(), "offline", "no route"))
    tower.look(after=2)
    assert tower.looks == 0
    tower = Tower(tmp_path)
    assert tower.look(SPF, after=SOON) == []
    assert tower.looks == 1
    again = Tower(tmp_path, now=NOW + HOURLY)
    again.look(SPF, after=SOON)
    again.look(SPF, after=DAY - 2 * HOURLY)
    assert again.looks == 0
    again.look(SPF, after=HOURLY)
    assert again.looks == 1
    never = Tower(tmp_path / "other", CONFIG.but(alarm=AlarmSection(watch=0.0)))
    never.look(after=10 * DAY)
    assert never.looks == 0


def test_what_concerns_this_machine_is_an_alarm_at_once(tmp_path: Path) -> None:
    """A blocklist, a key that signs, a login and a certificate, each with its remedy; it is looked at hourly until it is right."""
    tower = Tower(tmp_path)
    assert sorted(tower.look(LISTED, KEY, LOGIN, ENDS, UNSIGNED, DMARC, after=SOON)) == [
        "blocklist blocklist 192.0.2.1 at zen", "expiry certificate the one that relay out shows", "login relay:out",
        "record DKIM s1._domainkey.example.com",
    ]  # fmt: skip
    assert {alarm.kind: (alarm.severity, bool(alarm.remedy)) for alarm in tower.book.alarms} == {
        "blocklist": ("critical", True), "expiry": ("warning", True), "login": ("critical", True), "record": ("warning", True)
    }  # fmt: skip
    good = [Finding(each.check, each.subject, PASS, "well", domain=each.domain) for each in (LISTED, KEY, LOGIN)]
    assert tower.look(*good, ENDS, after=HOURLY) == ["expiry certificate the one that relay out shows"]
    assert tower.looks == 2


def test_a_record_that_never_was_is_no_alarm_and_one_that_is_gone_is(tmp_path: Path) -> None:
    """Also where a daemon before had seen it; the worst that is said of a thing counts."""
    tower = Tower(tmp_path)
    assert tower.look(SPF, DMARC, after=SOON) == []
    later = Tower(tmp_path, now=NOW + 2 * DAY)
    assert later.look(NO_SPF, SPF, DMARC, after=SOON) == ["record SPF example.com"]
    last = Tower(tmp_path, before=later.book, now=NOW + 2 * DAY + HOURLY)
    assert last.look(SPF, DMARC, after=HOURLY) == []


def test_what_is_kept_may_be_anything(tmp_path: Path) -> None:
    """Somebody else's file, and a directory that cannot be written: it is looked again."""
    (tmp_path / "watched").write_text('{"at": []}')
    tower = Tower(tmp_path)
    assert tower.look(LISTED, after=SOON) != []
    gone = Tower(tmp_path / "not" / "there")
    assert gone.look(LISTED, after=SOON) != []


def test_a_message_that_waits_for_too_long_is_one_alarm(tmp_path: Path) -> None:
    """One that is to leave later is none."""
    post = Post(tmp_path, memory=True)
    post.courier.script["a@x.example"] = ["defer"]
    tower = Tower(tmp_path, CONFIG.but(alarm=AlarmSection(older=3600.0)))
    tower.lookout._spool, tower.lookout._scheduler, tower.clock = post.kept, post.scheduler, post.clock
    tower.lookout._clock = post.clock

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@x.example", at=NOW)
            await post.settled(id, "deferred")
            await tower.lookout.age()
            assert tower.book.alarms == []
            post.clock.time += 3700
            await tower.lookout.age()
            await tower.lookout.age()
            (alarm,) = tower.book.alarms
            assert (alarm.kind, alarm.times, id in alarm.text, id in alarm.remedy) == ("old", 2, True, True)
            post.scheduler.forget(id)
            await tower.lookout.age()
            assert tower.book.alarms == []

    play(scenario())


def test_a_bug_in_a_check_ends_no_daemon(tmp_path: Path) -> None:
    """It is told as one, and looked again in a day."""
    tower = Tower(tmp_path)

    async def broken(_config: Config, _now: float) -> Sequence[Finding]:
        raise KeyError("x")

    tower.lookout._look = broken
    assert tower.look(after=SOON) == ["bug KeyError"]
