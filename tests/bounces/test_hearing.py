"""Reports are acted upon as they come, in batches; what cannot be done now is told and done later, and one stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.bounces import keys
from mailer.bounces.hearing import ReportHearing
from mailer.config import Config
from mailer.config.file import config_of
from mailer.dsn.reading import read
from mailer.dsn.return_token import mark
from mailer.events import Alarm, Event, Mended, ReportsHeard, Tried
from mailer.io.component import Chores
from mailer.mail.problem import Problem
from mailer.reports.api import Facts, LoadedReport, SettledReport
from mailer.reports.memory import MemoryReports
from mailer.spool.api import Changes
from mailer.status.api import StatusError
from mailer.status.memory import MemoryReader
from mailer.suppression.api import SuppressionDone, SuppressionEntry
from mailer.suppression.memory import MemorySuppression
from tests.aggregate.letters import attached, tlsrpt
from tests.fakes.mail import NOW, FakeClock, outcome
from tests.status.office import Office

from .letters import away, dsn

AT = "bounces@here.example"
CONFIG = """\
[mailer]
hostname = "here.example"
spool = "{spool}"
[bounce]
address = "bounces@here.example"
{more}[suppress]
automatic = "always"
"""


class Room:
    """A hearing with everything in memory but the spool, and what it told and passed on."""

    def __init__(self, directory: Path, more: str = "") -> None:
        self.office = Office(directory, memory=True)
        self.config: Config = config_of("c.toml", CONFIG.format(spool=self.office.spool.root, more=more).encode())
        self.key = keys.present(keys.place(self.config), NOW)[0].secret
        self.clock = FakeClock(NOW)
        self.kept = MemoryReports()
        self.suppression = MemorySuppression()
        self.told: list[Event] = []
        self.passed: list[tuple[str, bytes]] = []
        self.trouble: Exception | None = None
        status, spool = self.office.recorder, self.office.spool
        assert self.office.memory is not None
        memory = self.office.memory
        self.hearing = ReportHearing(
            self.config, self.kept, self.suppression, status, lambda: MemoryReader(memory), spool, lambda: None, self.put,
            self.told.append, self.clock, Chores(lambda _: None, lambda _: None), once=True,
        )  # fmt: skip

    def put(self, content: bytes, to: str, settings: object, now: float, id: str) -> None:
        del settings, now, id
        if self.trouble is not None:
            raise self.trouble
        self.passed.append((to, content))

    def sent(self, *recipients: str, sender: str = "me@here.example") -> str:
        id = self.office.put(*recipients, sender=sender)
        self.office.settle(id, *(outcome(to, "delivered", at=NOW - 60) for to in range(len(recipients))))
        return id

    def token(self, id: str) -> str:
        return mark(AT, id, 0, self.key)

    def came(self, report: bytes, to: str) -> str:
        return asyncio.run(self.kept.take(report, Facts("stdin", to, at=NOW)))

    def acts(self) -> None:
        asyncio.run(self.hearing.start())

    def state(self, id: str) -> str:
        return next(row.state for row in self.kept.rows if row.id == id)

    def status(self, id: str) -> str:
        record = self.office.view().message(id)
        assert record is not None
        return record.recipients[0].status

    def suppressed(self) -> list[str]:
        return [entry.address for entry in asyncio.run(self.suppression.listing())]

    def alarms(self) -> list[tuple[str, str]]:
        return [(event.what, event.key) for event in self.told if isinstance(event, Alarm)]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.office.close()


def test_a_report_is_acted_upon(room: Room) -> None:
    """Suppressed, bounced, passed on, settled, told."""
    id = room.sent("you@example.net")
    report = room.came(dsn(room.token(id)), room.token(id))
    room.acts()
    assert (room.state(report), room.status(id), room.suppressed()) == ("done", "bounced", ["you@example.net"])
    assert [to for to, _ in room.passed] == ["me@here.example"]
    [heard] = [event for event in room.told if isinstance(event, ReportsHeard)]
    assert heard.reports[0].effect == "bounced, and not mailed any more"


def test_a_thousand_that_say_the_same_are_one_change(room: Room) -> None:
    """Whoever replays a token, with other octets each time, has changed one thing; and his sender gets no more than he may."""
    id = room.sent("you@example.net")
    for number in range(300):
        room.came(dsn(room.token(id), extra=f"X-Number: {number}\r\n"), room.token(id))
    room.acts()
    assert room.suppressed() == ["you@example.net"]
    assert len(asyncio.run(room.suppression.log())) == 1
    assert len(room.passed) == room.config.bounce.max_per_hour
    assert ("reports", "") in room.alarms()


def test_the_report_with_the_token_counts_whatever_came_before_it_and_once(room: Room) -> None:
    """One that has the ENVID alone came first; who was taken off the list by hand is not put back by another copy of the same proof."""
    id = room.sent("you@example.net")
    room.came(dsn(AT, envid=id), AT)
    room.acts()
    assert (room.status(id), room.suppressed()) == ("bounced", [])
    room.came(dsn(room.token(id)), room.token(id))
    room.acts()
    assert room.suppressed() == ["you@example.net"]
    asyncio.run(room.suppression.remove([("you@example.net", "*")], by="unix:0", at=NOW))
    room.came(dsn(room.token(id), extra="X-Number: 2\r\n"), room.token(id))
    room.acts()
    assert room.suppressed() == []


class Closed(MemorySuppression):
    """A list that cannot be opened."""

    async def add(self, entries: Sequence[SuppressionEntry], **more: Any) -> SuppressionDone:
        raise Problem(f"the list is damaged, {len(entries)} {more and 'more'}", "bad-config")


def test_what_cannot_be_done_now_waits_and_is_told(room: Room) -> None:
    """Nothing of it has happened, and when it can be done it is."""
    id = room.sent("you@example.net")
    report = room.came(dsn(room.token(id)), room.token(id))
    room.hearing._suppression = Closed()
    room.acts()
    assert (room.state(report), room.status(id), room.passed) == ("new", "sent", [])
    assert ("bounces", "act") in room.alarms()
    room.hearing._suppression = room.suppression
    room.acts()
    assert (room.state(report), room.status(id)) == ("done", "bounced")
    assert any(isinstance(event, Mended) and event.key == "act" for event in room.told)


def test_a_spool_that_has_no_room_leaves_the_report_where_it_is(room: Room) -> None:
    """The recipient has bounced, and is told of once; the sender gets it when there is room."""
    id = room.sent("you@example.net")
    report = room.came(dsn(room.token(id)), room.token(id))
    room.trouble = Problem("the disk is full", "try-again")
    room.acts()
    assert (room.state(report), room.status(id)) == ("new", "bounced")
    room.trouble = None
    room.acts()
    assert (room.state(report), len(room.passed), len(asyncio.run(room.suppression.log()))) == ("done", 1, 1)


def test_what_is_tried_again_counts_once(room: Room) -> None:
    """A disk that is full for hours does not use up how many reports a sender may get."""
    id = room.sent("you@example.net")
    report = room.came(dsn(room.token(id)), room.token(id))
    room.trouble = Problem("the disk is full", "try-again")
    for _ in range(room.config.bounce.max_per_hour + 2):
        room.acts()
    assert room.state(report) == "new"
    room.trouble = None
    room.acts()
    assert (room.state(report), [to for to, _ in room.passed]) == ("done", ["me@here.example"])


def test_a_status_that_cannot_be_written_waits(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are not settled before what they say is kept."""
    id = room.sent("you@example.net")
    report = room.came(dsn(room.token(id)), room.token(id))

    async def refuse(_: object) -> None:
        raise StatusError("it is locked")

    with monkeypatch.context() as patch:
        patch.setattr(room.office.recorder, "write", refuse)
        room.acts()
    assert room.state(report) == "new"


