"""What users say of their mail is told to the filters that learn: once, undone by its reverse, and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.config import Config
from mailer.events import Alarm, Event, Judged, Mended
from mailer.filtering.learning import AGAIN, LONGEST, PAUSE, Learning
from mailer.filtering.lessons.api import TRIES
from mailer.filtering.lessons.memory import MemoryLessons
from mailer.mail.problem import Problem

from .scene import MAIL, NOW, StoppedClock, filter_at, section

ANN = "ann@example.com"


class School:
    """Filters at unix sockets below `home`, what they were told, and a mailbox with messages; `answer` is what each says."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock, self.told, self.lessons = StoppedClock(), list[Event](), MemoryLessons()
        self.heard: list[tuple[str, str]] = []
        self.mails: dict[str, bytes] = {"m1": MAIL, "m2": MAIL + b"more\r\n"}
        self.answer = {"spamd": b"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\n\r\n", "rspamd": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}
        self.trouble: Problem | None = None
        self.silent_at = ""  # the message at which they hang up
        self.learning = Learning(self.lessons, self.content, self.told.append, self.clock)

    def content(self, owner: str, mail: str) -> bytes | None:
        """A message of the mailbox."""
        assert owner == "o1"
        if self.trouble:
            raise self.trouble
        return self.mails.get(mail)

    def take(self, *kinds: str, **more: Any) -> None:
        """Have these filters."""
        filters = [section(kind, str(self.home / kind), learn=True, **more) for kind in kinds]
        self.learning.take(
            Config(filters=tuple(each.but(learn_address=each.address) if each.kind == "rspamd" else each for each in filters))
        )

    def hear(self, verdict: Any = "spam", mail: str = "m1") -> None:
        """Ann moves a message."""
        self.learning.hear(Judged(self.clock.now(), "o1", ANN, mail, verdict))

    async def talk(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A filter that takes a lesson."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        content = await reader.readexactly(length)
        [mail] = [name for name, each in self.mails.items() if each == content]
        if mail == self.silent_at:
            return
        if self.answer[kind].startswith((b"SPAMD/1.1 0", b"HTTP/1.1 200")):
            verdict = "spam" if b"/learnspam " in head or b"Message-class: spam\r\n" in head else "ham"
            self.heard.append((kind, f"{mail} {verdict}"))
        writer.write(self.answer[kind])
        await writer.drain()

    def done(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Do `scenario` while the filters listen."""

        async def run() -> None:
            spamd = filter_at(self.home / "spamd", lambda *line: self.talk("spamd", *line))
            async with spamd, filter_at(self.home / "rspamd", lambda *line: self.talk("rspamd", *line)):
                await scenario()

        asyncio.run(run())

    @property
    def alarms(self) -> list[tuple[str, str]]:
        """Alarms and what mended them."""
        return [(type(each).__name__, each.key) for each in self.told if isinstance(each, Alarm | Mended)]


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


def test_each_filter_that_learns_is_told_once(school: School) -> None:
    """In its own protocol; the reverse is told as well, and what was taken back before anybody heard it is not."""

    async def scenario() -> None:
        school.take("spamd", "rspamd")
        school.hear()
        await school.learning.teach()
        await school.learning.teach()
        assert sorted(school.heard) == [("rspamd", "m1 spam"), ("spamd", "m1 spam")]
        school.hear("ham")
        school.hear("spam")
        await school.learning.teach()
        assert len(school.heard) == 2
        school.hear("ham")
        await school.learning.teach()
        assert sorted(school.heard[2:]) == [("rspamd", "m1 ham"), ("spamd", "m1 ham")]

    school.done(scenario)


def test_where_no_filter_learns_nothing_is_kept(school: School) -> None:
    """And nobody is told."""

    async def scenario() -> None:
        school.take()
        school.hear()
        await school.learning.teach()
        school.take("spamd")
        await school.learning.teach()
        assert school.heard == []

    school.done(scenario)


def test_a_filter_that_is_down_loses_nothing(school: School) -> None:
    """It is left alone for a while that gets longer; the other one is told meanwhile, and when it answers it is told all."""

    async def scenario() -> None:
        school.take("spamd", "rspamd")
        school.answer["spamd"] = b"SPAMD/1.0 69 Service Unavailable: TELL commands are not enabled, set the --allow-tell switch.\r\n"
        school.hear()
        await school.learning.teach()
        school.hear("ham", "m2")
        await school.learning.teach()
        assert school.heard == [("rspamd", "m1 spam"), ("rspamd", "m2 ham")]
        [alarm] = [each for each in school.told if isinstance(each, Alarm)]
        assert "started without --allow-tell" in alarm.detail
        for _ in range(10):
            school.clock.time += LONGEST
            await school.learning.teach()
        school.answer["spamd"] = b"SPAMD/1.1 0 EX_OK\r\n\r\n"
        school.clock.time += LONGEST
        await school.learning.teach()
        assert school.heard[2:] == [("spamd", "m1 spam"), ("spamd", "m2 ham")]
        assert ("Mended", "spamd learns") in school.alarms

    school.done(scenario)


def test_a_filter_that_is_not_there_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """It is called once, and again when the time is over."""
    school = School(tmp_path)

    async def scenario() -> None:
        school.take("spamd")
        school.hear()
        for seconds, alarms in ((0.0, 1), (PAUSE - 1, 1), (1.0, 2), (PAUSE, 2), (PAUSE, 3)):
            school.clock.time += seconds
            await school.learning.teach()
            assert len([each for each in school.told if isinstance(each, Alarm)]) == alarms

    asyncio.run(scenario())


def test_a_message_that_cannot_be_learned_stops_no_other(school: School) -> None:
    """It is tried again some times, hours apart, and then given up with an alarm."""

    async def scenario() -> None:
        school.take("rspamd")
        school.answer["rspamd"] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nempty"
        school.hear()
        for _ in range(TRIES - 1):
            await school.learning.teach()
            school.clock.time += AGAIN
        assert school.told == []
        await school.learning.teach()
        assert school.alarms == [("Alarm", f"rspamd {ANN}")]
        school.clock.time += AGAIN
        school.answer["rspamd"] = b"HTTP/1.1 208 Already reported\r\nContent-Length: 0\r\n\r\n"
        school.hear("ham", "m2")
        await school.learning.teach()
        assert school.lessons.waiting(["rspamd"]) == 0

    school.done(scenario)


def test_a_message_at_which_a_filter_falls_silent_stops_no_other(school: School) -> None:
    """Those behind it are told before it is tried again."""

    async def scenario() -> None:
        school.take("spamd")
        school.hear()
        school.clock.time += 1
        school.hear(mail="m2")
        school.silent_at = "m1"
        for _ in range(3):
            await school.learning.teach()
            school.clock.time += LONGEST
        assert school.heard == [("spamd", "m2 spam")]
        school.silent_at = ""
        await school.learning.teach()
        assert school.heard == [("spamd", "m2 spam"), ("spamd", "m1 spam")]

    school.done(scenario)


def test_a_message_that_is_gone_or_too_large_is_not_told(school: School) -> None:
    """One that was deleted for good is forgotten."""

    async def scenario() -> None:
        school.take("spamd", max_size=len(MAIL))
        school.hear(mail="m2")
        school.hear(mail="m9")
        school.hear(mail="m1")
        await school.learning.teach()
        assert school.heard == [("spamd", "m1 spam")]
        assert school.lessons.waiting(["spamd"]) == 0

    school.done(scenario)


def test_a_mailbox_that_cannot_be_read_is_an_alarm(school: School) -> None:
    """What it holds is told later, however long that takes; other mailboxes wait for it in no way."""

    async def scenario() -> None:
        school.take("spamd")
        school.hear()
        school.trouble = Problem("the key is not there", "unavailable")
        for _ in range(2 * TRIES):
            await school.learning.teach()
            school.clock.time += AGAIN
        assert school.alarms == [("Alarm", f"spamd {ANN}")] * 2 * TRIES
        school.trouble = None
        await school.learning.teach()
        assert school.heard == [("spamd", "m1 spam")]


def test_a_message_whose_file_is_broken_stops_no_other(school: School) -> None:
    """It is given up after some tries."""

    async def scenario() -> None:
        school.take("spamd")
        school.hear()
        school.trouble = Problem("the file is gone", "io-error")
        for _ in range(TRIES):
            await school.learning.teach()
            school.clock.time += AGAIN
        [alarm] = [each for each in school.told if isinstance(each, Alarm)]
        assert "is told not again: the file is gone" in alarm.detail
        assert school.lessons.waiting(["spamd"]) == 0

    school.done(scenario)


def test_what_is_not_told_in_time_is_said(school: School) -> None:
    """Nothing goes without a word."""

    async def scenario() -> None:
        school.take("spamd")
        school.hear()
        school.clock.time = NOW + 40 * 86400
        await school.learning.sweep()
        [alarm] = [each for each in school.told if isinstance(each, Alarm)]
        assert "1 messages" in alarm.detail

    school.done(scenario)
