"""Where the log goes, and that a disk or a reader that takes nothing holds up no mail."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import stat
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import pytest

from mailer.events import AlarmBegun, Daemon
from mailer.log import Log
from mailer.log.writer import open_stream
from mailer.mail.alarm import OpenAlarm
from tests.fakes.mail import NOW

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


# A log whose reader does not read


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
        log.close(60)


def test_a_log_that_is_replaced_is_written_to_its_end(tmp_path: Path) -> None:
    """What was told before the change is in the old one, which is closed then."""
    old = open_stream(str(tmp_path / "old"))
    log = Log(old, form="json", apart=True)
    for nth in range(100):
        log.told(Daemon(NOW, str(nth)))
    log.change(open_stream(str(tmp_path / "new")), form="json", level="info")
    log.told(Daemon(NOW, "reloaded"))
    log.close(60)
    for thread in threading.enumerate():
        if thread.name == "log":
            thread.join(60)
    assert old.closed
    assert len((tmp_path / "old").read_text().splitlines()) == 100
    assert len((tmp_path / "new").read_text().splitlines()) == 1


def test_a_hushed_log_has_errors_only() -> None:
    """Until it is let speak again; opening it anew does not forget that."""
    stream = io.StringIO()
    log = Log(stream, form="json")
    log.hush(True)
    log.told(Daemon(NOW, "ready"))
    log.told(AlarmBegun(NOW, OpenAlarm("disk", "", NOW, NOW, 1, "critical", "short")))
    log.change(stream, form="json", level="info")
    log.told(Daemon(NOW, "ready"))
    log.hush(False)
    log.told(Daemon(NOW, "stopped"))
    assert [json.loads(line)["what"] for line in stream.getvalue().splitlines()] == ["disk", "stopped"]
