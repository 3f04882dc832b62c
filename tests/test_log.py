"""The log: what it says of each event, and that nobody outside can write in it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import stat
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.events import Alarm, Changed, Corrupt, Daemon, Event, Seen, Settled, Tried
from mailer.log import LIMIT, Log, open_stream
from mailer.mail.history import History
from mailer.mail.outcome import Hop, Outcome
from mailer.spool import Entry
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


def test_every_event_has_its_line() -> None:
    """And says what it is about."""
    lines = as_json(
        Seen(NOW, entry(sender="")),
        Settled(NOW, entry(), "deferred", NOW + 60),
        Settled(NOW, entry(), "sent"),
        Changed(NOW, entry(), "held"),
        Corrupt(NOW, ID, "the checksum does not hold", "/spool/corrupt/x"),
        Alarm(NOW, "login", "relay refuses our login"),
        Daemon(NOW, "ready", "queued=1"),
    )
    assert [{name: value for name, value in line.items() if name != "at"} for line in lines] == [
        {"level": "info", "event": "queued", "id": ID, "message_id": "<1@example.com>", "from": "<>", "recipients": 2, "size": 1234},
        {"level": "debug", "event": "settled", "id": ID, "status": "deferred", "next": "2027-01-15T08:01:00Z"},
        {"level": "debug", "event": "settled", "id": ID, "status": "sent", "next": None},
        {"level": "info", "event": "changed", "id": ID, "status": "held"},
        {"level": "error", "event": "corrupt", "id": ID, "reason": "the checksum does not hold", "path": "/spool/corrupt/x"},
        {"level": "error", "event": "alarm", "what": "login", "detail": "relay refuses our login"},
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
    assert "\x1b" not in written(Alarm(NOW, "spool", "full"), form="auto", stream=Terminal())[0]


# Who writes in it


def everywhere(text: str) -> list[Event]:
    """Events with `text` wherever it can come from outside."""
    hostile = Outcome(0, "fail", "recipient", 550, text[:8], text, "rcpt", Hop(text[:255], "", 25, "", ""), NOW, queue_id=text[:64])
    known = entry(sender=text[:200], message_id=text)
    known.envelope.recipients[0].address = text[:200]
    return [Seen(NOW, known), Tried(NOW, known, [hostile]), Corrupt(NOW, text, text, "/spool/corrupt/x"), Alarm(NOW, "login", text)]


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=30).map("".join) | st.text(max_size=50))
def test_nobody_outside_forges_a_line(text: str) -> None:
    """Line ends, escapes, NUL, overrides of direction: one physical line each, valid JSON, and for people nothing that acts."""
    events = everywhere(text)
    for line in written(*events):
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["event"] in ("queued", "failed", "corrupt", "alarm")
    assert len(written(*events)) == len(written(*events, form="human")) == 4
    for line in written(*events, form="human"):
        assert len(line.splitlines()) == 1
        assert not set(line) & set("\x00\x1b\r\n\u202e\u2028\u2029\x85\x9b\u200b")
        assert line[:9] == "08:00:00 "  # no priority of syslog or the journal stands in front
        line.encode()


def test_nobody_outside_fills_the_log() -> None:
    """A megabyte in each field is a line of a few thousand characters."""
    for piece in ("x", "\x1b", "é", "\U0001f4a9"):
        events = everywhere(piece * 1_000_000)
        assert all(len(line) < 12 * 3 * LIMIT for line in written(*events))
        assert all(len(line) < 5 * LIMIT for line in written(*events, form="human"))
        assert len(as_json(*events)[1]["reply"]) <= LIMIT


# Where it goes


def test_a_log_that_cannot_be_written_stops_no_mail() -> None:
    """A full disk, a closed stream: silence."""
    stream = io.StringIO()
    stream.close()

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    Log(Closed(), form="json").told(Daemon(NOW, "ready"))
    log = Log(io.StringIO(), form="json")
    log._stream.close()
    log.told(Daemon(NOW, "ready"))


def test_the_lines_of_one_moment_are_one_write() -> None:
    """Where somebody can put off a call; nothing is lost, and the order stays."""
    calls: list[Any] = []
    stream = io.StringIO()
    log = Log(stream, form="json", later=calls.append)
    for what in ("started", "ready"):
        log.told(Daemon(NOW, what))
    assert (len(calls), stream.getvalue()) == (1, "")
    calls[0]()
    assert [json.loads(line)["what"] for line in stream.getvalue().splitlines()] == ["started", "ready"]
    log.told(Daemon(NOW, "stopped"))
    assert len(calls) == 2
    log.flush()
    assert len(stream.getvalue().splitlines()) == 3


def test_the_log_file_is_appended_to_and_private(tmp_path: Path) -> None:
    """Mode 0600; a second start keeps what the first wrote."""
    path = tmp_path / "mailer.log"
    umask = os.umask(0)
    try:
        for what in ("started", "stopped"):
            with open_stream(str(path)) as stream:
                Log(stream, form="json").told(Daemon(NOW, what))
    finally:
        os.umask(umask)
    assert [json.loads(line)["what"] for line in path.read_text().splitlines()] == ["started", "stopped"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    """Whoever can write the directory cannot make us write elsewhere."""
    (tmp_path / "mailer.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic links"):
        open_stream(str(tmp_path / "mailer.log"))
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_file_the_log_is_standard_error() -> None:
    """Where a service manager expects it."""
    assert open_stream("") is sys.stderr


def test_the_log_can_be_moved_while_it_is_written(tmp_path: Path) -> None:
    """What was said before is in the old one, what is said after in the new one."""
    old = open_stream(str(tmp_path / "old"))
    log = Log(old, form="json", later=lambda _: None)
    log.told(Daemon(NOW, "started"))
    log.change(open_stream(str(tmp_path / "new")), form="human", level="info")
    log.told(Daemon(NOW, "reloaded"))
    log.flush()
    assert old.closed
    assert '"started"' in (tmp_path / "old").read_text()
    assert "what=reloaded" in (tmp_path / "new").read_text()
    log.change(sys.stderr, form="auto", level="info")
    assert not sys.stderr.closed


def read_back(line: str) -> dict[str, str]:
    """The fields of a line for people."""
    fields = re.findall(r' (\w+)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)', line[19:])
    assert line[19:] == "".join(f" {name}={value}" for name, value in fields)
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value for name, value in fields}


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


# A log whose reader does not read


def full_pipe() -> tuple[int, TextIO]:
    """A pipe with no room for another octet: its end to read from, and the log."""
    end, log = os.pipe()
    os.set_blocking(log, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(log, b"-" * 512 + b"\n")
    os.set_blocking(log, True)
    return end, os.fdopen(log, "w")


def all_lines(end: int) -> list[dict[str, Any]]:
    with os.fdopen(end, "rb") as reader:
        return [json.loads(line) for line in reader.read().splitlines() if line[:1] == b"{"]


def test_a_reader_that_stalls_holds_up_nothing() -> None:
    """What is told waits, in order; when somebody reads again, it is there."""
    end, stream = full_pipe()
    log = Log(stream, form="json", apart=True)
    for nth in range(1000):
        log.told(Daemon(NOW, str(nth)))
    log.close(0.05)  # the end does not wait for ever either
    assert [line["what"] for line in all_lines(end)] == [str(nth) for nth in range(1000)]


def test_a_busy_log_is_written_in_few_pieces() -> None:
    """Lines that come while it rests are one write; all are there, in order."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # each write is a packet
    with reader, writer.makefile("w") as stream:
        writer.close()
        log = Log(stream, form="json", apart=True)
        for nth in range(100):
            log.told(Daemon(NOW, str(nth)))
        log.close(30)
        pieces = [*iter(lambda: reader.recv(1 << 20), b"")]
    assert [json.loads(line)["what"] for line in b"".join(pieces).splitlines()] == [str(nth) for nth in range(100)]
    assert len(pieces) < 100


