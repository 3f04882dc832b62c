"""What came by the doors, in each status: taken and refused alike, folded, bounded, found again."""

from __future__ import annotations

import sqlite3
from asyncio import run
from dataclasses import replace

import pytest

from mailer.events import Event, LoginFailed, TakenIn, TurnedAway
from mailer.mail.arrival import Arrival
from mailer.status import incoming
from mailer.status.api import StatusError
from mailer.status.incoming import LOGIN
from mailer.status.received import EACH, SPAN, TEXT, ReceivedFilter, ReceivedRecord
from mailer.status.sqlite import file
from mailer.status.sqlite import received as rows
from tests.fakes.mail import NOW
from tests.status.office import Office

ID = "01KAHGWV7J5ZQ0C9XK3M2T8B4R"
CLIENT = Arrival("mx", "192.0.2.7", "there.example", "ESMTPS", "TLSv1.3", "mail.there.example")
USER = Arrival("submission", "2001:db8::7", "[10.0.0.1]", "ESMTPSA", "TLSv1.3", user="bob@example.com", proxy="10.0.0.9")
TAKEN = TakenIn(NOW, CLIENT, ID, "ann@there.example", ["bob@example.com", '"e v"@example.com'], 1234, "mark", "spamd 7.5")
REFUSED = TurnedAway(
    NOW + 1, CLIENT, "rcpt", "550 5.1.1 no such user", "unknown", "ann@there.example", "nobody@example.com", "it was asked"
)
FAILED = LoginFailed(NOW + 2, replace(USER, user=""), "eve@example.com", "PLAIN", "wrong password")


def found(office: Office, wanted: ReceivedFilter = ReceivedFilter()) -> list[ReceivedRecord]:  # noqa: B008 - it is a constant
    with office.view() as view:
        return [*view.received(wanted)]


def refused(nth: int, *, at: float = NOW, arrival: Arrival = CLIENT, reason: str = "unknown") -> TurnedAway:
    return TurnedAway(at + nth / 1000, arrival, "rcpt", f"550 5.1.1 number {nth}", reason, "ann@there.example", f"r{nth}@example.com")


def test_what_was_taken_and_what_was_refused_is_one_list(either: Office) -> None:
    """The newest first, each with all that is known of how it came."""
    either.write([TAKEN, REFUSED, FAILED])
    login, refusal, message = found(either)
    assert message == incoming.of(TAKEN)
    assert (message.why, message.verdict) == ("spamd 7.5", "mark")
    assert refusal == incoming.of(REFUSED)
    assert (login.reason, login.user, login.phase, login.reply, login.taken) == (LOGIN, "eve@example.com", "auth", "wrong password", False)
    assert message.recipients == ["bob@example.com", '"e v"@example.com']
    assert refusal.as_json() == {
        "at": "2027-01-15T08:00:01Z",
        "event": "refused",
        "door": "mx",
        "ip": "192.0.2.7",
        "proxy": None,
        "name": "mail.there.example",
        "hello": "there.example",
        "protocol": "ESMTPS",
        "tls": "TLSv1.3",
        "user": None,
        "from": "ann@there.example",
        "to": ["nobody@example.com"],
        "id": None,
        "size": None,
        "verdict": "refuse",
        "reason": "unknown",
        "phase": "rcpt",
        "reply": "550 5.1.1 no such user",
        "why": "it was asked",
        "times": 1,
        "since": "2027-01-15T08:00:01Z",
    }
    assert login.as_json()["proxy"] == "10.0.0.9"
    assert (login.as_json()["from"], message.as_json()["from"]) == (None, "ann@there.example")


