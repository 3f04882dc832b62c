"""The log: what it says of each event, and that nobody outside can write in it."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer import events
from mailer.events import (
    Alarm,
    AlarmBegun,
    AlarmOver,
    AlarmsOpen,
    Changed,
    Corrupt,
    Daemon,
    Event,
    Mended,
    Seen,
    Settled,
    Standings,
    Tried,
    Unsubscribed,
)
from mailer.log import EVENTS, LIMIT, Log
from mailer.mail.alarm import OpenAlarm
from mailer.mail.history import History
from mailer.mail.outcome import Hop, Outcome
from mailer.spool.api import Entry
from tests.fakes.mail import NOW, envelope, outcome

ID = "01M7XZE2ZPFN5M9C7PXGDNNSF8"
HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 unverified")
HOSTILE = [
    "\r\n", "\n", "\x1b[2J", "\x00", "\u202e", "\u2028", "\u2029", "\x85", "\u200b", "\x9b31m", "\ud800", '"', "\\", "<3>", "a" * 10,
    '},{"at":', "},{'at':",
]  # fmt: skip


class Terminal(io.StringIO):
    """What people look at."""

    def isatty(self) -> bool:
        return True


LOGIN = OpenAlarm("login", "relay:out", NOW, NOW, 1, "critical", "relay refuses our login", "username of [relay.out]")


def entry(**more: Any) -> Entry:
    letter = envelope("you@example.net", "two@example.net", id=ID, **({"message_id": "<1@example.com>"} | more))
    return Entry(ID, "queued", letter, 1234, History(2), 0.0, NOW - 2.5)


def written(*events: Event, form: str = "json", level: str = "debug", stream: io.StringIO | None = None) -> list[str]:
    """The physical lines that `events` make, if they are of one moment."""
    stream = stream or io.StringIO()
    log = Log(stream, form=form, level=level, later=lambda _: None)
    for event in events:
        log.told(event)
    log.flush()
    text = stream.getvalue()
    assert text.endswith("\n") or not text
    return text.split("\n")[:-1]


def as_json(*events: Event, **more: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(*events, **more)]


# What it says


def test_an_outcome_is_a_line_with_all_that_one_asks_for() -> None:
    """Who, where, over what, which reply, how long it took, and when it is tried again."""
    deferred = outcome(1, "defer", text="later", hop=HOP, at=NOW, seconds=1.25, due=NOW + 60)
    assert as_json(Tried(NOW, entry(), [deferred])) == [
        {
            "at": "2027-01-15T08:00:00Z",
            "level": "warning",
            "event": "deferred",
            "id": ID,
            "to": "two@example.net",
            "host": "mx.example.net",
            "ip": "192.0.2.1",
            "port": 25,
            "tls": "TLSv1.3 unverified",
            "code": 451,
            "enhanced_code": "4.3.0",
            "phase": "rcpt",
            "reply": "later",
            "delay": 2.5,
            "seconds": 1.25,
            "queue_id": None,
            "next": "2027-01-15T08:01:00Z",
        }
    ]


def test_each_recipient_has_a_line() -> None:
    """One event, as many lines as outcomes, each with the word of `mailer status` and its importance."""
    verdicts = ["delivered", "defer", "fail", "expire", "cancel"]
    lines = as_json(Tried(NOW, entry(), [outcome(0, verdict) for verdict in verdicts]))  # type: ignore[arg-type]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("sent", "info"), ("deferred", "warning"), ("failed", "error"), ("expired", "error"), ("cancelled", "info"),
    ]  # fmt: skip


def test_no_event_that_is_told_is_without_a_line() -> None:
    """Those apart: an attempt has a line for each outcome, alarms go through the sieve first, and two are told to the recorder alone."""
    apart = {Tried, Alarm, Mended, Standings, AlarmsOpen}
    made = {each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)}
    assert set(EVENTS) == made - apart - {Event}


def test_who_wants_no_more_mail_is_said() -> None:
    """With the message whose link it was, where it was one."""
    followed, asked = as_json(Unsubscribed(NOW, "bob@example.net", "news", ID), Unsubscribed(NOW, "bob@example.net", "news"))
    assert (followed["event"], followed["id"], followed["to"], followed["stream"]) == ("unsubscribed", ID, "bob@example.net", "news")
    assert asked["id"] is None


def test_every_event_has_its_line() -> None:
    """And says what it is about."""
    lines = as_json(
        Seen(NOW, entry(sender="")),
        Settled(NOW, entry(), "deferred", NOW + 60),
        Settled(NOW, entry(), "sent"),
        Changed(NOW, entry(), "held"),
        Corrupt(NOW, ID, "the checksum does not hold", "/spool/corrupt/x"),
        AlarmBegun(NOW, LOGIN),
        AlarmBegun(NOW, LOGIN._replace(severity="notice", key="", remedy="")),
        AlarmOver(NOW + 60, LOGIN._replace(times=3), "it takes mail again"),
        Daemon(NOW, "ready", "queued=1"),
    )
    assert [{name: value for name, value in line.items() if name != "at"} for line in lines] == [
        {"level": "info", "event": "queued", "id": ID, "message_id": "<1@example.com>", "from": "<>", "recipients": 2, "size": 1234},
        {"level": "debug", "event": "settled", "id": ID, "status": "deferred", "next": "2027-01-15T08:01:00Z"},
        {"level": "debug", "event": "settled", "id": ID, "status": "sent", "next": None},
        {"level": "info", "event": "changed", "id": ID, "status": "held"},
        {"level": "error", "event": "corrupt", "id": ID, "reason": "the checksum does not hold", "path": "/spool/corrupt/x"},
        {
            "level": "error",
            "event": "alarm",
            "what": "login",
            "state": "begin",
            "severity": "critical",
            "key": "relay:out",
            "detail": "relay refuses our login",
            "remedy": "username of [relay.out]",
        },
        {
            "level": "warning",
            "event": "alarm",
            "what": "login",
            "state": "begin",
            "severity": "notice",
            "key": None,
            "detail": "relay refuses our login",
            "remedy": None,
        },
        {
            "level": "warning",
            "event": "alarm",
            "what": "login",
            "state": "end",
            "severity": "critical",
            "key": "relay:out",
            "detail": "it takes mail again",
            "seconds": 60,
            "count": 3,
        },
        {"level": "info", "event": "daemon", "what": "ready", "detail": "queued=1"},
    ]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_less_important_than_asked_for_is_left_out(level: str, count: int) -> None:
    """debug, info, warning, error."""
    events = [Settled(NOW, entry(), "sent"), Seen(NOW, entry()), Tried(NOW, entry(), [outcome(0, "defer"), outcome(0, "fail")])]
    assert len(written(*events, level=level)) == count


@pytest.mark.parametrize("empty", [False, True])
def test_people_get_words_and_programs_get_json(monkeypatch: pytest.MonkeyPatch, empty: bool) -> None:
    """By what the log is written to, unless it is said. An empty NO_COLOR says nothing, as in all other commands."""
    monkeypatch.setenv("NO_COLOR", "") if empty else monkeypatch.delenv("NO_COLOR", raising=False)
    event = Daemon(NOW, "ready", "queued=1 deferred=0")
    assert written(event, form="auto", stream=Terminal())[0].startswith("\x1b[0m08:00:00 daemon")
    assert json.loads(written(event, form="auto")[0])["what"] == "ready"
    assert json.loads(written(event, form="json", stream=Terminal())[0])["what"] == "ready"
    (line,) = written(event, form="human")
    assert line == '08:00:00 daemon     what=ready detail="queued=1 deferred=0"'


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, and everything that is no terminal."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in written(AlarmBegun(NOW, LOGIN), form="auto", stream=Terminal())[0]


def everywhere(text: str) -> list[Event]:
    """Events with `text` wherever it can come from outside."""
    hostile = Outcome(0, "fail", "recipient", 550, text[:8], text, "rcpt", Hop(text[:255], "", 25, "", ""), NOW, queue_id=text[:64])
    known = entry(sender=text[:200], message_id=text)
    known.envelope.recipients[0].address = text[:200]
    return [
        Seen(NOW, known),
        Tried(NOW, known, [hostile]),
        Corrupt(NOW, text, text, "/spool/corrupt/x"),
        AlarmBegun(NOW, LOGIN._replace(key=text, text=text, remedy=text)),
        AlarmOver(NOW, LOGIN, text),
    ]


# Who writes in it


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=30).map("".join) | st.text(max_size=50))
def test_nobody_outside_forges_a_line(text: str) -> None:
    """Line ends, escapes, NUL, overrides of direction: one physical line each, valid JSON, and for people nothing that acts."""
    events = everywhere(text)
    for line in written(*events):
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["event"] in ("queued", "failed", "corrupt", "alarm")
    assert len(written(*events)) == len(written(*events, form="human")) == 5
    for line in written(*events, form="human"):
        assert len(line.splitlines()) == 1
        assert not set(line) & set("\x00\x1b\r\n\u202e\u2028\u2029\x85\x9b\u200b")
        assert line[:9] == "08:00:00 "  # no priority of syslog or the journal stands in front
        line.encode()


def test_nobody_outside_fills_the_log() -> None:
    """A megabyte in each field is a line of a few thousand characters."""
    for piece in ("x", "\x1b", "é", "\U0001f4a9"):
        events = everywhere(piece * 1_000_000)
        assert all(len(line) < 12 * 4 * LIMIT for line in written(*events))
        assert all(len(line) < 5 * LIMIT for line in written(*events, form="human"))
        assert len(as_json(*events)[1]["reply"]) <= LIMIT


def read_back(line: str) -> dict[str, str]:
    """The fields of a line for people."""
    fields = re.findall(r' (\w+)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)', line[19:])
    assert line[19:] == "".join(f" {name}={value}" for name, value in fields)
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value for name, value in fields}


# Where it goes


@given(
    st.text(alphabet=st.sampled_from(list('ab =\\"\n\t,{}')), max_size=30), st.text(alphabet=st.sampled_from(list('x "=\\')), max_size=10)
)
def test_a_line_for_people_can_be_read_back(said: str, name: str) -> None:
    """Nothing that a server says looks like another field: what it said is one value, in quotes where it has to be."""
    (line,) = written(Tried(NOW, entry(), [outcome(0, "defer", text=said, queue_id=name, hop=HOP)]), form="human")
    fields = read_back(line)
    assert fields.get("reply", "") == " ".join(said.split())
    assert fields.get("queue_id", "") == " ".join(name.split())
    assert (fields["to"], fields["host"], fields["tls"]) == ("you@example.net", HOP.host, HOP.tls)


def test_of_an_address_the_domain_may_be_enough() -> None:
    """``log.addresses = "domain"``: no line names a person, also where a host has; the Message-ID stays."""
    stream = io.StringIO()
    log = Log(stream, form="json", level="debug", later=lambda _: None)
    log.change(stream, form="json", level="debug", masks=True)
    refused = outcome(0, "fail", text="<you@example.net>: no such user")
    for event in (Seen(NOW, entry()), Tried(NOW, entry(sender=""), [refused]), Seen(NOW, entry(sender=""))):
        log.told(event)
    log.flush()
    seen, failed, report = map(json.loads, stream.getvalue().splitlines())
    assert (seen["from"], seen["message_id"]) == ("***@example.com", "<1@example.com>")
    assert (failed["to"], failed["reply"]) == ("***@example.net", "<***@example.net>: no such user")
    assert report["from"] == "<>"
    log.change(stream, form="json", level="debug")
    log.told(Seen(NOW, entry()))
    log.flush()
    assert json.loads(stream.getvalue().splitlines()[-1])["from"] == "me@example.com"
