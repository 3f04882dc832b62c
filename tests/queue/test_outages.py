"""Outages: an hour of one, in a time that a test lets pass, is one alarm, one end, one line of status, and a bounded log."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.cli.pages import wait_line
from mailer.config import load
from mailer.events import Alarm, AlarmsOpen, Event, Mended
from mailer.log import Log
from mailer.mail.alarm import OpenAlarm
from mailer.mail.outcome import Cause
from mailer.operate.waits import waits
from mailer.queue.outages import MUCH, Outages
from mailer.queue.recorder import DestinationStates
from mailer.status.memory import MemoryReader, MemoryRecorder
from mailer.status.view import View
from tests.fakes.mail import NOW, outcome

from .post import Post, offline, play

REFUSED = outcome(0, "defer", scope="host", code=451, enhanced="4.4.1", text="Connection refused", phase="connect",
                  cause=Cause.CONNECTION_REFUSED)  # fmt: skip
UNTRUSTED = REFUSED._replace(text="the certificate is none of its", phase="starttls", cause=Cause.TLS)
HOUR = 3600.0
CONFIG = """
[mailer]
hostname = "host.example"
[relay.out]
host = "127.0.0.1"
tls = "none"
[[route]]
match = "*"
via = "relay:out"
"""
MANY = 100


class Watched(Post):
    """A post whose destinations are watched, with a log and a status."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.stream = io.StringIO()
        self.log = Log(self.stream, form="json")
        self.memory = MemoryRecorder()
        root.mkdir(exist_ok=True)
        path = root / "config.toml"
        path.write_text(CONFIG)
        self.config = load(str(path), str(root / "spool"))
        super().__init__(root, **more)
        self.states = DestinationStates()
        self.outages = Outages(self.scheduler, self.book, self._tell)

    def _tell(self, event: Event) -> None:
        told: Event = event
        if isinstance(event, Alarm | Mended):
            sifted = self.book.heard(event)
            if sifted is None:
                return
            told = sifted
        self.events.append(event)
        self.log.told(told)
        self.recorder.told(told)

    def _write(self, events: Sequence[Event]) -> None:
        asyncio.run(self.memory.write(events))

    def look(self, ids: Any = ()) -> None:
        """What the daemon does once a second."""
        if ids:
            super().look(ids)
            return
        now = self.clock.now()
        news = self.states.news(self.scheduler.destinations.values(), now)
        if news is not None:
            self.recorder.told(news)
        self.outages.look(news, now)
        if (open_now := self.book.news(now)) is not None:
            self.recorder.told(AlarmsOpen(now, open_now.alarms))
        self.log.unfold(now)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log about that."""
        return [line for line in map(json.loads, self.stream.getvalue().splitlines()) if line["event"] == event]

    def waits(self) -> list[str]:
        """What `mailer status` says of what waits."""
        with View(self.spool, MemoryReader(self.memory)) as view:
            alarms = view.alarms()
            return [
                f"{wait.destination}  {wait_line(wait, self.clock.now())}"
                for wait in waits(view, lambda: self.config, self.clock.now(), len(self.spool.ids("deferred")), alarms)
            ]


async def rested(post: Watched) -> None:
    """Everything that is due is through, and written down."""
    await post.until("a rest", lambda: not post.scheduler.active and not post.scheduler.running)
    await asyncio.sleep(0.05)  # the recorder gathers for 20 ms


@pytest.mark.slow
def test_an_hour_of_outage_is_one_alarm_and_one_line(tmp_path: Path, zone: Callable[[str], None]) -> None:
    """A hundred messages for a relay that is down; then it is up again, and all of them go."""
    zone("UTC")
    post = Watched(tmp_path)
    post.finder.routes["down.example"] = "relay:out"
    addresses = [f"{nth}@down.example" for nth in range(MANY)]
    post.courier.script |= {address: [REFUSED] for address in addresses}

    async def scenario() -> None:
        async with post.running():
            ids = [post.put(address) for address in addresses]
            await post.until("put off", lambda: len(post.spool.ids("deferred")) == MANY)
            while post.clock.now() < NOW + HOUR:
                post.look()
                await rested(post)
                post.advance(60.0)
            assert post.told("alarm", "mended") == ["alarm destination"]
            (alarm,) = post.book.alarms
            assert (alarm.key, alarm.severity, alarm.since) == ("relay:out", "critical", NOW)
            assert f"{MANY} wait" in alarm.text
            await rested(post)
            post.look()
            await rested(post)
            (line,) = post.waits()
            assert line.startswith(f"relay:out  {MANY} wait since 08:00: ")
            assert "Connection refused; next look" in line
            post.courier.script.clear()
            await post.passes(60.0, "all have left", lambda: not any(map(post.spool.find, ids)))
            await rested(post)
            post.look()
            assert post.waits() == []
        assert post.told("alarm", "mended") == ["alarm destination", "mended destination"]
        begin, end = post.lines("alarm")
        assert (begin["what"], begin["state"], begin["key"]) == ("destination", "begin", "relay:out")
        assert (end["state"], end["detail"]) == ("end", "relay:out is up")
        assert end["seconds"] >= HOUR
        deferred = post.lines("deferred")
        assert len(deferred) < 3 * HOUR / 60  # for each minute one line for each way to say it
        assert sum(line.get("same", 1) for line in deferred) >= MANY

    play(scenario())


def test_one_host_of_the_internet_is_good_to_know(tmp_path: Path) -> None:
    """It is more only if much waits for it; a certificate that is refused has a word of its own."""
    post = Watched(tmp_path, memory=True)

    async def scenario() -> None:
        async with post.running():
            for domain, reply, many in (("few", REFUSED, 5), ("much", REFUSED, MUCH + 5), ("tls", UNTRUSTED, 5)):
                post.finder.routes[f"{domain}.example"] = f"mx:{domain}"
                for nth in range(many):
                    post.courier.script[f"{nth}@{domain}.example"] = [reply]
                    post.put(f"{nth}@{domain}.example")
            await post.until("put off", lambda: len(post.spool.ids("deferred")) == MUCH + 15)
            post.look()
            found = {alarm.key: (alarm.kind, alarm.severity) for alarm in post.book.alarms}
        assert found == {
            "mx:few": ("destination", "notice"), "mx:much": ("destination", "warning"), "mx:tls": ("certificate", "notice")
        }  # fmt: skip

    play(scenario())


def test_a_login_that_is_refused_is_one_alarm_which_ends_when_mail_is_taken(tmp_path: Path) -> None:
    """Not two, for the relay is not down: it is we who have to mend something."""
    post = Watched(tmp_path, memory=True)
    post.finder.routes["x.example"] = "relay:out"
    wrong = outcome(0, "defer", scope="us", code=535, text="who are you", phase="auth", cause=Cause.LOGIN_REFUSED)
    post.courier.script["a@x.example"] = [wrong, wrong, "delivered"]

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@x.example")
            await post.settled(id, "deferred")
            for _ in range(3):
                post.look()
            (alarm,) = post.book.alarms
            assert (alarm.kind, alarm.key, alarm.severity) == ("login", "relay:out", "critical")
            assert alarm.remedy.startswith("username of [relay.out]")

            def gone() -> bool:
                post.look()
                return post.spool.find(id) is None

            await post.passes(30.0, "it is taken", gone)
            post.look()
        assert post.told("alarm", "mended") == ["alarm login", "mended login"]

    play(scenario())


def test_no_network_and_no_name_server_are_told_apart(tmp_path: Path) -> None:
    """Each once, however much mail meets it; both end when mail gets through."""
    for there, kind in ((False, "offline"), (True, "dns")):
        post = Watched(tmp_path / kind, memory=True)
        connectivity = post.manager.connectivity
        connectivity.online = lambda there=there: there  # type: ignore[misc]
        post.finder.troubles["x.example"] = offline()

        async def scenario(post: Watched = post, connectivity: Any = connectivity, kind: str = kind) -> None:
            async with post.running():
                ids = [post.put("a@x.example") for _ in range(20)]
                await post.until("put off", lambda: len(post.spool.ids("deferred")) == 20)
                assert post.told("alarm") == [f"alarm {kind}"]
                assert post.book.alarms[0].severity == "critical"
                del post.finder.troubles["x.example"]
                connectivity.online = lambda: True

                def gone() -> bool:
                    connectivity.poll()
                    return not any(map(post.spool.find, ids))

                await post.passes(3.0, "all have left", gone)
                connectivity.poll()
            assert post.told("alarm", "mended") == [f"alarm {kind}", f"mended {kind}"]

        play(scenario())


def test_what_the_daemon_before_knew_ends_with_the_first_mail(tmp_path: Path) -> None:
    """Not before: that nobody has called yet says nothing."""
    post = Watched(tmp_path, memory=True)
    post.finder.routes["x.example"] = "relay:out"
    post.book.inherit([OpenAlarm("destination", "relay:out", NOW - 60, NOW - 60, 1, "critical", "relay:out is down")], NOW)

    async def scenario() -> None:
        async with post.running():
            post.look()
            post.look()
            assert len(post.book.alarms) == 1
            await post.settled(post.put("a@x.example"), None)
            post.look()
        assert post.told("alarm", "mended") == ["mended destination"]

    play(scenario())


def test_a_single_message_is_enough_for_a_relay(tmp_path: Path) -> None:
    """A breaker takes several; who sends one mail a day wants to know of that one."""
    post = Watched(tmp_path, memory=True)
    post.finder.routes["x.example"] = "relay:out"
    post.courier.script["a@x.example"] = [REFUSED, REFUSED, "delivered"]

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@x.example")
            await post.settled(id, "deferred")
            post.look()
            assert post.book.alarms == []
            post.advance(31.0)
            post.look()
            (alarm,) = post.book.alarms
            assert (alarm.kind, alarm.severity) == ("destination", "critical")
            assert "1 waits; what waits finds out whether it answers again" in alarm.text

            def gone() -> bool:
                post.look()
                return post.spool.find(id) is None

            await post.passes(30.0, "it is taken", gone)
            post.look()
        assert post.told("alarm", "mended") == ["alarm destination", "mended destination"]

    play(scenario())
