"""Reload and stop: what the daemon of a spool is told, by whom, and what is known of it afterwards."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.operate import daemon
from mailer.spool.files import daemons, traces
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.traces import Reloaded, note_reload, noted, reloaded

DAEMON = """
import fcntl, signal, sys, time
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.traces import Reloaded, note_reload, now
spool, answer = SpoolDirectory(sys.argv[1]), sys.argv[2]
lock = open(f"{spool.root}/daemon.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
def hangup(*_):
    if answer == "dies":
        sys.exit(1)
    if answer != "silent":
        note_reload(spool, Reloaded(now(), answer))
signal.signal(signal.SIGHUP, hangup)
if answer == "silent":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:  # no pause(): a signal that comes just before it would be heard with the next one alone
    time.sleep(0.05)
"""


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    return spool


class Daemon:
    """A process that holds the lock of `spool` and answers a SIGHUP with `answer`."""

    def __init__(self, spool: SpoolDirectory, answer: str = "") -> None:
        self.process = subprocess.Popen([sys.executable, "-c", DAEMON, spool.root, answer], stdout=subprocess.PIPE)

    def __enter__(self) -> int:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def refusal(work: object, *given: object, **named: object) -> tuple[str, str]:
    with pytest.raises(Problem) as problem:
        work(*given, **named)  # type: ignore[operator]
    return problem.value.kind, str(problem.value)


def test_a_reload_that_is_taken_is_known_to_be(spool: SpoolDirectory) -> None:
    """The answer is that to our own question: one that was there before is none."""
    note_reload(spool, Reloaded(traces.now(), "an old mistake"))
    with Daemon(spool) as pid:
        assert daemon.reload(spool, 60) == pid


def test_a_reload_that_is_refused_says_why(spool: SpoolDirectory) -> None:
    """In the daemon's own words, and as a mistake of the configuration."""
    with Daemon(spool, "config.toml:3: there is no section [dilivery]") as pid:
        kind, text = refusal(daemon.reload, spool, 60)
    assert kind == "bad-config"
    assert text == f"the daemon (pid {pid}) keeps the configuration that it has: config.toml:3: there is no section [dilivery]"


@pytest.mark.slow
def test_a_daemon_that_says_nothing_or_dies_of_it(spool: SpoolDirectory) -> None:
    """Neither makes anybody wait for ever, and the one is not the other."""
    with Daemon(spool, "silent"):
        assert refusal(daemon.reload, spool, 0.1)[0] == "try-again"
        assert refusal(daemon.stop, spool, 0.1, named=True)[0] == "try-again"
    with Daemon(spool, "dies"):
        kind, text = refusal(daemon.reload, spool, 60)
        assert (kind, "has ended" in text) == ("unavailable", True)


def test_a_stop_returns_when_the_daemon_is_gone(spool: SpoolDirectory) -> None:
    """And a second one has nothing to do."""
    held = Daemon(spool)
    with held as pid:
        assert daemon.stop(spool, 60, named=True) == pid
        assert held.process.wait(60) == -signal.SIGTERM
        assert daemon.stop(spool, 60, named=True) == 0


def test_where_no_daemon_runs_none_is_told(spool: SpoolDirectory, tmp_path: Path) -> None:
    """One that runs on another spool is named, and is not the one that is meant."""
    assert refusal(daemon.reload, spool, 60)[0] == "unavailable"
    other = SpoolDirectory(str(tmp_path / "other"))
    other.prepare()
    held = Daemon(other)
    with held:
        for kind, text in (refusal(daemon.reload, spool, 60), refusal(daemon.stop, spool, 60, named=False)):
            assert kind == "unavailable"
            assert other.root in text
        assert daemon.stop(spool, 60, named=True) == 0
        assert held.process.poll() is None


@pytest.fixture
def impostor(spool: SpoolDirectory) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of another file."""
    with Daemon(spool):
        pass
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


def test_a_process_that_has_not_the_file_is_not_told(
    spool: SpoolDirectory, impostor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel names locks by numbers, which files on two disks can share: the file has to be open, too."""
    lock = os.stat(f"{spool.root}/daemon.lock").st_ino
    monkeypatch.setattr(daemons, "locks", lambda: iter([(impostor.pid, lock)]))
    for work in (lambda: daemon.reload(spool, 60), lambda: daemon.stop(spool, 60, named=True)):
        assert refusal(work)[0] == "unavailable"
    assert impostor.poll() is None
    assert not daemons.holds(os.getpid(), spool.root)


def test_what_somebody_wrote_there_is_no_answer(spool: SpoolDirectory) -> None:
    """No bytes in the file of the last reload are an error."""
    for text in (b"", b"null", b"[]", b"{}", b'{"began": "x", "problem": 1}', b"\xff"):
        spool.remember(traces.NAME, text)
        assert reloaded(spool) is None


def test_the_note_says_which_spool_is_served(spool: SpoolDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees no daemon is told of the one that is noted, if it answers; it goes with the daemon, unless another's stands there."""
    from mailer.spool.files import doorbell

    note = tmp_path / "run" / "spool"
    note.parent.mkdir()
    monkeypatch.setattr(daemons, "NOTE", str(note))
    monkeypatch.setattr(traces, "NOTE", str(note))
    monkeypatch.setattr(daemons, "locks", lambda: iter(()))
    with noted(spool):
        assert not note.exists()  # no service: nobody gave it the directory
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"/run/other:{note.parent}")
    note_reload(spool, Reloaded(1, ""))
    with noted(spool):
        assert reloaded(spool) is None
        assert (note.read_text(), note.stat().st_mode & 0o777) == (f"{spool.root}\n", 0o644)
        assert daemons.served() == []  # nobody hangs on the doorbell
        with doorbell.hang(spool.root):
            assert daemons.served() == [spool.root]
            assert daemons.note_elsewhere(str(tmp_path)).startswith(f"no daemon runs on {tmp_path}, but on {spool.root}:")
    assert not note.exists()
    with noted(spool):
        note.write_text("/var/spool/other\n")
    assert note.exists()
    note.write_bytes(b"\xff\x1b[0m")
    assert daemons.served() == []


def test_a_lock_is_held_by_whom_it_is(spool: SpoolDirectory) -> None:
    """Open and locked, by this process; open alone is not enough."""
    with open(f"{spool.root}/daemon.lock", "w") as lock:
        assert not daemons.holds(os.getpid(), spool.root)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert daemons.holds(os.getpid(), spool.root)
