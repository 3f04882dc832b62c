"""Attempts and their dialogs: written by the daemon, bounded, read back, and not believed when somebody else wrote them."""

from __future__ import annotations

import json
import sqlite3
from asyncio import run
from pathlib import Path
from typing import Any, Self

import pytest

from mailer.mail.outcome import Hop
from mailer.status.sqlite import schema
from mailer.status.sqlite.reader import Reader
from mailer.status.story import DIALOGS_EACH, DIALOGS_OF_MESSAGE
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office

HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 unverified")


class Told:
    """A trace: what an attempt leaves behind for whoever writes it down."""

    def __init__(self, *lines: str, reused: bool = False) -> None:
        self.lines = lines
        self.reused = reused
        self.asked = 0

    def after(self, earlier: Self) -> None:
        """No host was tried before."""

    def steps(self) -> str:
        """As a transcript says it."""
        return '{"connect":12.5,"mail":3.0}'

    def dialog(self) -> str:
        """As a transcript says it."""
        self.asked += 1
        return json.dumps([[1.5, "host", line] for line in self.lines])


def attempt(office: Office, id: str, *, to: int = 0, at: float = NOW + 5, verdict: Any = "defer", told: Told | None = None) -> None:
    """One more attempt, of which the database hears."""
    due = at + 60 if verdict == "defer" else 0.0
    trace = told or Told("451 no")
    office.settle(id, outcome(to, verdict, at=at, due=due, hop=HOP, trace=trace))


def test_steps_and_dialog_come_back_as_they_were(office: Office) -> None:
    """Milliseconds by phase, whether the connection was used before, and each line with its time and who said it."""
    id = office.put()
    attempt(office, id, told=Told("451 4.7.1 come back", reused=True))
    with Reader(str(office.path)) as reader:
        (known,) = reader.attempts(id)
        assert (known.steps, known.reused, known.host, known.tls) == ({"connect": 12.5, "mail": 3.0}, True, HOP.host, HOP.tls)
        assert [tuple(line) for line in reader.dialogs(id)[known.key]] == [(1.5, "host", "451 4.7.1 come back")]


def test_nobody_asks_what_was_said_where_all_went_well(office: Office) -> None:
    """A delivered message has steps and no dialog, and none was made."""
    id, told = office.put(), Told("250 ok")
    attempt(office, id, verdict="delivered", told=told)
    with Reader(str(office.path)) as reader:
        assert reader.attempts(id)[0].steps == {"connect": 12.5, "mail": 3.0}
        assert reader.dialogs(id) == {}
    assert told.asked == 0


def test_of_a_message_in_two_parts_only_the_one_that_failed_has_a_dialog(office: Office) -> None:
    """That the other was delivered needs no explanation."""
    id, well, badly = office.put("a@one.example", "b@two.example"), Told("250 ok"), Told("451 no")
    delivered = outcome(0, at=NOW + 5, hop=HOP, trace=well)
    office.settle(id, delivered, outcome(1, "defer", at=NOW + 6, due=NOW + 60, hop=HOP, trace=badly))
    with Reader(str(office.path)) as reader:
        assert [lines[0].text for lines in reader.dialogs(id).values()] == ["451 no"]
    assert well.asked == 0


def test_only_the_last_dialogs_of_a_recipient_are_kept(office: Office) -> None:
    """All attempts stay, and what was said in the last three."""
    id = office.put()
    for nth in range(6):
        attempt(office, id, at=NOW + 5 + nth, told=Told(f"451 {nth}"))
    with Reader(str(office.path)) as reader:
        assert len(reader.attempts(id)) == 6
        assert [lines[0].text for lines in reader.dialogs(id).values()] == ["451 3", "451 4", "451 5"]


@pytest.mark.slow
def test_one_recipient_does_not_push_out_the_dialogs_of_another(office: Office) -> None:
    """Three of each, and of a mailing to many the newest."""
    id = office.put(*(f"r{nth}@example.net" for nth in range(12)))
    attempt(office, id, to=0, at=NOW + 1, told=Told("first"))
    for nth in range(6):
        attempt(office, id, to=1, at=NOW + 5 + nth)
    with Reader(str(office.path)) as reader:
        assert len(reader.dialogs(id)) == 1 + DIALOGS_EACH
    for to in range(2, 12):
        for nth in range(3):
            attempt(office, id, to=to, at=NOW + 100 + to + nth / 10)
    with Reader(str(office.path)) as reader:
        assert len(reader.dialogs(id)) == DIALOGS_OF_MESSAGE