def test_what_there_is_no_room_for_is_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its place: what was told before stands before, and what is told when the log flows again stands behind."""
    monkeypatch.setattr("mailer.log.writer.MOST", 4000)
    end, stream = full_pipe()
    log = Log(stream, form="json", apart=True)
    for nth in range(200):
        log.told(Daemon(NOW, str(nth)))
    log.close(0.05)
    lines = all_lines(end)
    (lost,) = [at for at, line in enumerate(lines) if line["event"] == "log"]
    assert [line["what"] for line in lines[:lost]] == [str(nth) for nth in range(lost)]
    assert (lines[lost]["what"], lines[lost]["lines"] + lost, lines[lost]["level"]) == ("lost", 200, "error")
    assert lines[lost]["detail"] == "nobody read the log as fast as it was written"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has this device")
def test_a_full_disk_is_told_when_it_has_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many lines are missing, and the system's reason."""
    full, path = os.open("/dev/full", os.O_WRONLY), tmp_path / "log"
    stream = open_stream(str(path))
    log = Log(stream, form="json", apart=True)
    refused = threading.Event()
    write = os.write

    def no_room(fd: int, data: bytes) -> int:
        if refused.is_set():
            return write(fd, data)
        refused.set()
        return write(full, data)

    monkeypatch.setattr("mailer.log.writer.os.write", no_room)
    log.told(Daemon(NOW, "gone"))
    assert refused.wait(60)
    log.told(Daemon(NOW, "there"))
    log.close(5)
    os.close(full)
    lost, there = map(json.loads, path.read_text().splitlines())
    assert (lost["lines"], lost["detail"], there["what"]) == (1, "No space left on device", "there")