def test_one_over_which_the_program_stumbles_stops_no_other(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set aside, and that is a bug."""
    id = room.sent("you@example.net")
    good, bad = room.came(dsn(room.token(id)), room.token(id)), room.came(b"bad", AT)

    def stumble(content: bytes) -> Any:
        if content == b"bad":
            raise RecursionError("too deep")
        return read(content)

    monkeypatch.setattr("mailer.bounces.hearing.read", stumble)
    room.acts()
    assert (room.state(good), room.state(bad)) == ("done", "unmatched")
    assert [what for what, _ in room.alarms()] == ["bug"]


def test_a_report_that_was_passed_on_is_not_again(room: Room) -> None:
    """Not by this host, and not by another of its kind: nothing goes round."""
    id = room.sent("you@example.net")
    room.came(away(room.token(id)), room.token(id))
    room.acts()
    [(_, content)] = room.passed
    assert content.startswith(b"Received: by here.example")
    room.came(content, room.token(id))
    room.acts()
    assert len(room.passed) == 1


def test_nobody_gets_reports_where_that_is_not_wanted(tmp_path: Path) -> None:
    """bounce.forward = "nobody"."""
    room = Room(tmp_path, 'forward = "nobody"\n')
    id = room.sent("you@example.net")
    room.came(dsn(room.token(id)), room.token(id))
    room.acts()
    assert (room.status(id), room.passed) == ("bounced", [])
    room.office.close()


def test_a_message_that_no_status_knows_is_found_in_the_spool(room: Room) -> None:
    """Then the status hears of it with the report."""
    id = room.office.put("you@example.net", sender="me@here.example")
    room.came(dsn(room.token(id)), room.token(id))
    room.acts()
    assert room.status(id) == "bounced"


def test_it_is_told_where_mail_fails_and_no_report_comes(room: Room) -> None:
    """Its way may be broken: after a day, and where enough was refused."""
    id = room.office.put(*(f"u{number}@example.net" for number in range(30)), sender="me@here.example")
    entry = room.office.spool.read(id)
    room.hearing.told(Tried(NOW, entry, [outcome(to, "fail", at=NOW) for to in range(30)]))
    room.hearing._listen()
    assert room.alarms() == []
    room.clock.time += 86401
    room.hearing._listen()
    assert room.alarms() == [("bounces", "silent")]


class Stubborn(MemoryReports):
    """A place in which the files of some can neither be read nor moved."""

    unread: str = ""
    unmoved: str = ""

    async def load(self, ids: Sequence[str]) -> Sequence[LoadedReport]:
        if self.unread in ids:
            raise PermissionError(13, "Permission denied", self.unread)
        return await super().load(ids)

    async def settle(self, settled: Sequence[SettledReport]) -> None:
        if any(each.id == self.unmoved for each in settled):
            raise PermissionError(13, "Permission denied", self.unmoved)
        await super().settle(settled)


def test_a_file_that_is_not_ours_stops_no_other(room: Room) -> None:
    """It stays where it is, is told, and has its turn when somebody has mended it; more of them than a batch has, too."""
    id = room.sent("you@example.net")
    room.hearing._kept = room.kept = kept = Stubborn()
    ids = sorted(room.came(dsn(room.token(id), extra=f"X-Number: {number}\r\n"), room.token(id)) for number in range(60))
    kept.unread, kept.unmoved = ids[0], ids[1]
    room.acts()
    assert [each for each in ids if room.state(each) == "new"] == ids[:2]
    [alarm] = [event for event in room.told if isinstance(event, Alarm) and event.key == "act"]
    assert f"{ids[0]}: [Errno 13]" in alarm.detail
    assert "and 1 others" in alarm.detail
    kept.unread = kept.unmoved = ""
    room.acts()
    assert {room.state(each) for each in ids} == {"done"}


def test_a_sender_who_cannot_be_reached_stops_no_other(room: Room) -> None:
    """His report waits; that nobody can be reached (a full disk) lets all of them wait."""
    mine, his = room.sent("you@example.net"), room.sent("they@example.net", sender="him@here.example")
    first, second = (room.came(dsn(room.token(id)), room.token(id)) for id in (mine, his))

    def put(content: bytes, to: str, settings: object, now: float, id: str) -> None:
        if to.startswith("him@"):
            raise Problem("the aliases of him@here.example are damaged", "bad-config")
        Room.put(room, content, to, settings, now, id)

    room.hearing._put = put
    room.acts()
    assert (room.state(first), room.state(second), len(room.passed)) == ("done", "new", 1)
    assert ("bounces", "act") in room.alarms()


def test_sums_over_which_the_program_stumbles_stop_no_other(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set aside, and that is a bug."""

    async def stumble(*_: object) -> dict[str, object]:
        raise RecursionError("too deep")

    monkeypatch.setattr("mailer.bounces.aggregates.count", stumble)
    sums = room.came(attached(tlsrpt(), "application/tlsrpt+json"), AT)
    room.acts()
    assert room.state(sums) == "unmatched"
    assert [what for what, _ in room.alarms()] == ["bug"]


def test_a_bell_makes_it_look_at_once(room: Room) -> None:
    """One that says reports, or everything; others are about mail."""
    assert not room.hearing.soon.is_set()
    asyncio.run(room.hearing.heard(Changes(["0" * 26], suspensions=True)))
    assert not room.hearing.soon.is_set()
    asyncio.run(room.hearing.heard(Changes(reports=True)))
    assert room.hearing.soon.is_set()