@pytest.mark.parametrize(
    ("wanted", "who"),
    [
        (ReceivedFilter(), "LRT"),
        (ReceivedFilter(taken=True), "T"),
        (ReceivedFilter(taken=False), "LR"),
        (ReceivedFilter(sender="ANN@there.example"), "RT"),
        (ReceivedFilter(sender="*@example.com"), ""),
        (ReceivedFilter(sender="<>"), ""),
        (ReceivedFilter(to="nobody@*"), "R"),
        (ReceivedFilter(to='"e v"@example.com'), "T"),
        (ReceivedFilter(ip="192.0.2.7"), "RT"),
        (ReceivedFilter(ip="192.0.2.0/24"), "RT"),
        (ReceivedFilter(ip="2001:db8::/32"), "L"),
        (ReceivedFilter(ip="192.0.2.8"), ""),
        (ReceivedFilter(reason="unknown"), "R"),
        (ReceivedFilter(reason="mark"), "T"),
        (ReceivedFilter(reason="spamd*"), "T"),
        (ReceivedFilter(reason="refuse"), "LR"),
        (ReceivedFilter(since=NOW + 1), "LR"),
        (ReceivedFilter(since=NOW + 3), ""),
        (ReceivedFilter(sender="ann@*", reason="unknown", ip="192.0.2.7", taken=False), "R"),
    ],
)
def test_a_filter_finds_what_it_means(either: Office, wanted: ReceivedFilter, who: str) -> None:
    either.write([TAKEN, REFUSED, FAILED])
    letters = {"login": "L", "unknown": "R", "": "T"}
    assert "".join(letters[each.reason] for each in found(either, wanted)) == who


def test_what_came_lately_is_counted(either: Office) -> None:
    """By verdict, refusals as often as they were said; what was before then is not."""
    held = replace(TAKEN, id=ID[:-1] + "S", verdict="hold")
    either.write([TAKEN, held, REFUSED, replace(REFUSED, at=NOW + 5), FAILED])
    with either.view() as view:
        assert view.incoming(NOW) == {"mark": 1, "hold": 1, "refuse": 3}
        assert view.incoming(NOW + 3) == {"refuse": 2}
        assert view.incoming(NOW + 60) == {}


def test_the_null_sender_is_found_and_who_never_named_one_is_not(either: Office) -> None:
    """``<>`` is a sender; a client that was sent away at the greeting had none."""
    null = replace(REFUSED, sender="")
    early = TurnedAway(NOW, CLIENT, "greeting", "554 5.5.0 wait", "early")
    either.write([null, early])
    assert [each.reason for each in found(either, ReceivedFilter(sender="<>"))] == ["unknown"]
    assert [each.as_json()["from"] for each in found(either)] == ["", None]


def test_news_that_is_told_twice_changes_nothing(either: Office) -> None:
    """Also where it was counted already."""
    events: list[Event] = [TAKEN, REFUSED, FAILED, replace(REFUSED, at=NOW + 9), *(refused(nth) for nth in range(EACH + 5))]
    either.write(events)
    before = found(either)
    either.write(events)
    assert found(either) == before


def test_the_same_refusal_again_is_counted(either: Office) -> None:
    """From a neighbour, too; the last one is what is shown, and when it began is not forgotten. In another hour it begins anew."""
    near = replace(CLIENT, ip="192.0.2.200")
    either.write([REFUSED, replace(REFUSED, at=NOW + 60, arrival=near, reply="550 5.1.1 still not")])
    either.write([replace(REFUSED, at=NOW + SPAN + 60)])
    later, first = found(either)
    assert (later.times, later.since, first.times) == (1, NOW + SPAN + 60, 2)
    assert (first.at, first.since, first.ip, first.reply) == (NOW + 60, NOW + 1, "192.0.2.200", "550 5.1.1 still not")


def test_beyond_a_number_a_network_is_a_crowd(either: Office) -> None:
    """One record more, which counts and names nobody; networks, reasons and hours do not count for each other."""
    either.write([refused(nth) for nth in range(EACH + 30)])
    other = replace(CLIENT, ip="198.51.100.1")
    either.write([refused(999, arrival=other), refused(999, reason="relay"), refused(999, at=NOW + SPAN)])
    records = found(either)
    (crowd,) = [each for each in records if each.crowd]
    assert (crowd.times, crowd.sender, [*crowd.recipients], crowd.reason, crowd.network) == (30, "", [], "unknown", "192.0.2.0/24")
    assert crowd.as_json()["from"] is None
    assert len(records) == EACH + 4
    assert found(either, ReceivedFilter(ip="192.0.2.99")) == [crowd]
    assert crowd not in found(either, ReceivedFilter(sender="ann@there.example"))
    either.write([refused(0, at=NOW + 1)])  # whoever has a record of his own keeps it
    assert [each.times for each in found(either, ReceivedFilter(to="r0@example.com"))] == [2]


