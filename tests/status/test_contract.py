"""What every status promises, whatever keeps it: to whoever writes, and to whoever asks."""

from __future__ import annotations

import os
from asyncio import run
from functools import partial
from pathlib import Path

import pytest

from mailer.aggregate.summary import DAY, AggregateReport, DmarcReport, DmarcSource, TlsReport, TlsResult
from mailer.events import AlarmsOpen, Changed, Corrupt, Event, Seen, Settled, Standings, Tried
from mailer.mail.alarm import OpenAlarm
from mailer.mail.outcome import Cause
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.status.api import EVERYTHING, PAGE, Filter, every
from mailer.status.catchup import catch_up
from mailer.status.sqlite import sums
from mailer.status.standing import Standing
from mailer.status.story import DIALOGS_EACH, DIALOGS_OF_MESSAGE
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office
from tests.status.test_story import HOP, Told, attempt

CALM = Standing("relay:out", 0, 0, 5.0, 20, "closed", 0, 0.0, "", 0.0, "", 0.0, "", 0.0, "", "", 0.0)


def everything(office: Office) -> list[object]:
    """All that can be asked."""
    with office.view() as view:
        records = [*every(partial(view.messages, EVERYTHING))]
        stories = [(view.story(record).attempts, view.story(record).dialogs) for record in records]
        return [records, stories, [*every(view.backlog)], [*every(partial(view.undelivered, EVERYTHING))], view.summary()]


# What is told


