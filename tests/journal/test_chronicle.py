"""What the daemon's events come to in the journal, and what is told once though it was met twice."""

from __future__ import annotations

from asyncio import run
from pathlib import Path

import pytest

from mailer.events import Alarm, AlarmBegun, AlarmOver, Changed, Event, Mended, Seen, Settled, Tried
from mailer.journal import chronicle as module
from mailer.journal.api import JournalEvent
from mailer.journal.catchup import missed, recall
from mailer.journal.chronicle import Chronicle
from mailer.journal.memory import MemoryJournal
from mailer.mail.alarm import OpenAlarm
from mailer.mail.outcome import Cause, Hop, cancelled
from mailer.spool.api import Entry
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import NOW, FakeClock, entry_of, id_at, outcome, put

HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 verified")
KEY = {"principal": "key:shop", "stream": "receipts"}


class Scribe:
    """A chronicle, its journal, and what it told."""

    def __init__(self, *known: str, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.journal = MemoryJournal(self.clock.now)
        self.told: list[Event] = []
        self.chronicle = Chronicle(self.journal, self.clock, self.told.append, known.__contains__)

    def written(self, *events: Event) -> list[JournalEvent]:
        """What these events come to."""
        for event in events:
            self.chronicle.told(event)
        before = len(run(self.journal.read("", 100_000)))
        assert run(self.chronicle.write())
        return [event._replace(id="") for event in run(self.journal.read("", 100_000))[before:]]


def kinds(events: list[JournalEvent]) -> list[tuple[str, str]]:
    """Of what type, about whom."""
    return [(event.type, event.to) for event in events]


def test_each_recipient_has_a_line_of_its_own() -> None:
    """Who it is, what the host said, which try it was, when the next one is; and by whose key it came."""
    entry = entry_of("a@x.example", "b@y.example", request_id="r-1", submitter=KEY)
    outcomes = [
        outcome(0, hop=HOP, text="taken"),
        outcome(1, "defer", hop=HOP, text="later", due=NOW + 60, cause=Cause.GREYLISTED, at=NOW + 1),
    ]
    entry.history.add(outcomes)
    shared = {"message": entry.id, "request_id": "r-1", "key": "shop", "stream": "receipts"}
    hop = {"host": "mx.example.net", "tls": "TLSv1.3 verified", "attempt": 1}
    assert Scribe().written(Tried(NOW, entry, outcomes)) == [
        JournalEvent("", NOW, "delivered", to="a@x.example", code=250, enhanced="2.0.0", reply="taken", **shared, **hop),
        JournalEvent(
            "", NOW + 1, "deferred", to="b@y.example", code=451, enhanced="4.3.0", reply="later", class_="greylisted", next=NOW + 60,
            **shared, **hop,
        ),
    ]  # fmt: skip


def test_a_message_is_accepted_once_however_often_it_is_read() -> None:
    """It is put back and read again before it was tried; once it was tried, nobody says so any more."""
    entry, scribe = entry_of("a@x.example", "b@x.example"), Scribe()
    assert kinds(scribe.written(Seen(NOW, entry))) == [("accepted", "a@x.example"), ("accepted", "b@x.example")]
    assert scribe.written(Seen(NOW, entry)) == []
    assert scribe.written(Settled(NOW, entry, "deferred", NOW + 5)) == []


def test_a_user_of_this_machine_has_no_key() -> None:
    """Nor has mail whose envelope says nonsense."""
    for submitter in ({"uid": 1000, "principal": "unix:1000"}, {"principal": 7, "stream": []}, {}):
        [event] = Scribe().written(Seen(NOW, entry_of("a@x.example", submitter=submitter)))
        assert (event.key, event.stream) == ("", "")


def test_what_an_operator_withdraws_is_cancelled_for_those_who_wait() -> None:
    """Who has it has it."""
    entry, scribe = entry_of("a@x.example", "b@x.example"), Scribe()
    entry.history.add([outcome(0), *cancelled([1], "withdrawn", NOW)])
    [event] = scribe.written(Changed(NOW, entry, "cancelled"))
    assert (event.type, event.to, event.reply, event.class_) == ("cancelled", "b@x.example", "withdrawn", "cancelled")
    assert scribe.written(Changed(NOW, entry, "held")) == []


def test_alarms_begin_and_end() -> None:
    """With their kind, their key, and their words."""
    alarm = OpenAlarm("login", "relay:out", NOW, NOW, 1, "critical", "the password is wrong")
    begun, over = Scribe().written(AlarmBegun(NOW, alarm), AlarmOver(NOW + 5, alarm, "it is taken"))
    assert begun == JournalEvent("", NOW, "alarm", to="begun", reply="the password is wrong", host="relay:out", class_="login")
    assert over == begun._replace(at=NOW + 5, to="over", reply="it is taken")


def test_a_very_long_reply_is_cut() -> None:
    """A line has a bound; the spool keeps all of it."""
    entry = entry_of("a@x.example")
    [event] = Scribe().written(Tried(NOW, entry, [outcome(0, "fail", text="x" * 5000)]))
    assert len(event.reply) == 2000
    assert event.reply.endswith("x…")


def test_very_many_recipients_are_accepted_a_few_at_a_time() -> None:
    """All of them, and in their order."""
    addresses = [f"r{nth}@x.example" for nth in range(1000)]
    assert [to for _, to in kinds(Scribe().written(Seen(NOW, entry_of(*addresses))))] == addresses


def test_what_could_not_be_written_is_written_in_its_order_later() -> None:
    """An alarm begins and ends; nothing is there twice."""
    scribe = Scribe()
    first, second = entry_of("a@x.example"), entry_of("b@x.example")
    scribe.chronicle.told(Seen(NOW, first))
    scribe.journal.trouble = OSError(28, "No space left on device")
    assert not run(scribe.chronicle.write())
    assert not run(scribe.chronicle.write())
    assert scribe.chronicle.failing
    scribe.journal.trouble = None
    assert [event.to for event in scribe.written(Seen(NOW, second))] == ["a@x.example", "b@x.example"]
    assert not scribe.chronicle.failing
    assert [type(event) for event in scribe.told] == [Alarm, Alarm, Mended]
    assert "No space left on device" in scribe.told[0].detail  # type: ignore[attr-defined]


def test_of_lines_that_wait_for_the_disk_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, and that they are missing is known."""
    monkeypatch.setattr(module, "MOST", 3)
    scribe = Scribe()
    scribe.journal.trouble = OSError(28, "No space left on device")
    for nth in range(5):
        scribe.chronicle.told(Seen(NOW, entry_of(f"r{nth}@x.example")))
        assert not run(scribe.chronicle.write())
    assert (scribe.chronicle.incomplete, scribe.chronicle.dropped) == (True, 2)
    scribe.journal.trouble = None
    assert [event.to for event in scribe.written()] == ["r2@x.example", "r3@x.example", "r4@x.example"]


# After a crash


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    """An empty spool."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    return spool


def deferred(spool: SpoolDirectory, at: float, *, journaled: Scribe | None = None) -> Entry:
    """A message of which one recipient has it and one waits, learned at a time; written to the journal or not."""
    id = put(spool, "a@x.example", "b@x.example", id=id_at(at - 1))
    outcomes = [outcome(0, at=at), outcome(1, "defer", at=at, due=NOW + 9999)]
    with spool.claim(id) as claim:
        spool.defer(claim, outcomes, NOW + 9999)
    entry = spool.read(id)
    if journaled:
        journaled.written(Seen(at - 1, entry_of("a@x.example", "b@x.example", id=id)), Tried(at, entry, outcomes))
    return entry


def again(scribe: Scribe, spool: SpoolDirectory, *known: str) -> Scribe:
    """The next daemon, on the same journal and spool."""
    other = Scribe(*known, clock=FakeClock(scribe.clock.time + 100))
    other.journal = scribe.journal
    other.chronicle = Chronicle(scribe.journal, other.clock, other.told.append, known.__contains__)
    other.chronicle.recall(*run(recall(scribe.journal, spool)))
    return other


def test_what_the_spool_has_learned_and_the_journal_has_not_is_told_after_a_crash(spool: SpoolDirectory) -> None:
    """What it has is not told again; nor is what is told now, when the message is met once more."""
    first = Scribe()
    had, new = deferred(spool, NOW + 1, journaled=first), deferred(spool, NOW + 2)
    second = again(first, spool, had.id)
    for entry in missed(spool, 0.0):
        if entry is not None:
            second.chronicle.resumed(entry)
    assert kinds(second.written()) == [
        ("accepted", "a@x.example"), ("accepted", "b@x.example"), ("delivered", "a@x.example"), ("deferred", "b@x.example"),
    ]  # fmt: skip
    for entry in (spool.read(had.id), spool.read(new.id)):
        assert not second.chronicle.resumed(entry)
    assert second.written(Seen(NOW + 5, spool.read(new.id))) == []
    third = again(second, spool)
    assert not any(third.chronicle.resumed(entry) for entry in missed(spool, 0.0) if entry)


def test_who_had_it_before_the_crash_and_gets_it_again_is_told_once(spool: SpoolDirectory) -> None:
    """The daemon died between the journal and the end of the file: a final outcome is told once."""
    first = Scribe()
    entry = spool.read(put(spool, "a@x.example", id=id_at(NOW - 1)))
    first.written(Seen(NOW, entry), Tried(NOW, entry, [outcome(0)]))
    second = again(first, spool)
    assert second.written(Seen(NOW + 150, entry), Tried(NOW + 150, entry, [outcome(0, at=NOW + 150)])) == []


def test_a_message_that_waited_since_long_before_is_known_by_its_status(spool: SpoolDirectory) -> None:
    """The journal was written before the status, so who is in the one is in the other."""
    first = Scribe()
    first.written(Seen(NOW, entry_of("x@x.example")))
    old = [spool.read(put(spool, "a@x.example", id=id_at(NOW - 90_000))) for _ in range(2)]
    second = again(first, spool, old[0].id)
    assert [event.message for event in second.written(*(Seen(NOW, entry) for entry in old))] == [old[1].id]


def test_only_what_has_changed_since_is_read(spool: SpoolDirectory) -> None:
    """Of a hundred thousand messages that wait, those of the last minutes."""
    deferred(spool, NOW)
    assert [entry is None for entry in missed(spool, 0.0)] == [False]
    assert [entry is None for entry in missed(spool, 1e12)] == [True]


def test_the_end_of_a_busy_journal_is_enough(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared has a bound, and is complete from the moment on that is told."""
    monkeypatch.setattr("mailer.journal.catchup.MOST", 20)
    monkeypatch.setattr("mailer.journal.catchup.PAGE", 5)
    scribe = Scribe()
    entries = [spool.read(put(spool, "a@x.example", id=id_at(NOW - 1))) for _ in range(50)]
    for entry in entries:
        scribe.clock.time += 1
        scribe.written(Tried(scribe.clock.time, entry, [outcome(0, "defer", at=scribe.clock.time, due=NOW + 999)]))
    found = run(recall(scribe.journal, spool))
    assert 20 < len(found.known) <= 45
    assert NOW < found.since <= min(event.at for event in found.known)
    assert {event.message for event in found.known} == {entry.id for entry in entries[-len(found.known) :]}


def test_an_empty_journal_misses_what_came_since_it_was_begun(spool: SpoolDirectory) -> None:
    """And one that was never begun misses nothing."""
    scribe = Scribe()
    assert run(recall(scribe.journal, spool)) == ([], 0.0)
    run(scribe.journal.keep(1e9, 10**9, ()))
    assert run(recall(scribe.journal, spool)).since == NOW


def test_what_is_written_while_the_journal_is_read_is_told_once(spool: SpoolDirectory) -> None:
    """Whoever reads it may have been before that."""
    scribe = Scribe()
    entry = spool.read(put(spool, "a@x.example", id=id_at(NOW + 1)))
    with scribe.chronicle.recalling():
        known = run(scribe.journal.read("", 100))
        assert scribe.written(Seen(NOW, entry))
        scribe.chronicle.recall(known, NOW)
    assert not scribe.chronicle.resumed(entry)