def test_a_million_addresses_of_one_site_are_one_record(either: Office) -> None:
    """A /48 of IPv6."""
    either.write([replace(REFUSED, at=NOW + nth, arrival=replace(CLIENT, ip=f"2001:db8:0:{nth:x}::1")) for nth in range(20)])
    assert [each.times for each in found(either)] == [20]


def test_no_stranger_fills_it(either: Office) -> None:
    """Texts are cut, and of a message's thousand recipients all are there."""
    long = replace(CLIENT, hello="x" * 10**6, name="y" * 10**6)
    many = [f"r{nth}@example.com" for nth in range(1000)]
    either.write([replace(REFUSED, arrival=long, sender="s" * 10**6, reply="r" * 10**6), replace(TAKEN, arrival=long, recipients=many)])
    refusal, message = found(either)
    assert {len(text) for text in (refusal.sender, refusal.reply, refusal.hello, refusal.name, message.hello)} == {TEXT}
    assert message.recipients == many


@pytest.mark.parametrize("text", ["\ud800", "\x00", "'; DROP TABLE refusals; --", "\x1b[2J\u202e"])
def test_whatever_a_stranger_says_is_kept(either: Office, text: str) -> None:
    """Half a surrogate pair, which no database takes, becomes a question mark there; what a terminal would act on is for `show` to mask."""
    either.write([replace(REFUSED, sender=text, arrival=replace(CLIENT, hello=text, name=text))])
    (record,) = found(either)
    assert record.sender in (text, "?")


def test_what_is_too_old_is_forgotten(either: Office) -> None:
    """By when it happened last."""
    either.write([TAKEN, REFUSED, replace(REFUSED, at=NOW + 600), FAILED])
    run(either.recorder.forget_received(NOW + 300))
    assert [each.reason for each in found(either)] == ["unknown"]


def test_how_a_message_came_belongs_to_its_story(either: Office) -> None:
    """Also when its file has left the spool."""
    id, own = either.sent(), either.sent()
    either.write([replace(TAKEN, id=id)])
    with either.view() as view:
        record, without = view.message(id), view.message(own)
        assert record is not None
        assert without is not None
        story = view.story(record)
        assert story.arrival == incoming.of(replace(TAKEN, id=id))
        assert "how it was submitted" not in " ".join(story.missing)
        assert view.story(without).arrival is None
        assert "how it was submitted" in " ".join(view.story(without).missing)


def test_there_is_room_for_so_many_and_the_oldest_go(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST", 20)
    monkeypatch.setattr(rows, "TRIM", 10)
    for nth in range(6):
        network = replace(CLIENT, ip=f"192.0.{nth}.1")
        office.write([refused(nth * 10 + each, arrival=network) for each in range(10)])
    left = [each.recipients[0] for each in found(office)]
    assert left[:20] == [f"r{nth}@example.com" for nth in range(59, 39, -1)]
    assert len(left) <= 20 + 10


def test_what_cannot_be_written_now_is_written_later(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody locks the database, refusals wait as all other news do."""
    office.close()
    monkeypatch.setattr(file, "PATIENT", 0.0)
    office.write([TAKEN])
    with sqlite3.connect(office.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StatusError):
            office.write([REFUSED])
        other.execute("ROLLBACK")
    run(office.recorder.maintain())
    assert [each.reason for each in found(office)] == ["unknown", ""]
    office.write([FAILED])
    assert [each.reason for each in found(office)] == [LOGIN, "unknown", ""]


def test_a_row_that_no_version_wrote_is_left_out(office: Office) -> None:
    office.write([TAKEN, REFUSED])
    with office.recorder.transaction() as db:
        db.execute("UPDATE refusals SET times = -1")
        db.execute("UPDATE arrivals SET time = 'soon'")
    with office.view() as view:
        assert [*view.received(ReceivedFilter())] == []
        assert view.reader.damaged == 2  # type: ignore[attr-defined]
