"""The messenger: a person is told of each alarm once by another way, and of its end; what cannot be told is tried again."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.alarms.book import ENDS, AlarmBook
from mailer.config import Config
from mailer.config.kinds import Via
from mailer.config.sections.alarm import AlarmSection
from mailer.config.sections.relay import Relay, everything
from mailer.events import Alarm, Daemon, Event, Events, Mended
from mailer.io.component import Chores
from mailer.watch import program
from mailer.watch.messenger import AGAIN, FIRST, STALE, Messenger
from mailer.watch.notice import Notice
from tests.fakes.friendly import Friendly
from tests.fakes.mail import NOW, FakeClock

STORE = "import os, sys; open({path!r}, 'a').write(sys.stdin.read() + os.environ['MAILER_ALARM_KIND'] + '\\n')"


class Desk:
    """A messenger with a book, a clock, and what it said in the log."""

    def __init__(self, config: Config) -> None:
        self.clock = FakeClock()
        self.book = AlarmBook()
        self.said: list[Event] = []
        self.messenger = Messenger(config, self.book, self.clock, self.said.append, Chores(print, print))
        self.events = Events([], print, self.book)

    def met(self, kind: Any = "disk", key: str = "", **more: Any) -> None:
        self.events.tell(Alarm(self.clock.now(), kind, "2 MB left", key, "room", **more))

    def mended(self, kind: Any = "disk", key: str = "") -> None:
        self.events.tell(Mended(self.clock.now(), kind, key, "there is room"))

    async def look(self, seconds: float = 0.0) -> None:
        self.clock.time += seconds
        await self.messenger.look()


def of(**alarm: Any) -> Config:
    return Config().but(alarm=AlarmSection(**alarm))


@pytest.fixture
def store(tmp_path: Path) -> tuple[tuple[str, ...], Callable[[], list[dict[str, Any]]]]:
    """A command that writes down what it is told, and what it has written."""
    path = tmp_path / "told"
    script = tmp_path / "store.py"
    script.write_text(STORE.format(path=str(path)))

    def told() -> list[dict[str, Any]]:
        lines = path.read_text().splitlines() if path.exists() else []
        assert [json.loads(line)["kind"] for line in lines[::2]] == lines[1::2]
        return [json.loads(line) for line in lines[::2]]

    return (sys.executable, "-S", str(script)), told


def test_a_command_is_told_the_beginning_and_the_end_once(store: Any) -> None:
    """As JSON and in its environment, when the alarm has lasted; what is only good to know is not told."""
    command, told = store
    desk = Desk(of(command=command, after=120.0))

    async def scenario() -> None:
        desk.met()
        desk.met("destination", "mx:dead", severity="notice")
        await desk.look()
        await desk.look(119)
        assert told() == []
        await desk.look(1)
        await desk.look(600)
        assert [(each["state"], each["kind"], each["severity"]) for each in told()] == [("begin", "disk", "critical")]
        desk.mended()
        desk.mended("destination", "mx:dead")
        await desk.look(1)
        await desk.look(1)
        begin, end = told()
        assert (begin["text"], begin["remedy"], begin["host"]) == ("2 MB left", "room", Config().hostname)
        assert (end["state"], end["how"]) == ("end", "there is room")
        assert desk.said == []

    asyncio.run(scenario())


def test_what_passes_by_itself_wakes_nobody_and_what_comes_again_does_so_rarely(store: Any) -> None:
    """A relay that is down for a minute, again and again."""
    command, told = store
    desk = Desk(of(command=command, after=60.0))

    async def scenario() -> None:
        desk.met()
        await desk.look(30)
        desk.mended()
        await desk.look(60)
        assert told() == []
        for _ in range(20):
            desk.met()
            await desk.look(61)
            desk.mended()
            await desk.look(1)
        assert len(told()) == 2
        desk.met()
        await desk.look(AGAIN)
        assert len(told()) == 3

    asyncio.run(scenario())


def test_a_command_that_fails_is_tried_again_and_is_no_alarm(tmp_path: Path) -> None:
    """One line in the log, however often; nobody is told of it as an alarm, and the next daemon knows that nobody was told."""
    desk = Desk(of(command=("/no/such/program",), after=0.0))

    async def scenario() -> None:
        desk.met()
        for seconds in (0.0, 1.0, FIRST, FIRST, 2 * FIRST):
            await desk.look(seconds)
        (line,) = desk.said
        assert isinstance(line, Daemon)
        assert line.what == "untold"
        assert "/no/such/program cannot be started: No such file or directory" in line.detail
        assert [alarm.told for alarm in desk.book.alarms] == [False]
        done = tmp_path / "done"
        with desk.messenger.reload(of(command=("/usr/bin/touch", str(done)), after=0.0)):
            pass
        await desk.look()
        assert done.exists()
        assert [alarm.told for alarm in desk.book.alarms] == [True]

    asyncio.run(scenario())


def test_what_is_true_is_told_however_long_nobody_took_it(store: Any) -> None:
    """Somebody begins to be told after days of it; what was over for long is no news."""
    command, told = store
    desk = Desk(of(after=0.0))

    async def scenario() -> None:
        desk.met()
        desk.met("dns")
        await desk.look(2 * STALE)
        with desk.messenger.reload(of(command=("/no/such/program",), after=0.0)):
            pass
        await desk.look()
        await desk.look(FIRST)
        desk.mended("dns")
        await desk.look(2 * STALE)
        with desk.messenger.reload(of(command=command, after=0.0)):
            pass
        await desk.look()
        await desk.look()
        assert [(one["state"], one["kind"]) for one in told()] == [("begin", "disk")]

    asyncio.run(scenario())


def test_what_ended_with_many_others_is_told_when_it_comes_again(store: Any) -> None:
    """More ends at once than are told of."""
    command, told = store
    desk = Desk(of(command=command, after=0.0))

    async def scenario() -> None:
        desk.met()
        await desk.look()
        desk.mended()
        for nth in range(ENDS):
            desk.met("record", str(nth))
            desk.mended("record", str(nth))
        await desk.look()
        desk.clock.time += AGAIN
        desk.met()
        await desk.look()
        assert [one["state"] for one in told()] == ["begin", "begin"]

    asyncio.run(scenario())


def test_a_command_has_a_limit_of_time_and_its_children_end_with_it() -> None:
    """It gets no shell, and what it says when it fails is in the log."""
    book = AlarmBook()
    book.heard(Alarm(NOW, "disk", "full\n$(touch x)"))
    notice = Notice(book.alarms[0])

    async def scenario() -> None:
        slow = await program.start(("/bin/sh", "-c", "sleep 60 & sleep 60"), notice, "h", patience=0.2)
        assert slow == "/bin/sh was not done within 0 s"
        said = await program.start(("/bin/sh", "-c", "echo one >&2; echo two >&2; exit 3"), notice, "h")
        assert said == "/bin/sh failed with 3: two"
        deaf = await program.start(("/bin/true",), notice, "h")
        assert deaf == ""
        for end, told in (("exit 0", ""), ("echo no >&2; exit 4", "/bin/sh failed with 4: no")):
            began = time.monotonic()
            left = await program.start(("/bin/sh", "-c", f"sleep 60 & {end}"), notice, "h")
            assert left == told, "told once, although a child of it holds its standard error open"
            assert time.monotonic() - began < 50, "and nobody waits for that one"
        much = await program.start(
            ("/bin/sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo why >&2; exit 5"), notice, "h"
        )
        assert much == "/bin/sh failed with 5: why"

    asyncio.run(scenario())
    assert notice.environment("h")["MAILER_ALARM_TEXT"] == "full $(touch x)"


def test_mail_goes_to_a_host_of_its_own_without_the_queue() -> None:
    """The null sender, and nobody answers it; all that began or ended together is one mail."""

    async def scenario() -> None:
        async with Friendly() as host:
            relay = Relay(name="out", host="127.0.0.1", port=1, tls="none")
            other = Relay(name="other", host="127.0.0.1", port=host.port, tls="none")
            config = of(mail=("Ops <ops@ops.example>", "b@ops.example"), via=(Via("relay", "other"),), after=0.0).but(
                relays={"out": relay, "other": other}, routes=(everything(Via("relay", "out")),)
            )
            desk = Desk(config)
            desk.met()
            desk.met("login", "relay:out")
            await desk.look()
            assert desk.said == []
            (mail,) = host.messages
            assert host.said.count(b"RCPT") == 2
            for text in (b"Auto-Submitted: auto-generated", b"critical: disk", b"critical: login relay:out", b"to mend it: room"):
                assert text in mail
            desk.mended()
            await desk.look()
            assert b"over: disk" in host.messages[1]
            with desk.messenger.reload(config.but(alarm=AlarmSection(mail=("ops@ops.example",), after=0.0))):
                pass
            desk.met("spool")
            await desk.look()
            (line,) = desk.said
            assert isinstance(line, Daemon)
            assert "Connection refused; it is tried again" in line.detail

    asyncio.run(scenario())