def test_a_fifo_that_nobody_reads_is_opened_without_a_wait(tmp_path: Path) -> None:
    """At a start and at a reload; whoever opens it later reads from the first line on."""
    os.mkfifo(tmp_path / "log")
    log = Log(sys.stderr, form="json", apart=True)
    log.change(open_stream(str(tmp_path / "log")), form="json", level="info")
    log.told(Daemon(NOW, "ready"))
    with open(tmp_path / "log", encoding="utf-8") as reader:
        assert json.loads(reader.readline())["what"] == "ready"
        log.close(5)


def test_a_reload_gives_a_reader_that_stalls_no_second_thread_to_hold_up(tmp_path: Path) -> None:
    """However often: what waits, waits once, and is in order when somebody reads again."""
    os.mkfifo(tmp_path / "log")
    log = Log(open_stream(str(tmp_path / "log")), form="json", apart=True)
    log.told(Daemon(NOW, "ready"))
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for nth in range(40):
        for _ in range(100):
            log.told(Daemon(NOW, str(nth), "x" * 100))
        log.change(open_stream(str(tmp_path / "log")), form="json", level="info")
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    with open(tmp_path / "log", encoding="utf-8") as reader:
        assert json.loads(reader.readline())["what"] == "ready"
        assert [json.loads(reader.readline())["what"] for _ in range(4000)] == [str(nth) for nth in range(40) for _ in range(100)]
        log.close(5)


def test_a_log_that_is_replaced_is_written_to_its_end(tmp_path: Path) -> None:
    """What was told before the change is in the old one, which is closed then."""
    old = open_stream(str(tmp_path / "old"))
    log = Log(old, form="json", apart=True)
    for nth in range(100):
        log.told(Daemon(NOW, str(nth)))
    log.change(open_stream(str(tmp_path / "new")), form="json", level="info")
    log.told(Daemon(NOW, "reloaded"))
    log.close(5)
    for thread in threading.enumerate():
        if thread.name == "log":
            thread.join(5)
    assert old.closed
    assert len((tmp_path / "old").read_text().splitlines()) == 100
    assert len((tmp_path / "new").read_text().splitlines()) == 1


def test_a_hushed_log_has_errors_only() -> None:
    """Until it is let speak again; opening it anew does not forget that."""
    stream = io.StringIO()
    log = Log(stream, form="json")
    log.hush(True)
    log.told(Daemon(NOW, "ready"))
    log.told(Alarm(NOW, "disk", "short"))
    log.change(stream, form="json", level="info")
    log.told(Daemon(NOW, "ready"))
    log.hush(False)
    log.told(Daemon(NOW, "stopped"))
    assert [json.loads(line)["what"] for line in stream.getvalue().splitlines()] == ["disk", "stopped"]