def test_recipients_of_one_transaction_share_its_dialog(office: Office) -> None:
    """It is stored once, however many were refused in it."""
    id, told = office.put("a@example.net", "b@example.net"), Told("451 no")
    office.settle(id, *(outcome(to, "defer", at=NOW + 5, due=NOW + 60, hop=HOP, trace=told) for to in range(2)))
    with Reader(str(office.path)) as reader:
        keys = {known.key for known in reader.attempts(id)}
        assert reader.dialogs(id).keys() == keys
        assert len(keys) == 1


def test_there_are_never_more_dialogs_than_there_may_be(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the oldest messages go, the messages stay."""
    monkeypatch.setattr(schema, "DIALOGS", 2)
    ids = [office.put(at=NOW + nth) for nth in range(4)]
    for id in ids:
        attempt(office, id)
    assert run(office.recorder.forget(NOW - 1000)) == 0
    with Reader(str(office.path)) as reader:
        assert [id for id in ids if reader.dialogs(id)] == ids[-3:]
        assert all(reader.attempts(id) for id in ids)


def test_a_dialog_goes_with_its_message(office: Office) -> None:
    """The one retention rule."""
    id = office.put()
    attempt(office, id, verdict="fail")
    run(office.recorder.forget(NOW + 10_000))
    with Reader(str(office.path)) as reader:
        assert (reader.record(id), reader.attempts(id), reader.dialogs(id)) == (None, [], {})


@pytest.mark.parametrize(
    "lines", ["", "no json", "{}", "[1]", '[[1, "host"]]', '[["x", "host", "y"]]', '[[1, "nobody", "y"]]', '[[1, "us", 5]]', "[" * 10_000]
)
def test_a_dialog_that_somebody_else_wrote_is_left_out(office: Office, lines: str) -> None:
    """And counted; nothing else suffers."""
    id = office.put()
    attempt(office, id)
    tamper(office.path, "UPDATE dialogs SET lines = ?", lines)
    with Reader(str(office.path)) as reader:
        assert reader.dialogs(id) == {}
        assert reader.damaged == 1
        assert len(reader.attempts(id)) == 1


@pytest.mark.parametrize("steps", ["no json", "[]", "[" * 10_000, b"\x00"])
def test_steps_that_somebody_else_wrote_are_left_out(office: Office, steps: object) -> None:
    """With the row that has them."""
    id = office.put()
    attempt(office, id)
    tamper(office.path, "UPDATE attempts SET steps = ?", steps)
    with Reader(str(office.path)) as reader:
        assert (reader.attempts(id), reader.damaged) == ([], 1)


def tamper(path: Path, statement: str, value: object) -> None:
    """Write into the database what no program of ours does."""
    db = sqlite3.connect(path)
    with db:
        db.execute(statement, (value,))
    db.close()


@pytest.mark.parametrize("known", [True, False])
def test_that_the_clock_was_set_is_no_attempt(office: Office, known: bool) -> None:
    """The message shows when it is due by the new clock, and its story has the one attempt that there was."""
    id = office.deferred(known=known)
    again = outcome(0, "defer", text="come back later", at=NOW + 9000, due=NOW + 9300, counts=False, waited=10.0, moved=True)
    office.settle(id, again, known=known)
    with office.view() as view:
        record = view.message(id)
        assert (record.attempts, record.next_attempt_at) == (1, NOW + 9300)
        assert [(each.at, each.counts) for each in view.story(record).attempts] == [(NOW + 5, True)]


@pytest.mark.parametrize("known", [False, True])
def test_attempts_stand_in_the_order_in_which_they_were_made(office: Office, known: bool) -> None:
    """Also where the clock was set back between two of them: the last one is the last one."""
    id = office.put("a@example.net", "b@example.net")
    office.settle(id, *(outcome(to, "defer", text="first", at=NOW + 3600, due=NOW + 3660) for to in (1, 0)), known=known)
    office.settle(id, *(outcome(to, "defer", text="second", at=NOW + 30, due=NOW + 90) for to in (0, 1)), known=known)
    with office.view() as view:
        record = view.message(id)
        assert record is not None
        story = view.story(record)
    assert [(each.text, each.position) for each in story.attempts] == [("first", 0), ("first", 1), ("second", 0), ("second", 1)]
    last = story.last(0)
    assert last is not None
    assert last.text == "second"