@pytest.mark.parametrize("batches", [1, 2, 3, 9])
def test_news_that_is_told_twice_changes_nothing(either: Office, batches: int) -> None:
    """Idempotent by message, recipient and the time of the attempt, in one batch or in many, and after a crash from the beginning."""
    id = either.put("a@x.example", "b@x.example", "c@x.example")
    trace = Told("451 no")
    told = either.settle(
        id,
        outcome(0, at=NOW + 1, hop=HOP),
        outcome(1, "fail", at=NOW + 1, hop=HOP, trace=trace),
        outcome(2, "defer", at=NOW + 2, due=NOW + 60, hop=HOP, trace=trace),
        known=False,
    )
    events = [*told, *told]
    size = -(-len(events) // batches)
    for at in range(0, len(events), size):
        either.write(events[at : at + size])
    before = everything(either)
    either.write(told)
    assert everything(either) == before
    with either.view() as view:
        record = view.message(id)
        assert record is not None
        assert [(each.position, each.at, each.verdict) for each in view.story(record).attempts] == [
            (0, NOW + 1, "delivered"), (1, NOW + 1, "fail"), (2, NOW + 2, "defer"),
        ]  # fmt: skip


def test_what_an_operator_did_and_what_is_damaged_is_known(either: Office) -> None:
    """Both end up in the status, and the spool is right about what it still has."""
    held, lost = either.put(), either.put()
    for id in (held, lost):
        either.seen(id)
    either.spool.hold(held)
    either.write([Changed(NOW, either.entry(held), "held"), Corrupt(NOW + 1, lost, "a bit has turned")])
    either.spool_path(lost).unlink()
    with either.view() as view:
        found = {record.id: record for record in every(partial(view.messages, EVERYTHING))}
    assert (found[held].status, found[lost].status) == ("held", "failed")
    assert "a bit has turned" in found[lost].error
    assert found[lost].recipients[0].status == "failed"


@pytest.mark.slow
def test_of_dialogs_the_last_few_are_kept(either: Office) -> None:
    """Of each recipient, and of all of them together."""
    id = either.put(*(f"r{nth}@example.net" for nth in range(9)))
    for nth in range(5):
        for to in range(9):
            attempt(either, id, to=to, at=NOW + nth * 100 + to, told=Told(f"451 {nth}"))
    with either.view() as view:
        record = view.message(id)
        assert record is not None
        story = view.story(record)
        assert len(story.attempts) == 45
        assert len(story.dialogs) == DIALOGS_OF_MESSAGE
        said = [lines[0].text for lines in story.dialogs.values()]
        assert set(said) == {f"451 {nth}" for nth in range(5 - DIALOGS_EACH, 5)}
        assert [each.position for each in view.story(record, 2).attempts] == [7, 8]


def test_who_handed_a_message_over_is_known_before_and_after(either: Office) -> None:
    """Told by a door, or found in the envelope; the owner of the spool is nobody to be told of."""
    anna = unix(os.geteuid() + 1)
    door, letter, own = (either.put(submitter=who) for who in ({}, anna.as_submitter(), unix(os.geteuid()).as_submitter()))
    either.recorder.adopted(door, anna)
    for id in (letter, own):
        either.seen(id)
    assert [either.recorder.submitter(id) for id in (door, letter, own, "0" * 26)] == [
        (True, anna),
        (True, anna),
        (True, None),
        (False, None),
    ]
    assert [either.recorder.knows(id) for id in (door, own, "0" * 26)] == [True, True, False]
    with either.view() as view:
        assert [*every(partial(view.submitted, anna))] == sorted((door, letter), reverse=True)
        assert view.submitted(anna, limit=1).cursor == max(door, letter)
        assert view.named_of(anna, "nothing has this name") == [door]


def test_who_waits_for_a_reason_is_told_by_message(either: Office) -> None:
    """In pages that end with a message, so that none is in two."""
    ids = []
    for nth in range(5):
        ids.append(either.put("a@x.example", "b@y.example", at=NOW + nth))
        put_off = (outcome(to, "defer", due=NOW + 60, at=NOW + 1, cause=Cause.BREAKER) for to in range(2))
        either.settle(ids[-1], *put_off)
    either.deferred()
    page = run(either.recorder.put_off(limit=3))
    assert [(each.id, each.domain, each.cause) for each in page.items] == [
        (id, domain, Cause.BREAKER) for id in ids[:2] for domain in ("x.example", "y.example")
    ]
    rest = run(either.recorder.put_off(page.cursor))
    assert ([each.id for each in rest.items], rest.cursor) == ([id for id in ids[2:] for _ in range(2)], "")


def test_what_was_cancelled_is_counted_among_what_was_given_up(either: Office) -> None:
    """Of those that are asked about."""
    failed, gone, other = either.failed(), either.put(), either.put()
    for id in (gone, other):
        either.settle(id, outcome(0, "cancel", cause=Cause.CANCELLED))
    assert run(either.recorder.cancelled([failed, gone, "01ZZZZ"])) == 1
    assert run(either.recorder.cancelled([failed, gone, *(f"{nth:026}" for nth in range(PAGE)), other])) == 2
    assert run(either.recorder.cancelled([])) == 0


def test_what_has_left_the_spool_was_sent(either: Office) -> None:
    """No more is known of it; what was over stays as it was."""
    gone, failed = either.deferred(), either.failed()
    either.spool_path(gone).unlink()
    run(either.recorder.left([gone, failed]))
    assert run(either.recorder.unsent()) == {failed: "failed"}
    with either.view() as view:
        record = view.message(gone)
        assert record is not None
        assert (record.status, record.recipients[0].status, record.recipients[0].reply) == ("sent", "sent", "")


def test_only_what_is_over_is_forgotten_and_with_it_all_that_is_known(either: Office) -> None:
    """The one rule of retention: what was heard of since stays, and so does what is pending."""
    sent, waits, late = either.sent(at=NOW), either.deferred(at=NOW), either.put(at=NOW)
    either.settle(late, outcome(0, "fail", at=NOW + 5000))
    assert run(either.recorder.forget(NOW + 1000)) == 1
    assert [either.recorder.knows(id) for id in (sent, waits, late)] == [False, True, True]
    assert run(either.recorder.forget(NOW + 9000)) == 1
    assert [either.recorder.knows(id) for id in (waits, late)] == [True, False]
    assert run(either.recorder.forget(NOW + 9000)) == 0


def test_how_it_stands_with_destinations_is_replaced_by_key(either: Office) -> None:
    """What is new is told, what is gone goes, and who begins knows nothing of what was."""
    others = [CALM._replace(key=f"mx:mx{nth}.example.net", waiting=nth) for nth in range(5)]
    either.write([Standings(NOW, [CALM, *others], first=True)])
    either.write([Standings(NOW + 1, [CALM._replace(sessions=3)], gone=[others[0].key])])
    with either.view() as view:
        found = [*every(view.destinations)]
        assert found == [*(other._replace(updated_at=NOW) for other in others[1:]), CALM._replace(sessions=3, updated_at=NOW + 1)]
        first = view.destinations(limit=3)
        assert [*first.items, *view.destinations(first.cursor, 3).items] == found
    either.write([Standings(NOW + 2, [], first=True)])
    with either.view() as view:
        assert not view.destinations().items


# What is asked


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_together_are_the_list(either: Office, limit: int) -> None:
    """Nothing twice and nothing missing, in the order of the list, whatever is known of a message; and the last page has no cursor."""
    for nth in range(3):
        at = NOW + 10 * nth
        either.put(at=at), either.sent(at=at + 1), either.deferred("a@x.example", "b@y.example", at=at + 2, due=NOW + 9999)
        (
            either.deferred(known=False, at=at + 3),
            either.failed("a@x.example", "b@x.example", at=at + 4),
            either.failed(known=False, at=at + 5),
        )
        either.held(at=at + 6)
    with either.view() as view:
        lists = (
            partial(view.messages, EVERYTHING),
            partial(view.queue, Filter(domain="*.example")),
            partial(view.undelivered, EVERYTHING),
            view.backlog,
        )
        for ask in lists:
            whole, found, cursor, pages = ask(limit=10_000), [], "", 0
            assert whole.items
            assert whole.cursor == ""
            while pages == 0 or cursor:
                page = ask(cursor, limit)
                assert len(page.items) <= limit + 1, "a page of those who wait ends with a message"
                found += page.items
                cursor, pages = page.cursor, pages + 1
            assert found == [*whole.items]
        assert len([*every(lists[0], 2)]) == 2


def test_a_place_that_is_none_is_refused(either: Office) -> None:
    """A cursor comes from the page before, or from a mistake."""
    with either.view() as view, pytest.raises(Problem, match="no place"):
        view.undelivered(EVERYTHING, "not from here")


def test_a_status_that_is_new_is_filled_from_the_spool(either: Office) -> None:
    """Whatever it missed: what waits, what was given up, and what an operator holds."""
    ids = {either.deferred(known=False): "deferred", either.failed(known=False): "failed", either.held(): "held"}
    run(catch_up(either.recorder, either.spool, either.reports.append))
    assert run(either.recorder.unsent()) == ids
    before = everything(either)
    run(catch_up(either.recorder, either.spool, either.reports.append))
    assert (everything(either), either.reports) == (before, [])


def test_a_status_says_when_it_is_to_be_filled(either: Office) -> None:
    """Whoever fills it says that this has begun."""
    assert either.recorder.incomplete is False
    either.recorder.incomplete = True
    run(either.recorder.maintain())
    assert either.recorder.incomplete is True


def test_nothing_is_told_of_no_news(either: Office) -> None:
    """An empty batch is written at once, and an event that is about nothing known changes nothing."""
    events: list[Event] = []
    either.write(events)
    either.write([Corrupt(NOW, "drop/x", "of user 7: no message"), Seen(NOW, either.entry(either.put()))])
    with either.view() as view:
        assert view.summary().counts["queued"] == 1
        assert not view.undelivered().items


def test_a_report_that_came_is_not_undone_by_older_news(either: Office) -> None:
    """Told again after a crash, the attempt is still that of before."""
    id = either.put()
    told = either.settle(id, outcome(0, "fail", at=NOW + 1), known=False)
    either.write(told)
    either.write([event for event in told if not isinstance(event, Tried | Settled)])
    with either.view() as view:
        record = view.message(id)
        assert record is not None
        assert (record.status, record.recipients[0].status) == ("failed", "failed")


# Alarms


def test_the_alarms_that_are_open_are_known(either: Office) -> None:
    """All of them each time, oldest first, to whoever looks and to the next daemon; half a character is no trouble."""
    one = OpenAlarm("destination", "relay:out", NOW, NOW + 5, 3, "critical", "it is down", "the host", told=True)
    two = OpenAlarm("disk", "", NOW - 9, NOW, 1, "warning", "nearly full\ud800")
    either.write([AlarmsOpen(NOW, [one]), AlarmsOpen(NOW + 1, [one, two])])
    with either.view() as view:
        assert [(alarm.kind, alarm.since) for alarm in view.alarms()] == [("disk", NOW - 9), ("destination", NOW)]
        assert view.alarms()[1] == one
    assert [alarm.kind for alarm in run(either.recorder.alarms())] == ["disk", "destination"]
    either.write([AlarmsOpen(NOW + 2, [])])
    with either.view() as view:
        assert view.alarms() == []


# What others report in sums


def reports_of(*ids: str, domain: str = "example.com") -> list[AggregateReport]:
    """Reports with the same sum, a day apart each."""
    source = DmarcSource(domain, "192.0.2.1", "none", dkim=True, spf=False, signer=domain, signed="pass")
    return [DmarcReport(domain, "receiver", id, DAY * at, DAY * at + 86399, "none", {source: 3}, 1, "odd") for at, id in enumerate(ids, 1)]


TLS = TlsReport("receiver", "t", DAY, DAY + 9, {TlsResult("example.com", "sts", "success"): 5, TlsResult("b.example", "sts", "x", "mx"): 2})


def test_a_report_in_sums_counts_once(either: Office) -> None:
    """However often it comes, alone or with others; of two with equal sums each counts."""
    ours = "example.com".__eq__
    assert run(either.recorder.count([*reports_of("a", "b"), TLS], NOW, ours)) == ["new", "new", "new"]
    assert run(either.recorder.count([*reports_of("a"), TLS, *reports_of("z")], NOW, ours)) == ["known", "known", "new"]
    assert run(either.recorder.count([], NOW, ours)) == []
    with either.view() as view:
        (first, second) = view.dmarc_sums(0)
        assert (first.day, first.messages, second.day, second.messages) == (1, 6, 2, 3)
        assert first.what == next(iter(reports_of("a")[0].counts))
        assert [(each.what.domain, each.what.host, each.sessions) for each in view.tls_sums(0)] == [
            ("b.example", "mx", 2), ("example.com", "", 5),
        ]  # fmt: skip
        assert [(each.kind, each.report_id, each.bad) for each in view.aggregate_reports(2 * DAY)] == [("dmarc", "b", 1)]
        assert [*view.dmarc_sums(3), *view.tls_sums(2)] == []
        assert not view.notes


def test_sums_go_with_their_day(either: Office) -> None:
    """The retention of messages is theirs, too."""
    run(either.recorder.count([*reports_of("a", "b"), TLS], 0.0, "example.com".__eq__))
    run(either.recorder.forget(2.0 * DAY))
    with either.view() as view:
        assert [each.day for each in view.dmarc_sums(0)] == [2]
        assert [*view.tls_sums(0)] == []
        assert [each.report_id for each in view.aggregate_reports(0)] == ["b"]


def test_there_is_an_end_to_what_strangers_can_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports on domains of others find no room where ours still do; at the end none does, and what was counted stays."""
    monkeypatch.setattr(sums, "MOST_FOREIGN", 5)
    monkeypatch.setattr(sums, "MOST", 9)
    office = Office(tmp_path)
    ours = "example.com".__eq__
    foreign = reports_of("a", "b", "c", domain="foreign.example")
    assert run(office.recorder.count(foreign, NOW, ours)) == ["new", "new", "full"]
    assert run(office.recorder.count([*reports_of("a", "b", "c"), foreign[2]], NOW, ours)) == ["new", "new", "full", "full"]
    assert run(office.recorder.count(reports_of("a"), NOW, ours)) == ["full"]
    with office.view() as view:
        assert [each.messages for each in view.dmarc_sums(0)] == [3] * 4
    office.close()
